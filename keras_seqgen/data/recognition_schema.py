"""A labelled sequence of frames as a `tf.train.Example` and back: what every recogniser learns from."""

import itertools
from dataclasses import dataclass

import numpy as np

from keras_seqgen.data.examples import serialize_example


@dataclass(frozen=True)
class LabelledFrames:
    """A line of ink or print, or an utterance, as a recogniser sees it.

    name: the record's name, unique within its source. writer: who wrote or spoke it, "" where nobody knows. text: what
    it says (form NFC, single blanks between words). frames: float32 (T, D), not normalised.
    """

    name: str
    writer: str
    text: str
    frames: np.ndarray


def to_example(line: LabelledFrames) -> bytes:
    """A serialized `tf.train.Example`: name, writer, text, frames (bytes: little-endian float32, by rows), length."""
    return serialize_example(
        {
            "name": line.name.encode("utf-8"),
            "writer": line.writer.encode("utf-8"),
            "text": line.text.encode("utf-8"),
            "frames": np.asarray(line.frames, "<f4").tobytes(),
            "length": len(line.frames),
        }
    )


def from_example(serialized: bytes) -> LabelledFrames:
    """The inverse of `to_example`."""
    import tensorflow as tf

    feature = tf.train.Example.FromString(serialized).features.feature
    name, writer, text = (feature[key].bytes_list.value[0].decode("utf-8") for key in ("name", "writer", "text"))
    frames = np.frombuffer(feature["frames"].bytes_list.value[0], "<f4")
    return LabelledFrames(name, writer, text, frames.reshape(feature["length"].int64_list.value[0], -1))


def parse(serialized, features: int):
    """The same inside `tf.data`, for many records at once.

    Args:
        serialized: string tensor (B,) of serialized examples.
        features: D.

    Returns:
        name, writer, text: string (B,); length: int64 (B,); frames: ragged float32 (B, None, D).
    """
    import tensorflow as tf

    scalar = tf.io.FixedLenFeature([], tf.string)
    kinds = dict.fromkeys(("name", "writer", "text", "frames"), scalar)
    record = tf.io.parse_example(serialized, kinds | {"length": tf.io.FixedLenFeature([], tf.int64)})
    together = tf.strings.reduce_join(record["frames"])
    rows = tf.reshape(tf.io.decode_raw(together, tf.float32, little_endian=True), [-1, features])
    return record | {"frames": tf.RaggedTensor.from_row_lengths(rows, record["length"])}


def parse_length(serialized):
    """The length alone of one serialized example (a scalar string tensor), cheaply: int64 scalar."""
    import tensorflow as tf

    return tf.io.parse_single_example(serialized, {"length": tf.io.FixedLenFeature([], tf.int64)})["length"]


def frames_needed(text: str) -> int:
    """The fewest frames in which a CTC network can read a text: one a character, and one between equal neighbours.

    >>> frames_needed("hello")
    6
    """
    return len(text) + sum(a == b for a, b in itertools.pairwise(text))
