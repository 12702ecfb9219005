"""Arguments of the commands for text."""

from keras_seqgen.arguments.form import add_command, add_json


def ngram(commands):
    command = add_command(
        commands,
        "ngram",
        "ngram:ngram",
        "estimate an n-gram language model from texts, as an ARPA file, or score texts with one",
        """
estimate train.txt.xz -o model.arpa.gz --order 5
estimate prepared/ptb-char -o char.arpa.gz --order 8 --prune 0 0 0 0 1
score test.txt --model model.arpa.gz --verbose
""",
    )
    command.add_argument("what", choices=("estimate", "score"))
    command.add_argument(
        "texts", nargs="+", metavar="TEXT", help="a file (gz, xz, bz2 too), - for standard input, or a prepared folder"
    )
    command.add_argument("-o", "--output", metavar="FILE", help="estimate: the ARPA file; .gz is gzipped")
    command.add_argument("--model", metavar="FILE", help="score: an ARPA file, plain or gzipped")
    command.add_argument(
        "--order", type=int, metavar="N", help="estimate: the longest n-grams (default: 5 for words, 8 for characters)"
    )
    command.add_argument("--tokens", choices=("word", "character"), help="default: as the folder or the model has them")
    command.add_argument("--vocabulary", metavar="FILE", help="estimate: the tokens, a text or a vocabulary.json")
    command.add_argument(
        "--prune", type=int, nargs="+", metavar="N", help="estimate: for each order, drop what occurs at most so often"
    )
    command.add_argument(
        "--split", default="train", choices=("train", "valid", "test"), help="of a prepared folder (default: train)"
    )
    command.add_argument("--verbose", action="store_true", help="score: show what each token adds")
    add_json(command)


def sample(commands):
    command = add_command(
        commands,
        "sample",
        "text:sample",
        "draw a text from a language model, as it is written",
        """
--run runs/char --prime "The company said" --temperature 0.7
--model saved_models/text --count 5 --length 400 --seed 7
--run runs/char --stop "\\n" --top-k 40 --top-p 0.95
""",
    )
    _which(command)
    command.add_argument("--prime", default="", metavar="TEXT", help="what the text begins with")
    command.add_argument("--temperature", type=float, default=1.0, metavar="T", help="below 1: surer (default: 1)")
    command.add_argument("--top-k", type=int, default=0, metavar="K", help="only the K likeliest tokens (default: all)")
    command.add_argument("--top-p", type=float, default=1.0, metavar="P", help="only the likeliest of together P")
    command.add_argument("--stop", default="", metavar="TEXT", help="end where this is written; \\n is a line's end")
    command.add_argument("--length", type=int, default=500, metavar="N", help="at most so many tokens (default: 500)")
    command.add_argument("--count", type=int, default=1, metavar="N", help="how many texts, seed by seed (default: 1)")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="another number, another text")
    command.add_argument("--replace", metavar="CHARACTER", help="stands for characters that the model does not know")
    add_json(command)


def score(commands):
    command = add_command(
        commands,
        "score",
        "text:score",
        "tell how likely a language model takes each line of a file to be (log_prob in nats)",
        """
sentences.txt --run runs/char
sentences.txt --model saved_models/text --json
""",
    )
    command.add_argument("file", metavar="FILE", help="a sentence on each line; gz, xz too; - is standard input")
    _which(command)
    command.add_argument("--replace", metavar="CHARACTER", help="stands for characters that the model does not know")
    add_json(command)


def _which(command):
    which = command.add_mutually_exclusive_group()
    which.add_argument("--run", dest="folder", metavar="FOLDER", help="a run: its best weights")
    which.add_argument("--model", metavar="FOLDER", help="an exported model (default: what saved_models/ holds)")
