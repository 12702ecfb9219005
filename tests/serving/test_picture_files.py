"""Sizes of pictures by their headers."""

import zlib

import pytest
import tensorflow as tf

from keras_seqgen.serving.picture_files import picture_size

PIXELS = tf.zeros((7, 300, 3), tf.uint8)


@pytest.mark.parametrize(
    ("encoded", "size"),
    [
        (tf.io.encode_png(PIXELS), [7, 300]),
        (tf.io.encode_jpeg(PIXELS), [7, 300]),
        (b"", [0, 0]),
        (b"GIF89a", [0, 0]),
        (b"\x89PNG\r\n\x1a\n", [0, 0]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff" * 8, [2**31 - 1, 2**31 - 1]),
    ],
)
def test_sizes(encoded, size):
    run = tf.function(picture_size, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    assert run(encoded).numpy().tolist() == size


def test_a_png_cannot_hide_its_size_behind_another_chunk():
    """A decoder skips a chunk that it does not know; its content must not pass for the size."""
    whole, unknown = tf.io.encode_png(PIXELS).numpy(), b"abCd" + (5).to_bytes(4) + (3).to_bytes(4)
    chunk = (8).to_bytes(4) + unknown + zlib.crc32(unknown).to_bytes(4)
    hiding = whole[:8] + chunk + whole[8:]
    assert tf.io.decode_image(hiding).shape == PIXELS.shape
    assert picture_size(tf.constant(hiding)).numpy().tolist() == [0, 0]
