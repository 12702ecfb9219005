"""A pair of files -> a record, or the reason why it is of no use."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from keras_seqgen.data.exif_orientation import upright
from keras_seqgen.data.ink_records import BadRecord
from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.data.labelled_image import LabelledImage
from keras_seqgen.errors import UserError
from pipelines.files import read_bytes
from pipelines.image_sources import NO_SPLIT, Pair

_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM")  # what Pillow may try on a stranger's file
_KEPT = {"JPEG": ("L", "RGB"), "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")}  # TensorFlow reads these itself
_PNG = b"\x89PNG"  # how such a file begins
_SHOWN = 8  # unknown values that a dead letter lists


@dataclass(frozen=True)
class Rules:
    """What a pair must be like.

    labels: the values that may occur. split: pair -> split, or None. max_bytes, max_pixels: larger files and pictures
    are refused.
    """

    labels: LabelSet
    split: Callable[[Any], str | None]
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True)
class PreparedPair:
    """A record with its split, and the arrays behind it for the statistics: uint8 (h, w, 3) and (h, w)."""

    split: str
    record: LabelledImage
    pixels: np.ndarray
    label: np.ndarray


class _FaultError(Exception):
    """Why a pair is of no use: (kind, detail)."""


def prepare_pair(pair: Pair, rules: Rules) -> PreparedPair | BadRecord:
    """Reads and checks both files of a pair, as their Exif data say that they are to be shown.

    Pictures keep their own bytes; those that are turned, or that TensorFlow would not read, become PNGs; labels become
    8-bit grey PNGs.
    """
    try:
        return _prepare(pair, rules)
    except _FaultError as fault:
        return BadRecord(pair.name, *fault.args)


def _prepare(pair: Pair, rules: Rules) -> PreparedPair:
    if not pair.image or not pair.label:
        known = pair.image or pair.label
        detail = f"{known} has no counterpart" if known else "a list names it, but there is no such file"
        raise _FaultError("no label" if pair.image else "no image", detail)
    split = rules.split(pair)
    if split is None or split == NO_SPLIT:
        raise _FaultError("in no split", f"no list names {pair.name}")
    picture, encoded = _open(pair.image, "image", rules)
    label_picture, label_file = _open(pair.label, "label", rules)
    if picture.size != label_picture.size:
        sizes = ["{}x{}".format(*opened.size) for opened in (picture, label_picture)]
        turned = ", turned as its Exif orientation says" if picture.format is None else ""
        remark = ": labels belong to the picture as it is shown" if turned else ""
        detail = f"the image is {sizes[0]}{turned}, its label image {sizes[1]} pixels{remark}"
        raise _FaultError("size mismatch", detail)
    label = _label_values(label_picture, label_file, rules.labels)
    pixels = _eight_bits(picture)
    if picture.mode not in _KEPT.get(str(picture.format), ()) or not _is_whole(encoded):
        encoded = _png(Image.fromarray(pixels))
    width, height = picture.size
    record = LabelledImage(pair.name, encoded, _png(Image.fromarray(label)), height, width)
    return PreparedPair(split, record, pixels, label)


def _open(path: str, what: str, rules: Rules) -> tuple[Image.Image, bytes]:
    """A decoded picture, upright, without a `format` if it was turned; and its file's bytes."""
    try:
        encoded = read_bytes(path, rules.max_bytes)
        Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit; that of the rules holds instead
        picture = Image.open(io.BytesIO(encoded), formats=_FORMATS)
        if picture.width * picture.height > rules.max_pixels:
            raise _FaultError("too large", f"the {what} has {picture.width}x{picture.height} pixels")
        picture.load()
        return upright(picture), encoded
    except _FaultError:
        raise
    except UserError as error:
        raise _FaultError(f"unreadable {what}", str(error)) from error
    except Exception as error:  # each codec has its own
        detail = re.sub(r"<[^>]*>", path, str(error))  # Pillow names the object in memory, whose address is no reason
        raise _FaultError(f"unreadable {what}", f"{type(error).__name__}: {detail}"[:500]) from error


def _is_whole(encoded: bytes) -> bool:
    """Whether a JPEG or PNG has its end mark: Pillow does without, TensorFlow does not."""
    if encoded.startswith(_PNG):
        return b"IEND\xaeB\x60\x82" in encoded
    return encoded.rfind(b"\xff\xd9") > encoded.rfind(b"\xff\xda")


def _eight_bits(picture: Image.Image) -> np.ndarray:
    """uint8 (h, w, 3); of greys of 16 bits the upper 8, as TensorFlow takes them, where Pillow would cut all at 255."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PPM"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("F", "I"):
        raise _FaultError("unreadable image", "its pixels are 32-bit numbers; write 8 or 16 bits")
    return np.asarray(picture.convert("RGB"))


def _label_values(picture: Image.Image, encoded: bytes, labels: LabelSet) -> np.ndarray:
    """The labels, uint8 (h, w), all of them known; `encoded` is the picture's file."""
    values = np.asarray(picture)
    if picture.mode == "L":  # Pillow stretches 2 and 4 bits over 0..255
        values = values // (255 // (2 ** _grey_bits(picture, encoded) - 1))
    if values.ndim != 2 or values.dtype.kind not in "bui":
        raise _FaultError("label is no index image", f"its pixels are {picture.mode}, not one whole number each")
    present, counts = np.unique(values, return_counts=True)
    ignored = present == labels.ignore
    unknown = ~ignored & ((present < 0) | (present >= labels.count))
    if unknown.any():
        shown = [f"{v} ({n} pixels)" for v, n in zip(present[unknown], counts[unknown], strict=True)]
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        known = f"0..{labels.count - 1}" + (f" and {labels.ignore}" if labels.ignore is not None else "")
        raise _FaultError("unknown label value", f"{', '.join(shown[:_SHOWN])}{more}; known are {known}")
    if ignored.all():
        raise _FaultError("nothing is labelled", f"every pixel is {labels.ignore}")
    return values.astype(np.uint8)


def _grey_bits(picture: Image.Image, encoded: bytes) -> int:
    """Bits per pixel in the file of a picture of mode L."""
    if encoded.startswith(_PNG):
        return encoded[24]
    return picture.tag_v2.get(258, (8,))[0] if isinstance(picture, TiffImageFile) else 8


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
