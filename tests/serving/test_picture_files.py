"""Sizes of pictures by their headers."""

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
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + b"\xff" * 8, [2**31 - 1, 2**31 - 1]),
    ],
)
def test_sizes(encoded, size):
    run = tf.function(picture_size, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    assert run(encoded).numpy().tolist() == size
