"""Small corpora for the tests of the segmentation pipeline, and what to read its results with."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_seqgen.data.labelled_image import LabelledImage, from_example
from pipelines.segmentation import main


def arrays(number: int, height: int = 12, width: int = 16, labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its labels, all of which occur; each pixel's red tells its label."""
    rng = np.random.default_rng(number)
    label = rng.integers(0, labels, (height, width)).astype(np.uint8)
    label.flat[:labels] = np.arange(labels)
    picture = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    picture[..., 0] = label
    return picture, label


def write_pair(image: Path, label: Path, number: int, palette: bool = False, **sizes) -> None:
    """A PNG or JPEG and its label PNG, with or without a palette."""
    picture, values = arrays(number, **sizes)
    image.parent.mkdir(parents=True, exist_ok=True)
    label.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(image)
    shown = Image.fromarray(values)
    if palette:
        shown.putpalette([number for value in range(256) for number in (255 - value, value, 7)])
    shown.save(label)


def write_pairs(root: Path, count: int = 12, **sizes) -> Path:
    """images/NN.png and masks/NN.png."""
    for number in range(count):
        name = f"{number:02d}.png"
        write_pair(root / "images" / name, root / "masks" / name, number, **sizes)
    return root


def prepare(*flags) -> int:
    """Runs the pipeline in this process; returns the exit code."""
    return main([str(flag) for flag in flags])


def stats(folder: Path) -> dict:
    return json.loads((folder / "stats.json").read_text())


def dead_letters(folder: Path) -> dict[str, dict]:
    """Name -> letter."""
    files = sorted(folder.glob("dead_letters-*"))
    letters = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert len({letter["name"] for letter in letters}) == len(letters)
    return {letter["name"]: letter for letter in letters}


def records(folder: Path, split: str) -> dict[str, LabelledImage]:
    """Name -> record."""
    files = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    return {record.name: record for record in map(from_example, tf.data.TFRecordDataset(files).as_numpy_iterator())}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
