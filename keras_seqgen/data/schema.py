"""A line of ink as a `tf.train.Example` and back: the one place that knows the names of the features."""

from dataclasses import dataclass

import numpy as np

from keras_seqgen.errors import UserError


@dataclass(frozen=True)
class InkLine:
    """A line of handwriting, or a drawing.

    name: the record's name, unique within its source. writer: who wrote it, "" where nobody knows.
    text: what it says (form NFC), "" for a drawing without a caption.
    strokes: float32 (T, 3) rows of (dx, dy, pen), y downward, in the source's unit; pen = 1 ends a stroke.
    """

    name: str
    writer: str
    text: str
    strokes: np.ndarray


def to_example(line: InkLine) -> bytes:
    """A serialized `tf.train.Example`: name, writer, text (bytes), strokes (3T floats, row by row), length (T).

    The few bytes of protobuf are written here, so that a pipeline's worker need not load TensorFlow. They are those of
    `SerializeToString(deterministic=True)`.
    """
    rows = np.asarray(line.strokes, "<f4")
    lists = {  # in the order of the keys; field numbers are those of tf.train.Feature
        "length": _field(3, _field(1, _varint(len(rows)))),
        "name": _field(1, _field(1, line.name.encode("utf-8"))),
        "strokes": _field(2, _field(1, rows.tobytes()) if len(rows) else b""),
        "text": _field(1, _field(1, line.text.encode("utf-8"))),
        "writer": _field(1, _field(1, line.writer.encode("utf-8"))),
    }
    entries = (_field(1, _field(1, key.encode()) + _field(2, feature)) for key, feature in lists.items())
    return _field(1, b"".join(entries))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def from_example(serialized: bytes) -> InkLine:
    """The inverse of `to_example`.

    Raises:
        UserError: the record is of something else.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        feature = tf.train.Example.FromString(serialized).features.feature
    except DecodeError as error:
        raise UserError("a record is no tf.train.Example") from error
    if missing := [key for key in ("name", "writer", "text", "strokes") if key not in feature]:
        raise UserError(f"a record is without {', '.join(missing)}")
    name, writer, text = (feature[key].bytes_list.value[0].decode("utf-8") for key in ("name", "writer", "text"))
    return InkLine(name, writer, text, np.array(feature["strokes"].float_list.value, np.float32).reshape(-1, 3))


def parse(serialized):
    """The same inside `tf.data`, for many records at once.

    Args:
        serialized: string tensor (B,) of serialized examples.

    Returns:
        name, writer, text: string (B,); length: int64 (B,); strokes: ragged float32 (B, None, 3).
    """
    import tensorflow as tf

    scalar = tf.io.FixedLenFeature([], tf.string)
    features = {"name": scalar, "writer": scalar, "text": scalar, "length": tf.io.FixedLenFeature([], tf.int64)}
    record = tf.io.parse_example(serialized, features | {"strokes": tf.io.RaggedFeature(tf.float32)})
    rows = tf.reshape(record["strokes"].values, [-1, 3])
    return record | {"strokes": tf.RaggedTensor.from_row_lengths(rows, record["length"])}


def parse_length(serialized):
    """The length alone of one serialized example (a scalar string tensor), cheaply: int64 scalar."""
    import tensorflow as tf

    return tf.io.parse_single_example(serialized, {"length": tf.io.FixedLenFeature([], tf.int64)})["length"]
