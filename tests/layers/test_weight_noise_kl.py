import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.layers import AdaptiveWeightNoise
from keras_seqgen.layers.weight_noise import gaussian_kl

pytestmark = pytest.mark.filterwarnings("error", "ignore:__array__ implementation")


def test_gradient_of_the_log_variance_is_unbiased():
    """L = sum w'^2 / 2 has E L = sum (w^2 + exp(s)) / 2, so dE L/ds = exp(s) / 2; each weight is a sample."""
    noisy = AdaptiveWeightNoise(keras.layers.Dense(40_000, use_bias=False), 0.0, initial_stddev=0.3, seed=2)
    noisy.build((1, 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(noisy(np.ones((1, 1), "float32"), training=True) ** 2) / 2
    gradient = tape.gradient(loss, noisy.log_variances[0].value).numpy()
    np.testing.assert_allclose(gradient.mean(), 0.09 / 2, atol=4 * gradient.std() / 200)


def posterior(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(7, 8), (8,), (3,)]
    return [rng.normal(0.2, 1.0, s) for s in shapes], [rng.normal(-3, 1, s) for s in shapes]


def kl_to(means, log_variances, m, v):
    """The textbook sum, for any prior."""
    mean, variance = (np.concatenate([a.ravel() for a in arrays]) for arrays in (means, log_variances))
    variance = np.exp(variance)
    return np.sum(np.log(v / variance) / 2 + ((mean - m) ** 2 + variance - v) / (2 * v))


def best_prior(means, log_variances):
    mean, variance = (np.concatenate([a.ravel() for a in arrays]) for arrays in (means, log_variances))
    m = mean.mean()
    return m, (np.exp(variance) + (mean - m) ** 2).mean()


def test_kl_equals_the_textbook_at_the_best_prior():
    means, log_variances = posterior()
    m, v = best_prior(means, log_variances)
    tensors = [[tf.constant(a, tf.float32) for a in arrays] for arrays in (means, log_variances)]
    kl = kl_to(means, log_variances, m, v)
    np.testing.assert_allclose(gaussian_kl(*tensors), kl, rtol=1e-5)
    for other in ((m + 0.1, v), (m - 0.1, v), (m, 1.1 * v), (m, 0.9 * v)):
        assert kl_to(means, log_variances, *other) > kl


def test_kl_equals_monte_carlo():
    means, log_variances = posterior()
    m, v = best_prior(means, log_variances)
    mean, sigma = (np.concatenate([a.ravel() for a in arrays]) for arrays in (means, log_variances))
    sigma = np.exp(sigma / 2)
    w = np.random.default_rng(1).normal(mean, sigma, (20_000, mean.size))
    ratio = (stats.norm(mean, sigma).logpdf(w) - stats.norm(m, np.sqrt(v)).logpdf(w)).sum(-1)
    kl = float(gaussian_kl([tf.constant(a) for a in means], [tf.constant(a) for a in log_variances]))
    np.testing.assert_allclose(ratio.mean(), kl, atol=4 * ratio.std() / np.sqrt(20_000))


def test_kl_gradient_is_that_of_a_fixed_prior():
    """dKL/dmean = (mean - m) / v and dKL/ds = (exp(s) / v - 1) / 2: at its best, the prior's own share is nothing."""
    means, log_variances = posterior()
    m, v = best_prior(means, log_variances)
    tensors = [[tf.constant(a) for a in arrays] for arrays in (means, log_variances)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        kl = gaussian_kl(*tensors)
    d_means, d_log = tape.gradient(kl, tensors)
    for i in range(3):
        np.testing.assert_allclose(d_means[i], (means[i] - m) / v, rtol=1e-6)
        np.testing.assert_allclose(d_log[i], (np.exp(log_variances[i]) / v - 1) / 2, rtol=1e-6)


def test_an_epoch_adds_one_kl():
    """Whatever the batches: 3 + 1 sequences of 4, by hand and by `fit` at a learning rate of 0."""
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    adaptive = AdaptiveWeightNoise(keras.layers.LSTM(5), kl_weight=1 / 4)
    total = 0.0
    for batch in (x[:3], x[3:]):
        adaptive(batch, training=True)
        (loss,) = adaptive.losses
        assert loss.dtype == tf.float32
        total += float(loss)
    np.testing.assert_allclose(total, adaptive.kl(), rtol=1e-6)
    means, log_variances = adaptive.layer.get_weights(), [v.numpy() for v in adaptive.log_variances]
    np.testing.assert_allclose(total, kl_to(means, log_variances, *best_prior(means, log_variances)), rtol=1e-5)

    model = keras.Sequential([adaptive])
    model.compile(keras.optimizers.SGD(0.0), lambda y_true, y_pred: 0.0 * keras.ops.sum(y_pred, -1))
    history = model.fit(x, np.zeros((4, 1)), batch_size=2, verbose=0).history
    np.testing.assert_allclose(history["loss"][0] * 2, total, rtol=1e-5)  # fit shows the mean over batches
    assert model.evaluate(x, np.zeros((4, 1)), verbose=0) == 0


def test_learns_to_be_sure_of_what_matters_only():
    """A weight whose input is always 0 keeps the prior's variance, one that the data fix gets a small one."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 4)).astype("float32")
    x[:, 2:] = 0
    y = x @ np.array([[1.0], [-1.0], [0.0], [0.0]], "float32")
    adaptive = AdaptiveWeightNoise(keras.layers.Dense(1, use_bias=False), kl_weight=1 / 256, initial_stddev=0.2)
    model = keras.Sequential([adaptive])
    model.compile(keras.optimizers.Adam(0.1), lambda y_true, y_pred: 5 * keras.ops.sum((y_true - y_pred) ** 2))
    model.fit(np.tile(x, (60, 1)), np.tile(y, (60, 1)), batch_size=128, verbose=0)
    stddev = np.exp(adaptive.log_variances[0].numpy()[:, 0] / 2)
    assert stddev[:2].max() < 0.1
    assert stddev[2:].min() > 0.5
    np.testing.assert_allclose(adaptive.layer.kernel[:2, 0], [1, -1], atol=0.1)
