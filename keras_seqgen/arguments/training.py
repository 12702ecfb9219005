"""Arguments of the commands from a recipe to a model."""

from keras_seqgen.arguments.form import add_command, add_json


def train(commands):
    command = add_command(
        commands,
        "train",
        "training:train",
        "train a recipe on prepared data; goes on with a run that exists",
        """
handwriting-synthesis --data prepared/iam --run runs/iam --minutes 60
handwriting-synthesis --data prepared/iam --run runs/small --set units=200 --set batch_size=32
handwriting-synthesis-adaptive --data prepared/iam --run runs/adaptive --from runs/iam
--list
""",
    )
    command.add_argument("recipe", nargs="?", metavar="RECIPE", help="a name; --list shows them")
    command.add_argument("--list", action="store_true", help="list the recipes and what each is to reach")
    command.add_argument("--data", metavar="FOLDER", help="what `prepare` wrote")
    command.add_argument("--run", dest="folder", metavar="FOLDER", help="where weights, log and resume state are kept")
    command.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="NAME=VALUE", help="change the recipe"
    )
    command.add_argument("--from", dest="start_from", metavar="RUN", help="begin with the best weights of another run")
    command.add_argument("--minutes", type=float, metavar="M", help="stop after so long; the run can go on later")
    command.add_argument("--steps", type=int, metavar="N", help="stop after so many updates in all")
    add_json(command)


def evaluate(commands):
    command = add_command(
        commands,
        "evaluate",
        "training:evaluate",
        "measure a run or an exported model on a split",
        """
--run runs/iam --data prepared/iam --split valid
--model saved_models/handwriting --data prepared/iam --split valid --json
--run runs/fcn --data prepared/camvid --split test --crf theta_alpha=80 iterations=10
--run runs/char --data prepared/ptb-char --split test --dynamic
--run runs/word --data prepared/ptb-word --split test --dynamic rms --rows 10
--run runs/digits --data prepared/digits --split test --lexicon digits.txt
handwriting --legibility --data prepared/iam --bias 0 1 --lines 500
""",
    )
    command.add_argument("system", nargs="?", metavar="SYSTEM", help="in place of --model: what saved_models/ holds")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--run", dest="folder", metavar="FOLDER", help="a run: its best weights")
    which.add_argument("--model", metavar="FOLDER", help="an exported model: its newest version")
    command.add_argument("--data", required=True, metavar="FOLDER", help="what `prepare` wrote")
    command.add_argument("--split", default="valid", choices=("train", "valid", "test"))
    command.add_argument(
        "--crf", nargs="+", default=[], metavar="NAME=VALUE", help="segmentation: a CRF after a network without one"
    )
    command.add_argument(
        "--lexicon", metavar="FILE", help="recognisers: read with its words alone, too, by beam search"
    )
    command.add_argument(
        "--dynamic",
        nargs="?",
        const="sgd",
        choices=("sgd", "rms"),
        help="language models: learn from what was predicted, by plain steps (sgd, if no rule is named) or by steps "
        "scaled by each weight's importance, with a return to the trained weights (rms)",
    )
    command.add_argument("--rate", type=float, metavar="R", help="--dynamic: learning rate (default: by validation)")
    command.add_argument("--decay", type=float, metavar="L", help="--dynamic rms: the return (default: by validation)")
    command.add_argument("--rows", type=int, metavar="N", help="--dynamic: rows to cut the split into (default: 1)")
    legibility = command.add_argument_group("handwriting: can it be read?")
    add = legibility.add_argument
    add("--legibility", action="store_true", help="a recogniser reads lines of the split, and their texts as written")
    add("--reader", metavar="FOLDER", help="an exported ink-recognition model (default: what saved_models/ holds)")
    add("--lines", type=int, metavar="N", help="of the split, evenly taken (default: 300)")
    add("--bias", type=float, nargs="+", metavar="B", help="(default: 0 0.5 1 2)")
    add("--seed", type=int, metavar="N", help="of the first line; the next ones have the next (default: 0)")
    add_json(command)


def export(commands):
    command = add_command(
        commands,
        "export",
        "serving:export",
        "write a run's best weights as the next version of a SavedModel",
        """
--run runs/iam --to saved_models/handwriting
--run runs/iam --to saved_models/handwriting --require 'val_nats_per_sequence<-900'
""",
    )
    command.add_argument("--run", dest="folder", required=True, metavar="FOLDER", help="a run")
    command.add_argument("--to", required=True, metavar="FOLDER", help="saved_models/NAME; versions are numbers in it")
    command.add_argument("--card", metavar="FILE", help="Markdown for the model card: the data, their terms, the use")
    command.add_argument("--require", metavar="METRIC<VALUE", help="export only if the run's best epoch meets this")
    add_json(command)


def demo(commands):
    command = add_command(
        commands,
        "demo",
        "demo:demo",
        "learn to write in ten minutes: embedded corpus, pipeline, training, export, writing",
        """
--folder demo
--text "another line" --minutes 3
""",
    )
    command.add_argument("--folder", default="demo", metavar="FOLDER", help="where everything is kept (default: demo)")
    command.add_argument("--text", default="the quick brown fox", metavar="TEXT", help="small letters and spaces")
    command.add_argument("--minutes", type=float, default=6.5, metavar="M", help="of training (default: 6.5)")
