"""A stretch of token ids as a `tf.train.Example` and back: the one place that knows the names of the features.

A record has `first`, the number of its first token in the split (from 0), and `ids`, up to `RECORD` ids as
little-endian integers of the smallest type that holds the vocabulary. `ids` comes last, so that a reader can map a file
into memory and take ids from the middle of a record without parsing it.
"""

import struct

import numpy as np

from keras_seqgen.data.schema import _field, _varint

RECORD = 1 << 16  # ids
HEAD = 96  # bytes of a record within which its ids begin
_FRAME = struct.Struct("<Q4x")  # of a TFRecord: length, its checksum
FRAME_HEAD, FRAME_TAIL = _FRAME.size, 4  # bytes before and after each record


def id_type(vocabulary_size: int) -> np.dtype:
    """The smallest little-endian integer type for the ids 0..vocabulary_size."""
    if vocabulary_size < 1 << 8:
        return np.dtype("u1")
    return np.dtype("<u2") if vocabulary_size < 1 << 16 else np.dtype("<i4")


def to_example(first: int, ids: np.ndarray, dtype: np.dtype) -> bytes:
    """A serialized `tf.train.Example` of `first` (one int64) and `ids` (one string of bytes).

    The bytes are those of `SerializeToString(deterministic=True)`, written without TensorFlow, as in `schema`.
    """
    number = _field(3, _field(1, _varint(first)))
    content = _field(1, _field(1, np.asarray(ids).astype(dtype).tobytes()))
    entries = (
        _field(1, _field(1, key) + _field(2, feature)) for key, feature in ((b"first", number), (b"ids", content))
    )
    return _field(1, b"".join(entries))


def from_example(serialized: bytes, dtype: np.dtype) -> tuple[int, np.ndarray]:
    """The inverse of `to_example`: `first`, and the ids as int32."""
    first, offset, size = locate(serialized[:HEAD], len(serialized))
    return first, np.frombuffer(serialized, dtype, size // dtype.itemsize, offset).astype(np.int32)


def locate(head: bytes, length: int) -> tuple[int, int, int]:
    """Where the ids lie in a record.

    Args:
        head: The record's first bytes, `HEAD` of them or all.
        length: The length of the whole record.

    Returns:
        `first`, and the offset and size of the ids in bytes.

    Raises:
        ValueError: where it is no record of ids.
    """
    try:
        at = head.index(b"\x0a\x05first\x12") + 8
        _, at = _read_varint(head, at)
        for _ in range(2):  # of the list, of its packed numbers
            _, at = _read_varint(head, at + 1)
        first, at = _read_varint(head, at)
        at = head.index(b"\x0a\x03ids\x12", at) + 6
        _, at = _read_varint(head, at)
        for _ in range(2):  # of the list, of its one string
            size, at = _read_varint(head, at + 1)
    except (ValueError, IndexError) as error:
        raise ValueError("not a record of token ids") from error
    if at + size != length:
        raise ValueError("not a record of token ids")
    return first, at, size


def frame_length(frame: bytes) -> int:
    """The length of the record that follows a TFRecord's first `FRAME_HEAD` bytes."""
    return _FRAME.unpack(frame)[0]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at
