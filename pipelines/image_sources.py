"""Where labelled pictures come from: listing the pairs of picture and label image of a corpus, layout by layout."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from apache_beam.io.filesystems import FileSystems

from keras_seqgen.errors import UserError
from pipelines.files import files_below
from pipelines.splits import assign, read_names

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
LABELS = (".png", ".bmp", ".tif", ".tiff")
NO_SPLIT = "none"  # the publisher's lists leave the picture out
_VOC_LISTS = {"train": "train.txt", "valid": "val.txt", "test": "test.txt"}
_CAMVID = {"train": "train", "val": "valid", "test": "test"}


@dataclass(frozen=True)
class Pair:
    """A picture and its label image: one record, and the unit of work.

    name: unique within the corpus. image, label: paths, "" where there is none. split: "train", "valid" or "test" where
    the publisher has put the record into one, "" where nothing tells, NO_SPLIT where it is left out on purpose.
    """

    name: str
    image: str
    label: str
    split: str = ""

    @property
    def group(self) -> str:
        """What a hash split hashes."""
        return self.name

    def to_text(self) -> str:
        """A line of JSON: what Beam sends from worker to worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Pair":
        """The inverse of `to_text`."""
        return cls(**json.loads(text))


def list_voc(root: str) -> Iterator[Pair]:
    """Pascal VOC: JPEGImages/, SegmentationClass/ and, if it is there, ImageSets/Segmentation/.

    The records are those that have labels or stand in a list; most of VOC's pictures have and do neither.

    Raises:
        UserError: a list cannot be read, two lists name the same picture, or two files differ in their ending alone.
    """
    images = _by_stem(FileSystems.join(root, "JPEGImages"), PICTURES)
    labels = _by_stem(FileSystems.join(root, "SegmentationClass"), LABELS)
    splits: dict[str, str] = {}
    for split, name in _VOC_LISTS.items():
        path = FileSystems.join(root, "ImageSets", "Segmentation", name)
        # The published test list is of pictures whose labels are kept secret.
        if FileSystems.exists(path):
            names = read_names(path)
            assign(splits, (entry for entry in names if split != "test" or entry in labels), split)
    for name in sorted(labels.keys() | splits.keys()):
        split = splits.get(name, NO_SPLIT if splits else "")
        yield Pair(name, images.get(name, ""), labels.get(name, ""), split)


def list_camvid(root: str) -> Iterator[Pair]:
    """CamVid as SegNet's authors published it: train/, trainannot/, val/, valannot/, test/, testannot/."""
    for folder, split in _CAMVID.items():
        images = _by_stem(FileSystems.join(root, folder), PICTURES)
        labels = _by_stem(FileSystems.join(root, f"{folder}annot"), LABELS)
        for name in sorted(images.keys() | labels.keys()):
            yield Pair(f"{folder}/{name}", images.get(name, ""), labels.get(name, ""), split)


def list_pairs(root: str, image_folder: str, label_folder: str, label_suffix: str) -> Iterator[Pair]:
    """Two folders of equally named files, or one: then label images are the PNGs."""
    together = image_folder == label_folder
    images = _by_stem(_below(root, image_folder), tuple(e for e in PICTURES if not (together and e in LABELS)))
    labels = {
        name.removesuffix(label_suffix): path
        for name, path in _by_stem(_below(root, label_folder), LABELS).items()
        if name.endswith(label_suffix)
    }
    if together and label_suffix:  # then pictures may be PNGs, too
        rest = _by_stem(_below(root, image_folder), LABELS).items()
        for name, path in rest:
            if not name.endswith(label_suffix):
                _add(images, name, path)
    for name in sorted(images.keys() | labels.keys()):
        yield Pair(name, images.get(name, ""), labels.get(name, ""))


def places(kind: str, root: str, image_folder: str, label_folder: str) -> list[str]:
    """The folders without which an input is not of its kind."""
    below = {"voc": ["JPEGImages", "SegmentationClass"], "camvid": ["train", "trainannot"]}
    return [_below(root, folder) for folder in below.get(kind, [image_folder, label_folder])]


def lists(image_folder: str, label_folder: str, label_suffix: str) -> dict[str, Callable[[str], Iterator[Pair]]]:
    """Kind of corpus -> what lists the pairs below its root."""
    pairs = partial(list_pairs, image_folder=image_folder, label_folder=label_folder, label_suffix=label_suffix)
    return {"voc": list_voc, "camvid": list_camvid, "pairs": pairs}


def _below(root: str, folder: str) -> str:
    return root if folder in ("", ".") else FileSystems.join(root, folder)


def _by_stem(folder: str, endings: tuple[str, ...]) -> dict[str, str]:
    """Path below the folder without its ending -> path, of the files that have one of the endings.

    Raises:
        UserError: two files differ in their ending alone.
    """
    found: dict[str, str] = {}
    base = folder.rstrip("/\\")
    for file in files_below(folder):
        stem, dot, ending = file.path.rpartition(".")
        if dot and dot + ending.lower() in endings:
            name = stem[len(base) :].lstrip("/\\").replace("\\", "/")
            _add(found, name, file.path)
    return found


def _add(found: dict[str, str], name: str, path: str) -> None:
    if name in found:
        raise UserError(f"{found[name]} and {path} have the same name: rename or remove one")
    found[name] = path
