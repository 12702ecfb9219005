"""A prepared folder whose scripts are told apart after seconds of learning, and pictures of such lines."""

import io
import json

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_seqgen.data.recognition_schema import LabelledFrames, to_example
from keras_seqgen.data.script_classes import LETTERS, labels_to_text, segments_of

HEIGHT = 12
SOURCES = {1: "print", 2: "flip", 3: "render"}


def labels_of_line(rng):
    """Two to four segments of different classes on background."""
    labels, last = [0] * int(rng.integers(2, 6)), 0
    for _ in range(int(rng.integers(2, 5))):
        last = int(rng.choice([label for label in (1, 2, 3) if label != last]))
        labels += [last] * int(rng.integers(8, 20)) + [0] * int(rng.integers(4, 10))
    return np.array(labels, np.int32)


def darkness_of(labels, rng, noise=0.15):
    """(T, HEIGHT): Arabic has ink low, garbage in the middle, Latin high."""
    rows = np.zeros((len(labels), HEIGHT), np.float32)
    for label, first in ((1, 8), (2, 4), (3, 1)):
        rows[labels == label, first : first + 3] = 1
    return np.clip(rows + rng.normal(0, noise, rows.shape), 0, 1).astype(np.float32)


def write_prepared(folder, train=48, letters=LETTERS):
    """Writes train, valid and test splits with their statistics; returns the folder."""
    rng = np.random.default_rng(0)
    splits = {}
    for split, count in (("train", train), ("valid", 10), ("test", 8)):
        longest = 0
        with tf.io.TFRecordWriter(str(folder / f"{split}-00000-of-00001.tfrecord")) as writer:
            for number in range(count):
                labels = labels_of_line(rng)
                sources = " ".join(SOURCES[segment.label] for segment in segments_of(labels))
                line = LabelledFrames(
                    f"{split}/{number}", sources, labels_to_text(labels), darkness_of(labels, rng, 0.4)
                )
                writer.write(to_example(line))
                longest = max(longest, len(labels))
        splits[split] = {"lines": count, "longest": longest}
    unit = {"mean": [0.2] * HEIGHT, "std": [0.4] * HEIGHT}
    features = {"kind": "plain-line", "names": [f"row{n:02d}" for n in range(HEIGHT)]} | unit
    (folder / "stats.json").write_text(json.dumps({"features": features, "splits": splits}))
    vocabulary = {"pad": 0, "kind": "character", "normalization": "NFC", "tokens": list(letters)}
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary))
    return folder


def picture(labels, seed=0, scale=2):
    """A PNG of a line whose columns are of such classes, each `scale` pixels wide."""
    rows = darkness_of(np.asarray(labels), np.random.default_rng(seed), 0.02)
    pixels = np.round(255 * (1 - rows.T)).astype(np.uint8).repeat(scale, 0).repeat(scale, 1)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
