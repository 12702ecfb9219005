"""The options of the pipeline for lines of print, and what they amount to."""

import argparse
import functools
import itertools
from collections.abc import Callable, Iterator

from keras_seqgen.data.line_images import HEIGHT, LineForm
from keras_seqgen.errors import UserError
from pipelines.files import check_apart, distinct, file_at, files_below
from pipelines.labelled_frames import FramePreparation, source_text
from pipelines.splits import SPLITS, HashSplit, ListSplit, PublishedSplit, read_lists
from pipelines.text_lines_records import LineRules, prepare_line, read_of
from pipelines.text_lines_sources import LineSource, book_name, list_lines, runs_right_to_left, with_text

EXAMPLES = """examples:
  pictures beside their texts, 0001.png and 0001.gt.txt, by a hash of the line's name 80 : 10 : 10
    python -m pipelines text-lines --input lines/ --output prepared/lines --hash-split 80 10 10
  Arabic books, each an archive of pictures with their texts in lines.tsv; one book is kept for the test
    python -m pipelines text-lines --input Kamil.zip Buldan.zip --output prepared/arabic --direction rtl
    python -m pipelines text-lines --input Adab.zip --output prepared/adab --direction rtl --hash-split 0 0 100
  the same without looking for the line in the picture
    python -m pipelines text-lines --input lines/ --output prepared/plain --no-normalise

A folder is searched through. Where folders below it are called train, valid (val, dev) and test, they are the splits.
Beam's own options (--runner, --temp_location, ...) may follow. The runner is FnApiRunner (local) unless one is given.
"""
_DIRECTION_HELP = "of the writing; auto: as most letters of the first texts run (default: auto)"
_HASH_HELP = "split by a hash, in per cent (default: by the folders' names, else 90 5 5); 0 0 100: a folder for tests"
_BY_HELP = "what a hash split keeps together (default: line)"
_LIST_HELP = "lists that name the groups (--split-by) or lines of the split {}, one per line"
_STRIDE_HELP = "networks may shorten a line by this factor: a text that then has no room is a dead letter (default: 4)"
_LOOKED_AT = 100  # texts that tell the direction


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    add("--input", nargs="+", default=[], metavar="PATH", help="folders and .zip archives of lines, one for each book")
    add("--output", metavar="FOLDER", help="where to write; earlier results there are replaced")
    add("--direction", default="auto", choices=("ltr", "rtl", "auto"), help=_DIRECTION_HELP)
    add("--height", type=int, default=HEIGHT, help=f"rows of a frame (default: {HEIGHT})")
    add("--no-normalise", action="store_true", help="rescale the pictures as they are")
    add("--stride", type=int, default=4, help=_STRIDE_HELP)
    for split in SPLITS:
        add(f"--{split}-files", nargs="+", default=[], metavar="LIST", help=_LIST_HELP.format(split))
    add("--hash-split", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help=_HASH_HELP)
    add("--split-by", default="line", choices=("line", "folder", "book"), help=_BY_HELP)
    add("--shards", type=int, default=8, help="files per split, and the most that runs in parallel (default: 8)")
    add("--max-frames", type=int, default=10_000, help="a longer line is a dead letter (default: 10000)")
    add("--max-megabytes", type=int, default=64, help="a larger picture is a dead letter (default: 64)")
    add("--max-megapixels", type=int, default=32, help="a larger picture is a dead letter (default: 32)")


def list_sources(root: str, split_by: str) -> Iterator[str]:
    """The lines of an input, as text."""
    return map(source_text, list_lines(root, split_by))


def plan(options: argparse.Namespace) -> tuple[list[str], Callable[[str], Iterator[str]], FramePreparation]:
    """The inputs, what lists the lines of one of them, and what is to be done with these.

    Raises:
        UserError: where an option is wrong or a path that it names is missing.
    """
    if not options.output:
        raise UserError("--output is missing")
    for name in ("height", "stride", "shards", "max_frames", "max_megabytes", "max_megapixels"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(options, name)}")
    if not options.input:
        raise UserError("--input is missing")
    inputs = distinct([path.rstrip("/\\") or path for path in options.input])
    check_apart(inputs)
    for root in inputs:
        if not (file_at(root) if root.lower().endswith(".zip") else files_below(root, 1)):
            raise UserError(f"no file was found at {root}: give folders or .zip archives of lines")
    books = [book_name(root) for root in inputs]
    for book in books:
        if books.count(book) > 1:
            raise UserError(f"two inputs are called {book}; their lines could not be told apart: rename one")
    right_to_left = options.direction == "rtl" or (options.direction == "auto" and _guess(inputs))
    form = LineForm(options.height, not options.no_normalise, right_to_left)
    split = _split(options, inputs)
    limits = options.max_frames, options.max_megabytes << 20, options.max_megapixels * 10**6
    rules = LineRules(form, options.stride, split, *limits)
    preparation = FramePreparation(
        system="text-lines",
        output=options.output,
        shards=options.shards,
        features={"kind": form.kind, "names": form.names},
        prepare=functools.partial(prepare_line, rules=rules),
        pooled=True,
    )
    return inputs, functools.partial(list_sources, split_by=options.split_by), preparation


def _guess(inputs: list[str]) -> bool:
    """Whether the first texts run from right to left."""
    lines = itertools.chain.from_iterable(list_lines(root, "line") for root in inputs)
    texts = itertools.islice(filter(None, map(_text, lines)), _LOOKED_AT)
    return runs_right_to_left(list(texts))


def _text(line: LineSource) -> str:
    if line.fault:
        return ""
    try:
        return with_text(line, read_of(line)).text
    except Exception:  # UserError, and what broken archives raise; its dead letter will tell
        return ""


def _split(options, inputs) -> HashSplit | ListSplit | PublishedSplit:
    given = {split: getattr(options, f"{split}_files") for split in SPLITS}
    if any(given.values()) and options.hash_split:
        raise UserError("--hash-split and lists of names exclude each other")
    if any(given.values()):
        return read_lists(given, [root for root in inputs if not root.lower().endswith(".zip")])
    return HashSplit(tuple(options.hash_split)) if options.hash_split else PublishedSplit()
