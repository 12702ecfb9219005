"""`tf.train.Example`s as bytes, written without TensorFlow: a pipeline's worker need not load it."""

from collections.abc import Mapping


def serialize_example(features: Mapping[str, bytes | int]) -> bytes:
    """A serialized `tf.train.Example` of scalars.

    The bytes are those of `SerializeToString(deterministic=True)`.

    Args:
        features: name -> bytes, or an integer that is not negative.

    Returns:
        The message.

    Example:

        >>> serialize_example({"height": 3}).hex()
        '0a110a0f0a066865696768741205...'
    """
    entries = (
        _field(1, _field(1, name.encode("utf-8")) + _field(2, _feature(value)))
        for name, value in sorted(features.items())
    )
    return _field(1, b"".join(entries))


def _feature(value: bytes | int) -> bytes:
    """A tf.train.Feature: a list of one; 1 is the number of bytes_list, 3 that of int64_list."""
    return _field(1, _field(1, value)) if isinstance(value, bytes) else _field(3, _field(1, _varint(value)))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
