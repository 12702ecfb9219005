"""The size of a picture by its file's header, before anything is unpacked."""

import tensorflow as tf


def is_png(encoded):
    """Whether a string scalar begins as a PNG does, as `tf.io.is_jpeg` tells of a JPEG."""
    return tf.strings.substr(encoded, 0, 8) == b"\x89PNG\r\n\x1a\n"


def picture_size(encoded):
    """Height and width of an encoded picture, in the graph.

    Args:
        encoded: string scalar.

    Returns:
        (2,) int32; zeros for what is neither PNG nor JPEG, and for a PNG that does not begin with its size.

    Raises:
        InvalidArgumentError: a JPEG whose header is broken.

    Example:

        >>> picture_size(tf.io.encode_png(tf.zeros((3, 5, 1), tf.uint8))).numpy()
        array([3, 5], dtype=int32)
    """
    cases = [
        (tf.io.is_jpeg(encoded), lambda: tf.io.extract_jpeg_shape(encoded)[:2]),
        (is_png(encoded), lambda: _png_size(encoded)),
    ]
    return tf.ensure_shape(tf.case(cases, default=lambda: tf.constant([0, 0])), [2])


def _png_size(encoded):
    """Height and width, which a PNG's first chunk holds as big-endian numbers.

    Zeros where another chunk is the first: decoders skip what they do not know, and find the size behind it.
    """
    header = tf.strings.substr(tf.strings.join([encoded, b"\0" * 24]), 12, 12)
    is_size = tf.strings.substr(header, 0, 4) == b"IHDR"
    digits = tf.reshape(tf.cast(tf.io.decode_raw(tf.strings.substr(header, 4, 8), tf.uint8), tf.int64), [2, 4])
    digits *= tf.cast(is_size, tf.int64)
    width, height = tf.unstack(tf.reduce_sum(digits * tf.constant([1 << 24, 1 << 16, 1 << 8, 1], tf.int64), axis=1))
    return tf.cast(tf.minimum(tf.stack([height, width]), 2**31 - 1), tf.int32)
