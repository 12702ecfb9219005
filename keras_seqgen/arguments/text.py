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
