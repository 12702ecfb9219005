"""The mean of each sequence is taken off it, whatever pads it."""

import keras
import numpy as np

from keras_seqgen.layers import LengthMask, MeanSubtraction
from keras_seqgen.layers.lengths import sequence_lengths
from tests.layers.layer_check import check_layer


def test_each_row_loses_its_own_mean_and_padding_stays_zero():
    x = np.random.default_rng(0).normal(3, 2, (4, 7, 3)).astype("float32")
    lengths = np.array([7, 4, 1, 0])
    y = MeanSubtraction()(LengthMask()([x, lengths]))
    assert np.array(sequence_lengths(y)).tolist() == lengths.tolist()
    for row, n, ours in zip(x, lengths, np.array(y), strict=True):
        np.testing.assert_allclose(ours[:n], row[:n] - row[:n].sum(axis=0) / max(n, 1), atol=1e-6)
        np.testing.assert_array_equal(ours[n:], 0)


def test_without_a_mask_all_frames_count():
    x = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
    np.testing.assert_allclose(MeanSubtraction()(x), x - x.mean(axis=1, keepdims=True), atol=1e-6)


def test_what_is_added_to_every_frame_changes_nothing():
    x = np.random.default_rng(2).normal(size=(3, 6, 4)).astype("float32")
    masked = LengthMask()([x, np.array([6, 3, 2])])
    colour = np.random.default_rng(3).normal(size=(3, 1, 4)).astype("float32")
    coloured = LengthMask()([x + colour, np.array([6, 3, 2])])
    np.testing.assert_allclose(MeanSubtraction()(masked), MeanSubtraction()(coloured), atol=1e-5)


def test_a_long_sequence_has_its_mean_in_half_precision_too():
    x = np.random.default_rng(5).normal(-8, 0.5, size=(1, 1000, 2)).astype("float32")
    lengths = np.array([900])
    layer = MeanSubtraction(dtype="mixed_bfloat16")
    for y, n in ((layer(x), 1000), (layer(LengthMask()([x, lengths])), 900)):
        assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
        mean = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))[0, :n].mean(axis=0)
        np.testing.assert_allclose(mean, 0, atol=2e-3)


def test_a_layer_of_the_house(tmp_path):
    keras.utils.set_random_seed(0)
    check_layer(MeanSubtraction(), np.random.default_rng(4).normal(size=(2, 5, 3)).astype("float32"), tmp_path)
