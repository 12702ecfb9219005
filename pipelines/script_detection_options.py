"""The options of the pipeline for script detection, and what they amount to."""

import argparse
import functools
from collections.abc import Callable, Iterator

from keras_seqgen.data.line_images import LineForm
from keras_seqgen.data.script_classes import CLASSES, LETTERS
from keras_seqgen.errors import UserError
from pipelines.files import check_apart, file_at, files_below, place
from pipelines.labelled_frames import FramePreparation, source_text
from pipelines.script_records import SpliceRules, splice_line
from pipelines.script_sources import SplicedSource, faulty_lines, latin_words, printed_lines
from pipelines.splits import SPLITS

HEIGHT = 32
FEWEST_WORDS = 50
EXAMPLES = """examples:
  four books to learn from, one to choose by, one to measure on; Latin lines of UW3 beside rendered ones
    python -m pipelines script-detection --train-arabic Kamil.zip Buldan.zip Dhahabi.zip Muntazam.zip \\
      --valid-arabic Hayawan.zip --test-arabic Adab.zip --train-latin uw3/train --test-latin uw3/test \\
      --output prepared/script
  fewer lines, Latin words from a book of one's own
    python -m pipelines script-detection --train-arabic a/ --valid-arabic b/ --test-arabic c/ --lines 500 50 50 \\
      --latin-text book.txt --output prepared/small

Books are folders or .zip archives of lines, as `text-lines` reads them; a book belongs to one split alone.
Beam's own options (--runner, --temp_location, ...) may follow. The runner is FnApiRunner (local) unless one is given.
"""
_LINES_HELP = "lines to splice for train, valid and test (default: 12000 500 800)"
_TEXT_HELP = "a text in UTF-8 whose words rendered Latin shows (default: the language reference that Python brings)"
_RENDERED_HELP = "share of the Arabic pieces that is rendered from the books' transcriptions (default: 0.3)"
_PRINTED_HELP = "share of the Latin pieces that is printed, where there are printed lines (default: 0.3)"


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    for split in SPLITS:
        for script in ("Arabic", "Latin"):
            help_text = f"{script} books, or other folders and archives of lines, for {split}"
            add(f"--{split}-{script.lower()}", nargs="+", default=[], metavar="PATH", help=help_text)
    add("--output", metavar="FOLDER", help="where to write; earlier results there are replaced")
    add("--lines", nargs=3, type=int, default=[12000, 500, 800], metavar=("TRAIN", "VALID", "TEST"), help=_LINES_HELP)
    add("--latin-text", default="", metavar="FILE", help=_TEXT_HELP)
    add("--rendered-arabic", type=float, default=0.3, metavar="SHARE", help=_RENDERED_HELP)
    add("--printed-latin", type=float, default=0.3, metavar="SHARE", help=_PRINTED_HELP)
    add("--height", type=int, default=HEIGHT, help=f"rows of a frame (default: {HEIGHT})")
    add("--seed", type=int, default=1, metavar="N", help="another number makes other lines (default: 1)")
    add("--shards", type=int, default=8, help="files per split, and the most that runs in parallel (default: 8)")
    add("--max-megabytes", type=int, default=64, help="a larger picture is of no use (default: 64)")
    add("--max-megapixels", type=int, default=32, help="a larger picture is of no use (default: 32)")


def list_sources(split: str, count: int, roots: tuple[str, ...]) -> Iterator[str]:
    """The lines that are to be spliced for a split, and the printed ones that cannot be used, as text."""
    yield from map(source_text, faulty_lines(roots))
    for number in range(count):
        yield source_text(SplicedSource(f"{split}/{number:06d}", split=split))


def _listing(split: str, counts: dict[str, int], roots: dict[str, tuple[str, ...]]) -> Iterator[str]:
    return list_sources(split, counts[split], roots[split])


def plan(options: argparse.Namespace) -> tuple[list[str], Callable[[str], Iterator[str]], FramePreparation]:
    """The splits, what lists the lines of one of them, and what is to be done with these.

    Raises:
        UserError: where an option is wrong or a path that it names is missing.
    """
    if not options.output:
        raise UserError("--output is missing")
    for name in ("height", "shards", "max_megabytes", "max_megapixels"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(options, name)}")
    for name in ("rendered_arabic", "printed_latin"):
        if not 0 <= getattr(options, name) <= 1:
            raise UserError(f"--{name.replace('_', '-')} must lie in 0..1. Received: {getattr(options, name)}")
    if min(options.lines) < 0 or not sum(options.lines) or options.seed < 0:
        raise UserError(f"--lines and --seed must not be negative. Received: {options.lines}, {options.seed}")
    counts = dict(zip(SPLITS, options.lines, strict=True))
    arabic = {split: _roots(options, split, "arabic") for split in SPLITS}
    latin = {split: _roots(options, split, "latin") for split in SPLITS}
    for books in (arabic, latin):
        every = [root for split in SPLITS for root in books[split]]
        for root in every:
            if [place(other) for other in every].count(place(root)) > 1:
                raise UserError(f"{root} is named for two splits, or twice: a book belongs to one")
        check_apart(every)
    words = latin_words(options.latin_text)
    for split in SPLITS:
        if not counts[split]:
            continue
        if not printed_lines(arabic[split]):
            raise UserError(f"--{split}-arabic must name books, of which at least one line has a picture")
        if len(words[split]) < FEWEST_WORDS:
            raise UserError(f"{options.latin_text} has {len(words[split])} words for {split}: a longer text is needed")
    form = LineForm(options.height)
    limits = options.max_megabytes << 20, options.max_megapixels * 10**6
    shares = options.rendered_arabic, options.printed_latin
    rules = SpliceRules(form, options.seed, arabic, latin, options.latin_text, *shares, *limits)
    preparation = FramePreparation(
        system="script-detection",
        output=options.output,
        shards=options.shards,
        features={"kind": form.kind, "names": form.names, "classes": dict(zip(LETTERS, CLASSES, strict=True))},
        prepare=functools.partial(splice_line, rules=rules),
        pooled=True,
    )
    roots = {split: (*arabic[split], *latin[split]) for split in SPLITS}
    splits = [split for split in SPLITS if counts[split]]
    return splits, functools.partial(_listing, counts=counts, roots=roots), preparation


def _roots(options, split: str, script: str) -> tuple[str, ...]:
    """The books of a split.

    Raises:
        UserError: a path that is not there.
    """
    roots = tuple(path.rstrip("/\\") or path for path in getattr(options, f"{split}_{script}"))
    for root in roots:
        if not (file_at(root) if root.lower().endswith(".zip") else files_below(root, 1)):
            raise UserError(f"no file was found at {root}: give folders or .zip archives of lines")
    return roots
