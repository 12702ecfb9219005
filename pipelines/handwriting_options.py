"""The options of the handwriting pipeline, and what they amount to."""

import argparse
import dataclasses
import json

from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data.strokes import Cleaning
from keras_seqgen.errors import UserError
from pipelines.files import check_apart, check_names, distinct, match, read_bytes
from pipelines.ink_schema import Rules
from pipelines.ink_shards import Preparation
from pipelines.ink_sources import LISTS
from pipelines.splits import GRAVES_2013, SPLITS, HashSplit, ListSplit, PublishedSplit, find_list, read_lists

EXAMPLES = """examples:
  IAM-OnDB in its official layout (lineStrokes/, ascii/, splits/), split as in Graves 2013
    python -m pipelines handwriting --format iam-ondb --input iam_ondb --output prepared
  the same, split as recognition papers do
    python -m pipelines handwriting --format iam-ondb --input iam_ondb --output prepared \\
        --train-files trainset.txt --valid-files testset_v.txt testset_t.txt --test-files testset_f.txt
  the embedded corpus: no download, no licence
    python -m pipelines handwriting --format hershey --count 5000 --output prepared
  one's own InkML files, by writer 80 : 10 : 10, on two cores
    python -m pipelines handwriting --format inkml --input mine/ --output prepared --hash-split 80 10 10 \\
        --direct_running_mode multi_processing --direct_num_workers 2
  are new data like those a model was trained on? exit code 1 if not
    python -m pipelines handwriting --format inkml --input new/ --output checked \
        --validate-against prepared/schema.pbtxt
  on Flink
    python -m pipelines handwriting --format quickdraw --input 'gs://bucket/*.ndjson' --output gs://bucket/out \
        --runner FlinkRunner

Beam's own options (--runner, --temp_location, ...) may follow. The runner is FnApiRunner (local) unless one is given.
"""
_TEXT_HELP = "whether a line without a text is a dead letter (default: required, but not for stroke3 and svg)"
_LIST_HELP = "lists that name the forms, writers or records of the split {}, one per line"
_HASH_HELP = "split by a hash of form, writer or drawing, in per cent (default, without an official split: 90 5 5)"
_TEXT_OPTIONAL = ("stroke3", "svg")
_REPAIRS = ("interpolate_gaps", "max_ink_step", "max_step")


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    add("--format", default="iam-ondb", choices=sorted(LISTS), help="what the input is (default: iam-ondb)")
    add("--input", nargs="+", default=[], metavar="PATH", help="folders, files or patterns to read")
    add("--output", metavar="FOLDER", help="where to write; earlier results there are replaced")
    add("--shards", type=int, default=8, help="files per split, and the most that runs in parallel (default: 8)")
    add("--text", choices=("required", "optional"), help=_TEXT_HELP)
    for split in SPLITS:
        add(f"--{split}-files", nargs="+", default=[], metavar="LIST", help=_LIST_HELP.format(split))
    add("--hash-split", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help=_HASH_HELP)
    add("--no-clean", action="store_true", help="repair nothing (default: iam-ondb is cleaned as in Graves 2013)")
    add(
        "--interpolate-gaps",
        type=float,
        metavar="N",
        help="put in missing points in gaps of up to N sample periods; 0: do not",
    )
    add("--max-ink-step", type=float, metavar="D", help="a longer step of ink is an unnoticed lift; 0: do not")
    add("--max-step", type=float, metavar="D", help="remove longer steps, in the input's unit; 0: do not")
    add("--max-points", type=int, default=50_000, help="a longer line is a dead letter (default: 50000)")
    add("--max-megabytes", type=int, default=256, help="a larger file is a dead letter (default: 256)")
    add("--count", type=int, default=1000, help="hershey: how many lines")
    add("--seed", type=int, default=0, help="hershey: which corpus")
    add("--hands", type=int, default=200, help="hershey: how many writers")
    add("--style", default="full", choices=("demo", "full"), help="hershey: few words in print, or everything")
    add(
        "--validate-against",
        metavar="SCHEMA",
        help="report what a schema.pbtxt does not allow, and exit with code 1",
    )


def plan(options: argparse.Namespace) -> tuple[list[str], Preparation]:
    """The inputs, and what is to be done with them.

    Raises:
        UserError: where an option is wrong or a file that it names is missing.
    """
    if not options.output:
        raise UserError("--output is missing")
    for name in ("shards", "max_points", "max_megabytes", "count", "hands"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(options, name)}")
    rules = Rules.from_text(_text(options.validate_against)) if options.validate_against else None
    return _inputs(options), Preparation(
        format=options.format,
        output=options.output,
        shards=options.shards,
        split=_split(options),
        cleaning=_cleaning(options),
        require_text=options.text == "required" or (options.text is None and options.format not in _TEXT_OPTIONAL),
        max_points=options.max_points,
        max_bytes=options.max_megabytes << 20,
        rules=rules,
    )


def _text(path: str) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text: {error}") from error


def _inputs(options) -> list[str]:
    if options.format == "hershey":
        return [json.dumps({name: getattr(options, name) for name in ("count", "seed", "hands", "style")})]
    if not options.input:
        raise UserError("--input is missing")
    for path in options.input:
        matched = match(path, 1)
        place = FileSystems.join(path, "lineStrokes") if options.format == "iam-ondb" else path
        if not FileSystems.exists(place) and not (matched and place == path):
            raise UserError(f"{place} does not exist")
    inputs = distinct(options.input)
    if options.format != "iam-ondb":
        check_apart(inputs)
    for path in inputs:  # now: later an earlier run's files are gone
        for source in LISTS[options.format](path):
            check_names(source.paths)
    return inputs


def _split(options) -> HashSplit | ListSplit | PublishedSplit:
    lists = {split: getattr(options, f"{split}_files") for split in SPLITS}
    if any(lists.values()) and options.hash_split:
        raise UserError("--hash-split and lists of names exclude each other")
    if any(lists.values()):
        return read_lists(lists, options.input)
    if options.hash_split:
        return HashSplit(tuple(options.hash_split))
    if options.format == "iam-ondb":
        try:
            find_list(GRAVES_2013["train"][0], options.input)
        except UserError:
            return HashSplit()
        return read_lists(GRAVES_2013, options.input)
    return PublishedSplit()


def _cleaning(options) -> Cleaning:
    """The numbers in `Cleaning` are in IAM-OnDB's unit: other formats are repaired only as far as options say."""
    cleaning = Cleaning.none() if options.no_clean or options.format != "iam-ondb" else Cleaning()
    given = {name: getattr(options, name) for name in _REPAIRS if getattr(options, name) is not None}
    return dataclasses.replace(cleaning, **{name: value or None for name, value in given.items()})
