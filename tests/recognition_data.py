"""A prepared folder of frames that can be read after a minute's learning, and small corpora of ink."""

import json

import numpy as np
import tensorflow as tf

from keras_seqgen.data.recognition_schema import LabelledFrames, to_example
from keras_seqgen.data.vocabulary import Vocabulary

ALPHABET = " abc"
NAMES = ("dx", "dy", "y", "pen")


def line(rng, split, number, times):
    """Words of a, b and c, each character three frames in its own direction with noise, and a frame of nothing; `times`
    as many of each."""
    text = " ".join("".join(rng.choice(list("abc"), rng.integers(1, 4))) for _ in range(rng.integers(1, 4)))
    code = {" ": (0, 0, 3, 0), "a": (3, 0, 0, 0), "b": (0, 3, 0, 0), "c": (-3, -3, 0, 3)}
    rows = [code[character] if k < 3 * times else (0, 0, 0, 0) for character in text for k in range(4 * times)]
    return LabelledFrames(
        f"{split}-{number}", "w", text, (np.array(rows) + rng.normal(0, 0.3, (len(rows), 4))).astype("f4")
    )


def write_prepared(folder, train=48, kind="raw", times=1):
    """Writes train, valid and test splits with their statistics and alphabet; returns the folder."""
    rng = np.random.default_rng(0)
    splits, frames = {}, []
    for split, count in (("train", train), ("valid", 12), ("test", 9)):
        lines = [line(rng, split, number, times) for number in range(count)]
        with tf.io.TFRecordWriter(str(folder / f"{split}-00000-of-00001.tfrecord")) as writer:
            for one in lines:
                writer.write(to_example(one))
        frames += [one.frames for one in lines] if split == "train" else []
        splits[split] = {"lines": count, "longest": max(len(one.frames) for one in lines)}
    every = np.concatenate(frames)
    unit = {"mean": every.mean(axis=0).tolist(), "std": every.std(axis=0).tolist()}
    features = {"kind": kind, "names": list(NAMES)} | unit
    (folder / "stats.json").write_text(json.dumps({"features": features, "splits": splits}))
    Vocabulary(ALPHABET).save(folder / "vocabulary.json")
    return folder
