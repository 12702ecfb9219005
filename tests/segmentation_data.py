"""A prepared folder of small pictures whose labels can be learnt, for the tests of segmentation."""

import json

import numpy as np
import tensorflow as tf

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.data.labelled_image import LabelledImage, to_example

LABELS = LabelSet(3, 255, ("ground", "wall", "sky"), ((90, 60, 30), (200, 40, 40), (120, 180, 255)))
SIZE = (24, 32)


def scene(seed):
    """A picture (h, w, 3) of a sky, a ground and a wall in noisy colours, and its labels; a strip has none."""
    rng = np.random.default_rng(seed)
    label = np.zeros(SIZE, np.uint8)
    label[: rng.integers(6, 14)] = 2
    top, left = rng.integers(3, 12), rng.integers(2, 20)
    label[top : top + 10, left : left + 8] = 1
    picture = np.array(LABELS.colours)[label] + rng.normal(0, 25, (*SIZE, 3))
    label[:, -2:] = 255
    return np.clip(picture, 0, 255).astype(np.uint8), label


def encoded(array):
    """PNG bytes of (h, w, 3) or (h, w)."""
    return tf.io.encode_png(array if array.ndim == 3 else array[..., None]).numpy()


def write_prepared(folder, counts=(("train", 12), ("valid", 4), ("test", 3))):
    """What `keras-seqgen prepare segmentation` would write of `scene`s."""
    splits = {}
    for split, count in counts:
        scenes = [scene([*split.encode(), number]) for number in range(count)]
        with tf.io.TFRecordWriter(str(folder / f"{split}-00000-of-00001.tfrecord")) as writer:
            for number, (picture, label) in enumerate(scenes):
                record = LabelledImage(f"{split}{number}", encoded(picture), encoded(label), *SIZE)
                writer.write(to_example(record))
        pixels = [int(sum((label == value).sum() for _, label in scenes)) for value in range(LABELS.count)]
        splits[split] = {"images": count, "sizes": {f"{SIZE[1]}x{SIZE[0]}": count}, "class_pixels": pixels}
    (folder / "stats.json").write_text(json.dumps({"splits": splits}))
    LABELS.save(folder / "labels.json")
    return folder
