"""Convolution over padded time against loops in NumPy, and the layer that makes masks of lengths."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers.clipped_relu import clipped_relu
from keras_seqgen.layers.lengths import LengthMask, sequence_lengths
from keras_seqgen.layers.time_convolution import TimeConvolution
from tests.layers.layer_check import check_layer


def loops(x, kernel, bias, stride):
    """(T, D) -> (ceil(T / s), filters), frame by frame."""
    k = len(kernel)
    found = []
    for t in range(0, len(x), stride):
        y = bias.copy()
        for j in range(k):
            place = t + j - (k - 1) // 2
            if 0 <= place < len(x):
                y += x[place] @ kernel[j]
        found.append(np.maximum(y, 0))
    return np.array(found)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_equals_loops_on_each_row_alone(size, stride):
    rng = np.random.default_rng(0)
    x, lengths = rng.normal(size=(4, 9, 3)).astype("float32"), [9, 6, 1, 4]
    layer = TimeConvolution(5, size, stride, activation="relu")
    masked = layer(LengthMask()([x, np.array(lengths)]))
    layer.bias.assign(rng.normal(size=5))
    masked = layer(LengthMask()([x, np.array(lengths)]))
    shorter = np.array(sequence_lengths(masked)).tolist()
    assert shorter == [-(-n // stride) for n in lengths]
    for row, n, m, ours in zip(x, lengths, shorter, masked, strict=True):
        theirs = loops(row[:n], np.array(layer.kernel), np.array(layer.bias), stride)
        np.testing.assert_allclose(ours[:m], theirs, atol=1e-5)
    assert layer.compute_output_shape((4, 9, 3)) == masked.shape


def test_over_two_axes_equals_conv2d_where_nothing_is_padded():
    x = np.random.default_rng(1).normal(size=(2, 9, 7, 3)).astype("float32")
    ours, theirs = TimeConvolution(4, (3, 5), (1, 1)), keras.layers.Conv2D(4, (3, 5), padding="same")
    theirs.build(x.shape)
    shape = ours(x).shape
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
    assert shape == (2, 9, 7, 4)
    strided = TimeConvolution(4, (3, 5), (2, 3))
    assert strided(x).shape == strided.compute_output_shape(x.shape) == (2, 5, 3, 4)
    strided.set_weights(ours.get_weights())
    np.testing.assert_allclose(strided(x), ours(x)[:, ::2, ::3], atol=1e-5)


def test_frames_behind_a_sequence_have_no_influence_and_get_no_gradient():
    x = np.random.default_rng(2).normal(size=(1, 8, 2)).astype("float32")
    layer, length = TimeConvolution(3, 5, 2), np.array([5])
    with tf.GradientTape() as tape:
        variable = tf.Variable(x)
        total = tf.reduce_sum(layer(LengthMask()([variable, length]))[:, :3] ** 2)
    gradient = tape.gradient(total, variable).numpy()
    assert (gradient[:, 5:] == 0).all()
    assert (np.abs(gradient[:, :5]).max(axis=-1) > 0).all()


def test_as_layers_of_the_house(tmp_path):
    x = np.random.default_rng(3).normal(size=(2, 6, 4)).astype("float32")
    check_layer(TimeConvolution(3, 3, 2, activation=clipped_relu), x, tmp_path)
    check_layer(TimeConvolution(3, (3, 2), (2, 1)), x[..., None], tmp_path)
    check_layer(LengthMask(), [x, np.array([6, 3], "int32")], tmp_path, mixed=False)


@pytest.mark.parametrize("arguments", [(0, 3), (2, 0), (2, 3, -1), (2, (3, 3, 3)), (2, 3.0)])
def test_sizes_that_cannot_be(arguments):
    with pytest.raises(ValueError, match="must be a positive integer"):
        TimeConvolution(*arguments)


def test_clipped_relu():
    assert np.array(clipped_relu(np.array([-3.0, 0.0, 7.5, 20.0, 99.0]))).tolist() == [0, 0, 7.5, 20, 20]
