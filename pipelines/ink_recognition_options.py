"""The options of the pipeline for ink recognition, and what they amount to."""

import argparse

from keras_seqgen.data.ink_features import FEATURES
from keras_seqgen.errors import UserError
from pipelines import handwriting_options
from pipelines.ink_recognition_shards import RecognitionPreparation
from pipelines.ink_sources import LISTS
from pipelines.splits import SPLITS, find_list

OFFICIAL = {"train": ["trainset.txt"], "valid": ["testset_v.txt", "testset_t.txt"], "test": ["testset_f.txt"]}

EXAMPLES = """examples:
  IAM-OnDB in its official layout (lineStrokes/, ascii/, splits/): trained on trainset, tuned on testset_v and
  testset_t, reported on testset_f
    python -m pipelines ink-recognition --input iam_ondb --output prepared/ink
  the pen's own data instead of normalised lines
    python -m pipelines ink-recognition --input iam_ondb --output prepared/ink-raw --features raw
  the embedded corpus: no download, no licence
    python -m pipelines ink-recognition --format hershey --count 5000 --output prepared/ink-embedded
  one's own InkML files, by writer 80 : 10 : 10, on two cores
    python -m pipelines ink-recognition --format inkml --input mine/ --output prepared/mine --hash-split 80 10 10 \\
        --direct_running_mode multi_processing --direct_num_workers 2

Beam's own options (--runner, --temp_location, ...) may follow. The runner is FnApiRunner (local) unless one is given.
"""
_LIST_HELP = "lists that name the forms, writers or records of the split {}, one per line"
_HASH_HELP = "split by a hash of form, writer or drawing, in per cent (default, without an official split: 90 5 5)"
_STRIDE_HELP = "networks may shorten a line by this factor: a text that then has no room is a dead letter (default: 4)"


def add_arguments(parser) -> None:
    """Adds the options to a parser; those of the ink are `prepare handwriting`'s."""
    add = parser.add_argument
    add("--format", default="iam-ondb", choices=sorted(LISTS), help="what the input is (default: iam-ondb)")
    add("--input", nargs="+", default=[], metavar="PATH", help="folders, files or patterns to read")
    add("--output", metavar="FOLDER", help="where to write; earlier results there are replaced")
    add("--features", default="preprocessed", choices=sorted(FEATURES), help="(default: preprocessed)")
    add("--stride", type=int, default=4, help=_STRIDE_HELP)
    add("--shards", type=int, default=8, help="files per split, and the most that runs in parallel (default: 8)")
    for split in SPLITS:
        add(f"--{split}-files", nargs="+", default=[], metavar="LIST", help=_LIST_HELP.format(split))
    add("--hash-split", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help=_HASH_HELP)
    add("--no-clean", action="store_true", help="repair no recording errors (default: iam-ondb is cleaned)")
    add("--max-points", type=int, default=5_000, help="a longer line is a dead letter (default: 5000)")
    add("--max-megabytes", type=int, default=256, help="a larger file is a dead letter (default: 256)")
    add("--count", type=int, default=1000, help="hershey: how many lines")
    add("--seed", type=int, default=0, help="hershey: which corpus")
    add("--hands", type=int, default=200, help="hershey: how many writers")
    add("--style", default="full", choices=("demo", "full"), help="hershey: few words in print, or everything")
    parser.set_defaults(text="required", validate_against=None, interpolate_gaps=None, max_ink_step=None, max_step=None)


def plan(options: argparse.Namespace) -> tuple[list[str], RecognitionPreparation]:
    """The inputs, and what is to be done with them.

    Raises:
        UserError: where an option is wrong or a file that it names is missing.
    """
    if options.stride < 1:
        raise UserError(f"--stride must be positive. Received: {options.stride}")
    if options.format == "iam-ondb" and not options.hash_split and not _lists(options):
        # IAM-OnDB's own split for recognition; handwriting synthesis has another.
        try:
            find_list(OFFICIAL["train"][0], options.input)
        except UserError:
            pass
        else:
            for split, names in OFFICIAL.items():
                setattr(options, f"{split}_files", names)
    inputs, ink = handwriting_options.plan(options)
    return inputs, RecognitionPreparation(ink, options.features, options.stride)


def _lists(options) -> bool:
    return any(getattr(options, f"{split}_files") for split in SPLITS)
