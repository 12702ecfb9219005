"""Labels as pictures: colours, overlays, and results side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.errors import UserError

_MARGIN, _CAPTION = 4, 16  # pixels between pictures, and above a column for its caption
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def label_colours(labels: LabelSet) -> np.ndarray:
    """The colour of each label: its own, else that of Pascal VOC's scheme, in which the bits of a number are dealt out.

        bit b of (red, green, blue) from the top = bits (3b, 3b + 1, 3b + 2) of the label

    Returns:
        (256, 3) uint8; labels that there are not have the scheme's colours, the one to ignore is black.
    """
    number = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((number >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    if labels.colours:
        colours[: labels.count] = labels.colours
    if labels.ignore is not None and labels.ignore >= labels.count:
        colours[labels.ignore] = 0
    return colours


def save_labels(path: str | Path, found: np.ndarray, labels: LabelSet) -> Path:
    """Writes labels as a PNG with a palette: its pixels are the labels, its colours show them.

    Args:
        path: ends in .png; folders on the way are made.
        found: (h, w) integers in 0..255.
        labels: whose colours to show.

    Returns:
        The path.

    Raises:
        UserError: another suffix, or a place that cannot be written.
    """
    from PIL import Image

    if Path(path).suffix.lower() != ".png":
        raise UserError(f"Labels are written as .png, which loses nothing. Received: {Path(path).name}")
    picture = Image.fromarray(np.asarray(found, np.uint8))
    picture.putpalette(label_colours(labels).ravel().tolist())
    return _save(picture, path)


def overlay(image: np.ndarray, found: np.ndarray, colours: np.ndarray, strength: float = 0.5) -> np.ndarray:
    """A picture under its labels' colours.

        y = (1 - a) image + a colour

    Args:
        image: (h, w, 3), 0..255. found: (h, w) integers. colours: (256, 3), of `label_colours`. strength: a, 0..1.

    Returns:
        (h, w, 3) uint8.
    """
    mixed = (1 - strength) * np.asarray(image, np.float32) + strength * colours[np.asarray(found)]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def save_picture(path: str | Path, pixels: np.ndarray) -> Path:
    """Writes (h, w, 3) uint8 in the format that the suffix names."""
    from PIL import Image

    check_picture_suffix(path)
    return _save(Image.fromarray(np.asarray(pixels, np.uint8)), path)


def check_picture_suffix(path: str | Path) -> str:
    """The suffix of a picture's path, in small letters; `UserError` where it names no format."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"Pictures are written as {', '.join(SUFFIXES)}. Received: {Path(path).name}")
    return suffix


def save_comparison(path: str | Path, rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str]) -> Path:
    """Pictures side by side: a row for each image, a column for each result, and a caption above each column.

    Args:
        path: of the picture to write.
        rows: of (h, w, 3) uint8 pictures; all of a row have one size.
        captions: one for each column.

    Returns:
        The path.

    Raises:
        UserError: rows and captions differ in number, there is nothing to show, or the place cannot be written.

    Example:

        >>> colours = label_colours(CAMVID)
        >>> save_comparison("out.png", [[image, colours[truth], colours[found]]], ["image", "truth", "found"])
    """
    from PIL import Image, ImageDraw

    check_picture_suffix(path)
    if not rows or any(len(row) != len(captions) for row in rows):
        raise UserError(f"there must be a row, and {len(captions)} pictures in each, as there are captions")
    heights = [max(part.shape[0] for part in row) for row in rows]
    widths = [max(row[column].shape[1] for row in rows) for column in range(len(captions))]
    size = (sum(widths) + _MARGIN * (len(widths) - 1), _CAPTION + sum(heights) + _MARGIN * (len(heights) - 1))
    sheet = Image.new("RGB", size, "white")
    draw, top = ImageDraw.Draw(sheet), _CAPTION
    for height, row in zip(heights, rows, strict=True):
        left = 0
        for width, part in zip(widths, row, strict=True):
            sheet.paste(Image.fromarray(np.asarray(part, np.uint8)), (left, top))
            left += width + _MARGIN
        top += height + _MARGIN
    for column, caption in enumerate(captions):
        draw.text((sum(widths[:column]) + _MARGIN * column + 2, 2), caption, fill="black")
    return _save(sheet, path)


def _save(picture, path: str | Path) -> Path:
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    return path
