"""The options of the text pipeline, and what they amount to."""

import argparse

from keras_seqgen.data.vocabulary import END, KINDS, Vocabulary
from keras_seqgen.errors import UserError
from pipelines.files import place, read_bytes
from pipelines.splits import SPLITS
from pipelines.text_blocks import FORMATS, Form
from pipelines.text_shards import TextPreparation
from pipelines.text_sources import Document, list_documents, list_standard_library
from pipelines.text_splits import TextSplit

EXAMPLES = """examples:
  the source files of the running Python's standard library, by characters
    python -m pipelines text
  any text, by characters, the first 90 per cent for training
    python -m pipelines text --input shakespeare.txt --output prepared/shakespeare --split order 90 5 5
  Penn Treebank by words, as published: 10,000 words with <unk>, N and <eos>; each line ends with <eos>
    python -m pipelines text --tokens word --format lines --output prepared/ptb-word \\
        --train ptb.train.txt.xz --valid ptb.valid.txt --test ptb.test.txt
  the same by characters, from the same files: 50 symbols with the end of a line (--no-eos: 49, as in Graves 2013)
    python -m pipelines text --format lines --output prepared/ptb-char \\
        --train ptb.train.txt.xz --valid ptb.valid.txt --test ptb.test.txt
  or from the files of characters
    python -m pipelines text --format ptb-characters --output prepared/ptb-char \\
        --train ptb.char.train.txt --valid ptb.char.valid.txt --test ptb.char.test.txt
  Wikipedia by bytes, 96 MB for training and 4 MB for validation
    python -m pipelines text --bytes --input enwik8 --output prepared/enwik8 --split order 96 4 0
  a folder, by words that occur three times or more, whole files to each split by a hash of their names
    python -m pipelines text --tokens word --min-count 3 --input books/ --output prepared/books --split hash 90 5 5
  new text for a model that exists
    python -m pipelines text --input new.txt --vocabulary saved_models/char_lm/vocabulary.json --output prepared/new

Beam's own options (--runner, --direct_num_workers, ...) may follow. The runner is FnApiRunner (local) unless one is
given. Files ending in .gz, .xz, .bz2 and .zip (of one file) are unpacked on the way. Hidden files in folders are left
out. An order split cuts where a line ends, but bytes anywhere.
"""
LIBRARY = "prepared/python"  # where the standard library goes, which is read where nothing is named
_SPLIT_HELP = "order or hash, and three percentages (default: order 90 5 5; the standard library: hash 90 5 5)"
_FORMAT_HELP = "; ".join(f"{name}: {what}" for name, what in FORMATS.items())


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    add("--input", nargs="+", default=[], metavar="PATH", help="folders, files or patterns to read")
    for split in SPLITS:
        add(f"--{split}", nargs="+", default=[], metavar="PATH", help=f"in place of --input: what is {split}")
    add("--output", metavar="FOLDER", help=f"where to write; earlier results are replaced (no input: {LIBRARY})")
    add("--tokens", choices=KINDS, help="what a token is (default: character)")
    add("--bytes", action="store_true", help="the same as --tokens byte: nothing is decoded and nothing left out")
    add("--format", default="text", choices=list(FORMATS), help=_FORMAT_HELP + " (default: text)")
    add("--normalize", default="none", choices=("NFC", "NFKC", "none"), help="Unicode form (default: none)")
    add("--no-eos", action="store_true", help="the end of a line is no token (among characters: it is a space)")
    add("--min-count", type=int, default=1, help="a token rarer than this in train becomes <unk> (default: 1)")
    add(
        "--vocabulary",
        metavar="FILE",
        help="a model's vocabulary.json to use; it sets --tokens, --normalize and --no-eos",
    )
    add("--split", nargs="+", default=[], metavar="WORD", help=_SPLIT_HELP)
    add("--shards", type=int, default=8, help="files per split at most, and the most in parallel (default: 8)")


def plan(options: argparse.Namespace) -> tuple[list[Document], TextPreparation]:
    """The documents, and what is to be done with them.

    Raises:
        UserError: where an option is wrong or a file that it names is missing.
    """
    if not options.output:
        if options.input or any(getattr(options, split) for split in SPLITS):
            raise UserError("--output FOLDER is missing: where to write")
        options.output = LIBRARY
    for name in ("shards", "min_count"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(options, name)}")
    vocabulary = _vocabulary(options.vocabulary) if options.vocabulary else None
    form = _form(options, vocabulary)
    documents, split = _documents(options)
    return documents, TextPreparation(
        options.output, options.shards, form, split, min_count=options.min_count, vocabulary=vocabulary
    )


def _form(options, vocabulary: Vocabulary | None) -> Form:
    if options.bytes and options.tokens not in (None, "byte"):
        raise UserError(f"--bytes and --tokens {options.tokens} exclude each other")
    kind = "byte" if options.bytes else options.tokens
    if vocabulary and kind not in (None, vocabulary.kind):
        raise UserError(
            f"{options.vocabulary} is of {vocabulary.kind}s: --tokens must be {vocabulary.kind} or left out"
        )
    kind = vocabulary.kind if vocabulary else kind or "character"
    normalization = vocabulary.normalization if vocabulary else {"none": None}.get(options.normalize, options.normalize)
    if kind == "byte" and (options.format != "text" or options.normalize != "none" or options.no_eos):
        raise UserError("bytes are taken as they are: --format, --normalize and --no-eos are for characters and words")
    if kind == "byte" and options.min_count > 1:
        raise UserError("--min-count is for characters and words: the vocabulary of bytes has every byte that occurs")
    if vocabulary and options.min_count > 1:
        raise UserError(f"--min-count makes a vocabulary; that of {options.vocabulary} is made")
    if vocabulary and options.normalize not in ("none", normalization):
        raise UserError(f"{options.vocabulary} is of the form {normalization or 'none'}: leave --normalize out")
    end = END if kind == "word" else "\n"
    ends = not options.no_eos and (vocabulary is None or kind == "byte" or end in vocabulary.ids)
    return Form(kind, options.format, normalization, ends=ends)


def _vocabulary(path: str) -> Vocabulary:
    try:
        return Vocabulary.from_json(read_bytes(path).decode("utf-8"))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a vocabulary: {error}") from error


def _documents(options) -> tuple[list[Document], TextSplit]:
    named = {split: getattr(options, split) for split in SPLITS}
    if any(named.values()):
        if options.input or options.split:
            raise UserError("--train, --valid and --test name the splits: leave --input and --split out")
        documents: list[Document] = []
        for split, paths in named.items():
            documents += list_documents(paths, split, len(documents), options.output)
        splits: dict[str, str] = {}
        for document in documents:
            if splits.setdefault(place(document.path), document.split) != document.split:
                raise UserError(f"{document.path} is named for two splits: a file belongs to one")
        return documents, TextSplit("name")
    rule = _split(options.split) if options.split else TextSplit("order" if options.input else "hash")
    own = list_documents(options.input, output=options.output) if options.input else list_standard_library()
    return own, rule


def _split(words: list[str]) -> TextSplit:
    by, *percent = words
    if by not in ("order", "hash"):
        raise UserError(f"--split takes `order` or `hash` and three percentages. Received: {' '.join(words)}")
    if not percent:
        return TextSplit(by)
    try:
        train, valid, test = map(int, percent)
        return TextSplit(by, (train, valid, test))
    except ValueError as error:
        raise UserError(
            f"--split takes three whole percentages that add up to 100. Received: {' '.join(words)}"
        ) from error
