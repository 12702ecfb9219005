"""The command `keras-seqgen`: reads the arguments and calls. What is heavy is imported by the command that needs it."""

import argparse
import importlib
import os
import sys

from keras_seqgen import __version__
from keras_seqgen.arguments import (
    data,
    handwriting,
    recognition,
    script_detection,
    segmentation,
    serving,
    text,
    training,
)
from keras_seqgen.arguments.form import Parser
from keras_seqgen.errors import UserError

COMMANDS = (
    data.prepare,
    training.train,
    training.evaluate,
    training.export,
    handwriting.write,
    text.sample,
    text.score,
    text.ngram,
    segmentation.segment,
    recognition.recognise,
    recognition.tune,
    script_detection.detect,
    serving.serve,
    data.show,
    training.demo,
)


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
    except BrokenPipeError:  # `... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"keras-seqgen {arguments.command}: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser("keras-seqgen", description="Handwriting and other sequences, from raw files to a served model.")
    parser.add_argument("--version", action="version", version=f"keras-seqgen {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for add in COMMANDS:
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
