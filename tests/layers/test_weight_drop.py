"""`WeightDrop`: recurrent weights, and only they, are dropped in training, and only then."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import PeepholeLSTM, WeightDrop

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


@pytest.mark.parametrize("make", [lambda: PeepholeLSTM(64), lambda: keras.layers.LSTM(64)])
def test_the_share_of_recurrent_weights_is_dropped_and_the_rest_scaled(make):
    layer = WeightDrop(make(), rate=0.4, seed=1)
    layer(X)
    names = [variable.name for variable in layer.layer.trainable_variables]
    weights = [tf.ones(variable.shape) for variable in layer.layer.trainable_variables]
    for name, drawn in zip(names, layer.draw(weights), strict=True):
        if name == "recurrent_kernel":
            assert set(np.unique(drawn).round(4)) == {0.0, np.float32(1.6667)}
            assert abs(float(tf.reduce_mean(tf.cast(drawn == 0, "float32"))) - 0.4) < 0.02
        else:
            np.testing.assert_array_equal(drawn, np.ones(drawn.shape))


def test_gaussian_factors_have_the_mean_and_variance_of_the_coin():
    layer = WeightDrop(PeepholeLSTM(64), rate=0.4, gaussian=True, seed=1)
    layer(X)
    drawn = dict(
        zip(
            [variable.name for variable in layer.layer.trainable_variables],
            layer.draw([-3 * tf.ones(variable.shape) for variable in layer.layer.trainable_variables]),
            strict=True,
        )
    )
    factors = drawn.pop("recurrent_kernel").numpy() / -3
    assert np.mean(factors) == pytest.approx(1, abs=0.02)
    assert np.std(factors) == pytest.approx(np.sqrt(0.4 / 0.6), rel=0.02)
    assert np.mean(np.abs(factors - 1) < np.sqrt(0.4 / 0.6)) == pytest.approx(0.6827, abs=0.02)
    for other in drawn.values():
        np.testing.assert_array_equal(other, -3 * np.ones(other.shape))


def test_the_deviation_of_the_factors_can_be_set():
    layer = WeightDrop(PeepholeLSTM(4), rate=0.2, gaussian=True)
    assert layer.stddev == pytest.approx(0.5)
    layer.stddev = 2.0
    assert layer.rate == pytest.approx(0.8)
    assert keras.layers.deserialize(keras.layers.serialize(layer)).stddev == pytest.approx(2.0)
    with pytest.raises(ValueError, match="stddev"):
        layer.stddev = -1.0


def test_inference_is_the_layer_and_training_draws_anew():
    layer = WeightDrop(PeepholeLSTM(8), rate=0.5, seed=1)
    np.testing.assert_array_equal(layer(X), layer.layer(X))
    assert np.abs(layer(X, training=True) - layer(X, training=True)).max() > 1e-4


def test_dropped_weights_get_no_derivative():
    layer = WeightDrop(PeepholeLSTM(8), rate=0.5, seed=1)
    layer(X)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(X, training=True))
    gradient = tape.gradient(loss, layer.layer.cell.recurrent_kernel.value).numpy()
    assert 0.4 < (gradient == 0).mean() < 0.6


def test_a_wrong_rate_is_named():
    with pytest.raises(ValueError, match="rate"):
        WeightDrop(PeepholeLSTM(4), rate=1.0)
