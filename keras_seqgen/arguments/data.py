"""Arguments of the commands for data and pictures."""

import argparse

from keras_seqgen.arguments.form import add_command

SYSTEMS = {
    "handwriting": "pen files, or the embedded corpus, to records of ink with their texts",
    "text": "files of text to streams of bytes, characters or words",
}


def prepare(commands):
    command = add_command(
        commands,
        "prepare",
        "data:prepare",
        "turn raw files into sharded records, statistics and an alphabet (a Beam pipeline)",
        """
handwriting --input iam_ondb --output prepared/iam
handwriting --format hershey --count 10000 --output prepared/embedded
text --input corpus/ --output prepared/corpus
text --tokens word --format lines --train ptb.train.txt --valid ptb.valid.txt --test ptb.test.txt --output prepared/ptb
handwriting --help
""",
    )
    command.add_argument("system", metavar="SYSTEM", help=" or ".join(SYSTEMS) + ": " + "; ".join(SYSTEMS.values()))
    command.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="the pipeline's options, and Beam's")


def show(commands):
    command = add_command(
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
