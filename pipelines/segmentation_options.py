"""The options of the segmentation pipeline, and what they amount to."""

import argparse
from collections.abc import Callable, Iterator

from keras_seqgen.data.label_set import CAMVID, VOC, LabelSet
from keras_seqgen.errors import UserError
from pipelines.files import distinct, files_below
from pipelines.image_pairs import Rules
from pipelines.image_shards import ImagePreparation
from pipelines.image_sources import Pair, lists, places
from pipelines.splits import SPLITS, HashSplit, PublishedSplit, read_lists, read_names

EXAMPLES = """examples:
  Pascal VOC 2012: JPEGImages/, SegmentationClass/, ImageSets/Segmentation/
    python -m pipelines segmentation --format voc --input VOCdevkit/VOC2012 --output prepared/voc
  CamVid: train/, trainannot/, val/, valannot/, test/, testannot/
    python -m pipelines segmentation --format camvid --input CamVid --output prepared/camvid
  one's own images/ and masks/ of equal names, by a hash of the name 80 : 10 : 10
    python -m pipelines segmentation --format pairs --input mine --output prepared/mine \\
        --labels background cat dog --hash-split 80 10 10
  photo.jpg beside photo_mask.png, labels 0 to 4 and 255 for "no label", on two cores
    python -m pipelines segmentation --format pairs --input mine --output prepared/mine --labels 5 \\
        --image-folder . --label-folder . --label-suffix _mask \\
        --direct_running_mode multi_processing --direct_num_workers 2

Label images hold a whole number in each pixel (grey, or a palette's index); pictures may have any size. A photo with an
Exif orientation is turned by it; its label image must be of the picture as it is shown. Beam's own options (--runner,
--temp_location, ...) may follow. The runner is FnApiRunner (local) unless one is given.
"""
_KNOWN = {"voc": VOC, "camvid": CAMVID}
_LABELS_HELP = (
    "how many labels there are, or their names, or a file with a name on each line "
    "(default for voc: 21, for camvid: 11; names known)"
)
_IGNORE_HELP = "the value of pixels without a label; -1: there is none (default: 255, for camvid 11)"
_LIST_HELP = "lists that name the pictures of the split {}, one per line"
_HASH_HELP = "split by a hash of the name, in per cent (default, without an official split: 90 5 5)"


def add_arguments(parser) -> None:
    """Adds the options to a parser."""
    add = parser.add_argument
    add("--format", default="pairs", choices=("camvid", "pairs", "voc"), help="what the input is (default: pairs)")
    add("--input", nargs="+", default=[], metavar="FOLDER", help="folders to read")
    add("--output", metavar="FOLDER", help="where to write; earlier results there are replaced")
    add("--labels", nargs="+", default=[], metavar="LABEL", help=_LABELS_HELP)
    add("--ignore-label", type=int, metavar="N", help=_IGNORE_HELP)
    add("--image-folder", default="images", metavar="NAME", help="pairs: where the pictures are (default: images)")
    add("--label-folder", default="masks", metavar="NAME", help="pairs: where the labels are (default: masks)")
    add("--label-suffix", default="", metavar="TEXT", help="pairs: what a label image's name has more")
    for split in SPLITS:
        add(f"--{split}-files", nargs="+", default=[], metavar="LIST", help=_LIST_HELP.format(split))
    add("--hash-split", nargs=3, type=int, metavar=("TRAIN", "VALID", "TEST"), help=_HASH_HELP)
    add("--shards", type=int, default=4, help="files per split, and the most that runs in parallel (default: 4)")
    add("--max-megapixels", type=int, default=64, help="a larger picture is a dead letter (default: 64)")
    add("--max-megabytes", type=int, default=256, help="a larger file is a dead letter (default: 256)")


def plan(options: argparse.Namespace) -> tuple[list[str], Callable[[str], Iterator[Pair]], ImagePreparation]:
    """The inputs, what lists the pairs of one of them, and what is to be done with these.

    Raises:
        UserError: where an option is wrong or a folder that it names is missing.
    """
    if not options.output:
        raise UserError("--output is missing")
    for name in ("shards", "max_megapixels", "max_megabytes"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(options, name)}")
    if not options.input:
        raise UserError("--input is missing")
    for root in options.input:
        for place in places(options.format, root, options.image_folder, options.label_folder):
            if not files_below(place, 1):
                raise UserError(f"{place} holds no file: `--format {options.format}` needs it")
    rules = Rules(_labels(options), _split(options), options.max_megabytes << 20, options.max_megapixels * 10**6)
    listing = lists(options.image_folder, options.label_folder, options.label_suffix)[options.format]
    return distinct(options.input), listing, ImagePreparation(options.output, options.shards, rules)


def _labels(options) -> LabelSet:
    known = _KNOWN.get(options.format)
    if not options.labels:
        if known is None:
            raise UserError("--labels is missing: how many labels there are, or their names")
        base = known
    elif len(options.labels) > 1:
        base = LabelSet(len(options.labels), names=tuple(options.labels))
    elif options.labels[0].isdecimal():
        base = LabelSet(int(options.labels[0]))
    else:
        names = tuple(read_names(options.labels[0]))
        base = LabelSet(len(names), names=names)
    if options.ignore_label is None:
        ignore = known.ignore if known else 255
    else:
        ignore = None if options.ignore_label == -1 else options.ignore_label
    return LabelSet(base.count, ignore, base.names, base.colours)


def _split(options):
    given = {split: getattr(options, f"{split}_files") for split in SPLITS}
    if any(given.values()) and options.hash_split:
        raise UserError("--hash-split and lists of names exclude each other")
    if any(given.values()):
        return read_lists(given, options.input)
    return HashSplit(tuple(options.hash_split)) if options.hash_split else PublishedSplit()
