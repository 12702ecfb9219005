"""Arguments of `keras-seqgen recognise` and `tune`."""

from keras_seqgen.arguments.form import add_command, add_json

_FILES = (
    "ink: .inkml .xml (IAM-OnDB) .unp .ndjson .npz .svg .json (as `write`); lines of print: .png .jpg; speech: .wav"
)


def recognise(commands):
    command = add_command(
        commands,
        "recognise",
        "recognition:recognise",
        "read lines of ink or print, or utterances, with an exported model",
        """
sample.inkml
lineStrokes/a01/a01-000/*.xml --model saved_models/ink-recognition
sample.inkml --language runs/ink --language-model both --json
page/*.png --model saved_models/text-lines
seven.wav --model saved_models/speech --lexicon digits.txt
""",
    )
    add = command.add_argument
    add("file", nargs="+", metavar="FILE", help=_FILES)
    add("--model", metavar="FOLDER", help="an exported model (default: what saved_models/ holds for such files)")
    add("--language", metavar="RUN", help="read by a beam search with the language model that `tune` left there")
    kinds = ("character", "word", "both")
    add("--language-model", choices=kinds, help="--language: which of the models there (default: both)")
    add("--lexicon", metavar="FILE", help="read with the words of a list alone (a word per line), by a beam search")
    add("--beam", type=int, metavar="K", help="with these: how many readings are kept (default: 25)")
    add_json(command)


def tune(commands):
    command = add_command(
        commands,
        "tune",
        "recognition:tune",
        "give a recogniser a language model, and choose its weights on the validation split",
        """
--run runs/ink --data prepared/ink
--run runs/ink --data prepared/ink --corpus novel.txt letters.txt --lines 400
""",
    )
    add = command.add_argument
    add("--run", dest="folder", required=True, metavar="FOLDER", help="a recogniser's run; the language is kept there")
    add(
        "--data", required=True, metavar="FOLDER", help="what `prepare` wrote: train gives the texts, valid the weights"
    )
    add("--corpus", nargs="+", default=[], metavar="FILE", help="other texts, mixed with the training transcriptions")
    add("--character-order", type=int, default=7, metavar="N", help="longest n-grams of characters (default: 7)")
    add("--word-order", type=int, default=3, metavar="N", help="longest n-grams of words (default: 3)")
    add("--lines", type=int, default=300, metavar="N", help="of the validation split, evenly taken (default: 300)")
    add("--beam", type=int, default=25, metavar="K", help="how many readings are kept (default: 25)")
    add_json(command)
