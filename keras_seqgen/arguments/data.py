"""Arguments of the commands for data and pictures."""

import argparse

from keras_seqgen.arguments.form import add_command, add_json

SYSTEMS = {
    "handwriting": "pen files, or the embedded corpus, to records of ink with their texts",
    "ink-recognition": "pen files with their texts to features for a recogniser",
    "script-detection": "printed lines in Arabic and Latin, spliced, to frames with a script for each",
    "segmentation": "pictures with a label for each pixel (Pascal VOC, CamVid, folders of image and mask)",
    "speech": "recordings with their texts, or spoken digits, to log-mel frames",
    "text": "files of text to streams of bytes, characters or words",
    "text-lines": "pictures of lines of print with their texts to frames",
    "voices": "spoken digits in the voices of eSpeak NG or Flite, as WAV files for `speech --voices`",
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
    width = max(map(len, SYSTEMS))
    systems = "\n".join(f"  {name:<{width}}  {what}" for name, what in SYSTEMS.items())
    command.epilog = f"systems:\n{systems}\n\n{command.epilog}"
    command.add_argument("system", metavar="SYSTEM", help="one of those below; `prepare SYSTEM --help` has its options")
    command.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="the pipeline's options, and Beam's")


def show(commands):
    command = add_command(
        commands,
        "show",
        "data:show",
        "draw curves of runs, prepared lines, labelled pictures, or what a language model thinks of a text",
        """
curves runs/iam runs/small --column val_nats_per_sequence -o curves.png
lines prepared/iam --split valid --count 8 -o lines.svg
pictures prepared/camvid runs/fcn runs/crf-rnn --split test --count 3 -o pictures.png
guesses --run runs/corpus --text page.txt -o guesses.png
cells --run runs/corpus --text module.py --property python-string line-position -o cells.png
activations --run runs/corpus --text module.py --cell c1.80 -o activations.png
""",
    )
    what = ("curves", "lines", "pictures", "guesses", "activations", "cells")
    command.add_argument("what", choices=what)
    command.add_argument(
        "folders",
        nargs="*",
        metavar="FOLDER",
        help="runs (curves); prepared data (lines, pictures), and runs (pictures)",
    )
    command.add_argument("--column", action="append", metavar="NAME", help="curves: what to draw (default: the losses)")
    command.add_argument("--against", default="step", metavar="NAME", help="curves: the other axis (default: step)")
    command.add_argument(
        "--split", default="valid", choices=("train", "valid", "test"), help="lines, pictures: of which split"
    )
    command.add_argument("--count", type=int, metavar="N", help="how many lines, pictures or tokens")
    text = command.add_argument_group("guesses, activations, cells")
    text.add_argument("--run", dest="run_folder", metavar="FOLDER", help="a language model's run")
    text.add_argument("--text", nargs="+", metavar="FILE", help="what it reads")
    text.add_argument("--data", metavar="FOLDER", help="or: prepared text that it reads, of --split")
    text.add_argument("--start", type=int, default=0, metavar="N", help="the first token that is drawn")
    text.add_argument("--cell", action="extend", nargs="+", metavar="NAME", help="activations: such as c1.0")
    text.add_argument("--property", action="extend", nargs="+", metavar="NAME", help="cells: what a cell may track")
    text.add_argument("--replace", metavar="CHARACTER", help="stands for characters that the model does not know")
    text.add_argument("--seed", type=int, default=0, metavar="N", help="cells: of the untrained network")
    command.add_argument("-o", "--output", required=True, metavar="FILE")
    add_json(command)
