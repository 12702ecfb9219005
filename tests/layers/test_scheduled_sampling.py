"""`ScheduledSampling`: which tokens it replaces and by what, and Huszar's counter-example to its objective."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import ScheduledSampling
from keras_seqgen.losses import TokenLoss
from keras_seqgen.models.language import language_model, with_batch_size

RNG = np.random.default_rng(0)


def test_outside_training_nothing_changes():
    tokens = RNG.integers(1, 5, (2, 6)).astype("int32")
    np.testing.assert_array_equal(ScheduledSampling(1.0)([tokens, np.zeros((2, 6, 4))]), tokens)


def test_draws_follow_the_prediction_of_that_very_token():
    """Logits that are certain: the draw at t + 1 is what step t predicts; the first token stays."""
    tokens = np.full((2, 6), 1, "int32")
    predicted = RNG.integers(1, 5, (2, 6))
    logits = 100.0 * np.eye(4)[predicted - 1]
    mixed = ScheduledSampling(1.0)([tokens, logits], training=True)
    np.testing.assert_array_equal(mixed[:, 1:], predicted[:, :-1])
    np.testing.assert_array_equal(mixed[:, :1], tokens[:, :1])


def test_the_share_rises_in_a_line_to_the_rate():
    layer = ScheduledSampling(0.5, ramp=4, seed=1)
    tokens, logits = np.full((100, 101), 1, "int32"), 100.0 * np.eye(2)[np.ones((100, 101), int)]
    shares = [np.mean(np.asarray(layer([tokens, logits], training=True))[:, 1:] == 2) for _ in range(6)]
    np.testing.assert_allclose(shares, [0.125, 0.25, 0.375, 0.5, 0.5, 0.5], atol=0.02)


def test_no_derivative_passes_through_the_draw():
    logits = tf.Variable(RNG.normal(size=(2, 3, 4)).astype("float32"))
    with tf.GradientTape() as tape:
        mixed = ScheduledSampling(1.0)([tf.constant([[1, 2, 3], [1, 2, 3]]), logits], training=True)
        loss = tf.reduce_sum(tf.cast(mixed, tf.float32))
    assert tape.gradient(loss, logits) is None


def learned(rate):
    """P(x2 = a | x1 = a) of a network trained on pairs with x2 = x1, `rate` of them sampled."""
    keras.utils.set_random_seed(0)
    model = language_model(2, 8, 1, cell="simple_rnn", scheduled_sampling=rate, sampling_ramp=1)
    model.compile(keras.optimizers.Adam(0.02), TokenLoss(reduction="sum_over_batch_size"), jit_compile=False)
    pairs = np.tile(np.repeat([[1, 1], [2, 2]], 64, axis=0), (150, 1))
    tokens = np.concatenate([np.zeros((len(pairs), 1)), pairs[:, :1]], axis=1).astype("int32")
    model.fit({"tokens": tokens}, pairs, batch_size=128, shuffle=False, verbose=0)
    logits = with_batch_size(model, None)({"tokens": np.array([[0, 1]], "int32")})
    return float(tf.nn.softmax(logits[0, 1])[0])


def test_huszars_counter_example():
    """x2 = x1: true tokens teach it; the network's own draws teach the marginal, whatever x1 was."""
    assert learned(0.0) > 0.95
    assert abs(learned(1.0) - 0.5) < 0.15


def test_a_carried_state_is_advanced_once():
    plain = language_model(4, 6, 1, batch_size=2)
    sampling = language_model(4, 6, 1, batch_size=2, scheduled_sampling=1e-9)
    for name in ("tokens_1", "output"):
        sampling.get_layer(name).set_weights(plain.get_layer(name).get_weights())
    sampling.get_layer("carried_1").layer.set_weights(plain.get_layer("carried_1").layer.get_weights())
    for fresh in (True, False):
        inputs = {"tokens": RNG.integers(1, 5, (2, 5)).astype("int32"), "fresh": np.array([fresh] * 2)}
        np.testing.assert_allclose(sampling(inputs, training=True), plain(inputs), atol=1e-6)


@pytest.mark.parametrize(("wrong", "message"), [({"rate": 1.5}, "rate"), ({"rate": 0.5, "ramp": 0}, "ramp")])
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        ScheduledSampling(**wrong)
