"""Noise from a table: its moments, its independence, and where it gives way to Keras's own."""

import keras
import numpy as np
import pytest

from keras_seqgen.layers.table_normal import ROWS, table_normal


@pytest.fixture(scope="module")
def noise():
    return keras.ops.convert_to_numpy(table_normal((1000, 4000), keras.random.SeedGenerator(3)))


def test_moments_are_those_of_a_standard_normal(noise):
    # Five standard errors of 4,000,000 numbers, and for the fourth moment the table's own besides.
    assert abs(noise.mean()) < 5 / 2000
    assert abs(noise.var() - 1) < 5 * np.sqrt(2) / 2000
    assert abs((noise**4).mean() - 3) < 5 * np.sqrt(96 / 4e6) + 5 * np.sqrt(96 / (4 * ROWS))


def test_neighbours_and_calls_are_not_correlated(noise):
    along = [noise[:, ::4], noise[:, 1::4], noise[:, 2::4], noise[:, 3::4], np.roll(noise[:, ::4], 1, axis=0)]
    correlations = np.corrcoef([part.ravel() for part in along])
    assert np.abs(correlations - np.eye(5)).max() < 5 / 1000
    seed = keras.random.SeedGenerator(3)
    first, second = (keras.ops.convert_to_numpy(table_normal((1000, 4000), seed)) for _ in range(2))
    np.testing.assert_array_equal(first, noise)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / 2000


def test_quantiles_are_those_of_a_standard_normal(noise):
    # Within five standard errors of the table's 262,144 numbers.
    for quantile, share in ((-2.0, 0.022750), (-1.0, 0.158655), (0.0, 0.5), (1.5, 0.933193), (3.0, 0.998650)):
        assert abs((noise < quantile).mean() - share) < 5 * np.sqrt(share * (1 - share) / (4 * ROWS))


@pytest.mark.parametrize("shape", [(255, 256), (257, 257)])
def test_small_or_odd_shapes_are_keras_own(shape):
    expected = keras.random.normal(shape, seed=keras.random.SeedGenerator(5))
    np.testing.assert_array_equal(table_normal(shape, keras.random.SeedGenerator(5)), expected)


def test_a_shape_known_only_at_run_time_is_drawn_too():
    tf = pytest.importorskip("tensorflow")
    seed = keras.random.SeedGenerator(1)
    draw = tf.function(lambda x: table_normal(keras.ops.shape(x), seed), input_signature=[tf.TensorSpec([None, 4])])
    assert draw(tf.zeros([70_000, 4])).shape == (70_000, 4)
