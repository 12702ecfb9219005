"""The distribution of the next token against a NumPy retelling; the draw; the noise."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.decoding.next_token import COLDEST, draw, ordered_width, restrict, scale, token_noise
from tests.decoding.toy_text import retold


def distribution(logits, temperature, top_k, top_p):
    z = scale(tf.constant(logits, tf.float32), tf.constant(temperature, tf.float32))
    top_k, top_p = tf.constant(top_k, tf.int32), tf.constant(top_p, tf.float32)
    narrow = restrict(z, top_k, top_p, ordered_width(top_k, top_p, z.shape[1]))
    np.testing.assert_array_equal(narrow, restrict(z, top_k, top_p, z.shape[1]))
    return tf.nn.softmax(narrow).numpy()


def test_the_distribution_is_that_of_numpy_row_by_row():
    rng = np.random.default_rng(0)
    rows, V = 400, 23
    logits = rng.normal(0, 3, (rows, V)).astype("float32")
    temperature = np.exp(rng.uniform(-2, 2, rows)).astype("float32")
    top_k = rng.integers(0, V + 3, rows)
    top_p = np.where(rng.random(rows) < 0.3, 1, rng.uniform(0.02, 1, rows)).astype("float32")
    found = distribution(logits, temperature, top_k, top_p)
    expected = np.stack([retold(*row) for row in zip(logits, temperature, top_k, top_p, strict=True)])
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert ((found > 0).sum(1) == (expected > 1e-30).sum(1)).mean() > 0.9  # the rest is below the least float32
    assert {1, V} < set((found > 0).sum(1))


def test_of_equal_tokens_the_first_is_kept():
    logits = [[1.0, 2.0, 2.0, 2.0, 0.0]] * 4
    found = distribution(logits, [1.0] * 4, [1, 2, 0, 4], [1, 1, 0.4, 0.29])
    assert (found > 0).astype(int).tolist() == [[0, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 0, 0, 0]]


def test_a_row_that_keeps_everything_is_not_touched_by_its_batch():
    logits = tf.random.stateless_normal((3, 300), (1, 2))
    among = restrict(logits, tf.constant([0, 5, 300]), tf.constant([1.0, 0.5, 1.0]), 16)
    np.testing.assert_array_equal(tf.gather(among, [0, 2]), tf.gather(logits, [0, 2]))
    for width in (16, 48, 300):  # what top-p keeps does not hang on how far another row has to look
        kept = restrict(logits, tf.constant([9, 9, 9]), tf.constant([0.7, 1.0, 1.0]), width)
        np.testing.assert_array_equal(kept[0], restrict(logits[:1], tf.constant([9]), tf.constant([0.7]), 16)[0])


def test_how_many_tokens_are_put_in_order():
    def width(top_k, top_p):
        return int(ordered_width(tf.constant(top_k), tf.constant(top_p), 100))

    assert width([0, 3], [1.0, 1.0]) == width([0, 16], [1.0, 0.2]) == 16
    assert width([17, 3], [0.9, 1.0]) == 32
    assert width([99, 1], [1.0, 1.0]) == width([0, 1], [0.5, 1.0]) == width([200, 1], [0.5, 1.0]) == 100


@pytest.mark.parametrize("temperature", [1e-2, 1e-20, COLDEST])
def test_temperature_near_zero_is_the_arg_max(temperature):
    logits = np.random.default_rng(1).permuted(np.tile(np.arange(50) * 0.5, (30, 1)), axis=1).astype("float32")
    z = scale(tf.constant(logits), tf.constant([temperature] * 30, tf.float32))
    for u in (2**-24, 0.3, 1 - 2**-24):
        np.testing.assert_array_equal(draw(z, tf.fill([30], u)), logits.argmax(1) + 1)


def test_draw_takes_the_inverse_of_the_running_sum():
    z = tf.constant([[np.log(0.5), np.log(0.25), -np.inf, np.log(0.25)]] * 8, tf.float32)
    u = tf.constant([0.0, 0.25, 0.5 - 2**-24, 0.5, 0.74, 0.75, 0.99, 1 - 2**-24])
    assert draw(z, u).numpy().tolist() == [1, 1, 1, 2, 2, 4, 4, 4]
    never_first = tf.constant([[-np.inf, 0.0, -np.inf]])
    assert [int(draw(never_first, tf.constant([x]))[0]) for x in (0.0, 0.5, 1 - 2**-24)] == [2, 2, 2]


def test_noise_of_a_token_is_uniform_and_its_own():
    seed = tf.stack([tf.range(40) - 20, tf.fill([40], 3)], -1)
    noise = token_noise(seed, tf.zeros(40, tf.int32), 500).numpy()
    assert stats.kstest(noise.ravel(), "uniform").pvalue > 1e-3
    assert ((noise > 0) & (noise < 1)).all()
    np.testing.assert_array_equal(token_noise(seed[3:5], tf.constant([7, 100]), 9)[1], noise[4, 100:109])
