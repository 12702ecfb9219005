"""The command `keras-seqgen`: reads the arguments and calls. What is heavy is imported by the command that needs it."""

import argparse
import importlib
import os
import sys

from keras_seqgen import __version__
from keras_seqgen.errors import UserError

SYSTEMS = {
    "handwriting": "pen files, or the embedded corpus, to records of ink with their texts",
    "text": "files of text to streams of bytes, characters or words",
}


class _Parser(argparse.ArgumentParser):
    """A mistake is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, or 2 after a mistake of the user's, which takes one line to tell."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    module, function = arguments.run.split(":")
    try:
        return getattr(importlib.import_module(f"keras_seqgen.commands.{module}"), function)(arguments) or 0
    except UserError as error:
        print(f"keras-seqgen {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"keras-seqgen {arguments.command}: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("keras-seqgen", description="Handwriting and other sequences, from raw files to a served model.")
    parser.add_argument("--version", action="version", version=f"keras-seqgen {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for add in (_prepare, _train, _evaluate, _export, _write, _show, _demo):
        add(commands)
    return parser


def _command(commands, name: str, run: str, summary: str, examples: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  keras-seqgen {name} {line}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def _json(command) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _prepare(commands):
    command = _command(
        commands,
        "prepare",
        "data:prepare",
        "turn raw files into sharded records, statistics and an alphabet (a Beam pipeline)",
        """
handwriting --input iam_ondb --output prepared/iam
handwriting --format hershey --count 10000 --output prepared/embedded
handwriting --help
""",
    )
    command.add_argument("system", metavar="SYSTEM", help=" or ".join(SYSTEMS) + ": " + "; ".join(SYSTEMS.values()))
    command.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="the pipeline's options, and Beam's")


def _train(commands):
    command = _command(
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
    _json(command)


def _evaluate(commands):
    command = _command(
        commands,
        "evaluate",
        "training:evaluate",
        "measure a run or an exported model on a split",
        """
--run runs/iam --data prepared/iam --split valid
--model saved_models/handwriting --data prepared/iam --split valid --json
--run runs/char --data prepared/ptb-char --split test --dynamic
""",
    )
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", dest="folder", metavar="FOLDER", help="a run: its best weights")
    which.add_argument("--model", metavar="FOLDER", help="an exported model: its newest version")
    command.add_argument("--data", required=True, metavar="FOLDER", help="what `prepare` wrote")
    command.add_argument("--split", default="valid", choices=("train", "valid", "test"))
    command.add_argument("--dynamic", action="store_true", help="language models: learn from what was predicted")
    command.add_argument("--rate", type=float, metavar="R", help="--dynamic: learning rate (default: by validation)")
    command.add_argument("--rows", type=int, default=1, metavar="N", help="--dynamic: rows to cut the split into")
    _json(command)


def _export(commands):
    command = _command(
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
    _json(command)


def _write(commands):
    command = _command(
        commands,
        "write",
        "handwriting:write",
        "write a text by hand with an exported model",
        """
"a line of ink" -o line.svg
"a line of ink" "and the next" --bias 0.5 --seed 7 -o page.pdf
"in my own hand" --prime sample.inkml --prime-text "what the sample says" -o line.png
""",
    )
    command.add_argument("text", nargs="+", metavar="TEXT", help="a line; several lines make a page")
    command.add_argument("--model", metavar="FOLDER", help="an exported model (default: what saved_models/ holds)")
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="ends in .svg, .png, .pdf or .json")
    command.add_argument("--bias", type=float, default=1.0, metavar="B", help="0: as varied as the data; more: neater")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="another number, another sample")
    command.add_argument("--prime", metavar="INK", help="a file of ink whose hand is to be taken up")
    command.add_argument("--prime-text", metavar="TEXT", help="what the ink says (default: as the file tells)")
    command.add_argument("--replace", metavar="CHARACTER", help="stands for characters that the model does not know")
    _json(command)


def _show(commands):
    command = _command(
        commands,
        "show",
        "data:show",
        "draw the curves of runs, or lines of prepared data",
        """
curves runs/iam runs/small --column val_nats_per_sequence -o curves.png
lines prepared/iam --split valid --count 8 -o lines.svg
""",
    )
    command.add_argument("what", choices=("curves", "lines"))
    command.add_argument("folders", nargs="+", metavar="FOLDER", help="runs (curves), or prepared data (lines)")
    command.add_argument("--column", action="append", metavar="NAME", help="curves: what to draw (default: the losses)")
    command.add_argument("--against", default="step", metavar="NAME", help="curves: the other axis (default: step)")
    command.add_argument("--split", default="valid", choices=("train", "valid", "test"), help="lines: of which split")
    command.add_argument("--count", type=int, default=8, metavar="N", help="lines: how many")
    command.add_argument("-o", "--output", required=True, metavar="FILE")


def _demo(commands):
    command = _command(
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


if __name__ == "__main__":
    sys.exit(main())
