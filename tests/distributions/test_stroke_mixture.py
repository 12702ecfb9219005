import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import special, stats

from keras_seqgen.distributions import StrokeMixture

tfd = tfp.distributions
M = 3


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def stock_log_prob(raw, value, bias=0.0):
    """The same density out of TFP's own parts."""
    e, pi, mu_x, mu_y, s_x, s_y, rho = tf.split(raw, [1, *[raw.shape[-1] // 6] * 6], axis=-1)
    s_x, s_y, rho = tf.exp(s_x - bias), tf.exp(s_y - bias), tf.tanh(rho)
    zero = tf.zeros_like(rho)
    rows = [tf.stack([s_x, zero], -1), tf.stack([rho * s_y, tf.sqrt(1 - rho**2) * s_y], -1)]
    step = tfd.MixtureSameFamily(
        tfd.Categorical(logits=pi * (1 + bias)),
        tfd.MultivariateNormalTriL(loc=tf.stack([mu_x, mu_y], -1), scale_tril=tf.stack(rows, -2)),
    )
    return step.log_prob(value[..., :2]) + tfd.Bernoulli(logits=-e[..., 0], dtype=raw.dtype).log_prob(value[..., 2])


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_stock_tfp(rng, bias, dtype):
    raw = tf.constant(rng.normal(size=(4, 6, 121)), dtype)
    value = tf.constant(np.concatenate([rng.normal(size=(4, 6, 2)), rng.integers(0, 2, (4, 6, 1))], -1), dtype)
    ours = StrokeMixture(raw, bias).log_prob(value)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, stock_log_prob(raw, value, bias), rtol=1e-5, atol=1e-5)


# Three components with strong and opposite correlations, one of them rare; e = 0.3.
RAW = np.array(
    [np.log(7 / 3), 0.0, -1.0, -2.5, -2.0, 1.0, 4.0, 0.0, 1.5, -3.0, -0.5, 0.3, 0.0, 0.0, -1.0, 0.4, 1.5, -2.0, 0.3]
)


def uniforms(samples, bias):
    """Rosenblatt's transform: F(dx) and F(dy | dx) are independent and uniform if the samples have the density."""
    pi, mu_x, mu_y, s_x, s_y, rho = np.split(RAW[1:], 6)
    pi, s_x, s_y, rho = special.softmax(pi * (1 + bias)), np.exp(s_x - bias), np.exp(s_y - bias), np.tanh(rho)
    dx, dy = (samples[:, i : i + 1].astype("float64") for i in range(2))
    of_x = stats.norm(mu_x, s_x)
    given_x = pi * of_x.pdf(dx)
    given_x /= given_x.sum(-1, keepdims=True)
    of_y = stats.norm(mu_y + rho * s_y / s_x * (dx - mu_x), s_y * np.sqrt(1 - rho**2))
    return (pi * of_x.cdf(dx)).sum(-1), (given_x * of_y.cdf(dy)).sum(-1)


def p_values(samples, bias):
    """KS of dx and of dy given dx; chi-square over 8 x 8 x 2 cells, which sees every dependence, the pen included."""
    n = len(samples)
    u, v = uniforms(samples, bias)
    cells, _ = np.histogramdd([u, v, samples[:, 2]], bins=[8, 8, 2], range=[(0, 1), (0, 1), (-0.5, 1.5)])
    expected = np.broadcast_to(n / 64 * np.array([0.7, 0.3]), (8, 8, 2))
    return [
        stats.kstest(u, "uniform").pvalue,
        stats.kstest(v, "uniform").pvalue,
        stats.chisquare(cells.ravel(), expected.ravel()).pvalue,
    ]


N = 40_000


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("seed", [17, (3, 4)])
def test_samples_have_the_density(bias, seed):
    tf.random.set_seed(0)
    seed = tf.constant(seed) if isinstance(seed, tuple) else seed
    samples = StrokeMixture(tf.constant(RAW, tf.float32), bias).sample(N, seed=seed).numpy()
    assert min(p_values(samples, bias)) > 1e-3


def wrong_sample(rng, bias, mistake):
    pi, mu_x, mu_y, s_x, s_y, rho = np.split(RAW[1:], 6)
    pi = special.softmax(pi if mistake == "pi not biased" else pi * (1 + bias))
    if mistake == "small pi dropped":
        pi = np.where(pi < 0.1, 0, pi) / pi[pi >= 0.1].sum()
    j = rng.choice(M, N, p=pi)
    b = 0 if mistake == "sigma not biased" else bias
    s_x, s_y, rho = np.exp(s_x - b)[j], np.exp(s_y - b)[j], np.tanh(rho)[j]
    n_1, n_2 = rng.normal(size=(2, N))
    dx, dy = mu_x[j] + s_x * n_1, mu_y[j] + s_y * (rho * n_1 + np.sqrt(1 - rho**2) * n_2)
    if mistake == "covariance for its Cholesky factor":
        dx = mu_x[j] + s_x**2 * n_1 + rho * s_x * s_y * n_2
        dy = mu_y[j] + rho * s_x * s_y * n_1 + s_y**2 * n_2
    if mistake == "sqrt(1 - rho)":
        dy = mu_y[j] + s_y * (rho * n_1 + np.sqrt(1 - rho) * n_2)
    if mistake == "sigma off by 6 %":
        dx, dy = mu_x[j] + 1.06 * (dx - mu_x[j]), mu_y[j] + 1.06 * (dy - mu_y[j])
    e = 1 / (1 + np.exp(RAW[0] * (1 + bias if mistake == "e biased" else 1)))
    pen = rng.random(N) < e
    if mistake == "e thresholded":
        pen = np.full(N, e > 0.5)
    if mistake == "sign of e":
        pen = rng.random(N) < 1 - e
    if mistake == "pen drawn with the component's noise":
        pen = n_1 < stats.norm.ppf(e)
    return np.stack([dx, dy, pen], axis=-1)


def test_the_retelling_passes_without_a_mistake(rng):
    for bias in (0.0, 1.0):
        assert min(p_values(wrong_sample(rng, bias, None), bias)) > 1e-3


@pytest.mark.parametrize(
    ("bias", "mistake"),
    [
        (0.0, "covariance for its Cholesky factor"),
        (0.0, "sqrt(1 - rho)"),
        (0.0, "sigma off by 6 %"),
        (0.0, "small pi dropped"),
        (0.0, "e thresholded"),
        (0.0, "sign of e"),
        (0.0, "pen drawn with the component's noise"),
        (1.0, "pi not biased"),
        (1.0, "sigma not biased"),
        (1.0, "e biased"),
    ],
)
def test_a_wrong_sampler_is_caught(rng, bias, mistake):
    assert min(p_values(wrong_sample(rng, bias, mistake), bias)) < 1e-6


def test_seeds():
    line = StrokeMixture(tf.constant(RAW, tf.float32))
    a, b, c = line.sample(5, seed=[1, 2]), line.sample(5, seed=[1, 2]), line.sample(5, seed=[1, 3])
    np.testing.assert_array_equal(a, b)
    assert (a.numpy() != c.numpy()).any()
    tf.random.set_seed(3)
    a = line.sample(5, seed=1)
    tf.random.set_seed(3)
    np.testing.assert_array_equal(a, line.sample(5, seed=1))


def test_shapes_and_broadcast_bias(rng):
    raw = tf.constant(rng.normal(size=(2, 5, 6 * M + 1)), tf.float32)
    line = StrokeMixture(raw)
    assert line.batch_shape == (2, 5)
    assert line.event_shape == (3,)
    assert line.sample((4, 3), seed=[0, 1]).shape == (4, 3, 2, 5, 3)
    assert line.mean().shape == line.mode().shape == (2, 5, 3)
    assert line.log_prob(tf.zeros((7, 2, 5, 3))).shape == (7, 2, 5)
    assert line[0, 1:3].batch_shape == (2,)
    assert tfd.Independent(line, 1).log_prob(tf.zeros((2, 5, 3))).shape == (2,)
    biases = StrokeMixture(raw[0, :1], bias=tf.constant([[0.0], [1.0], [2.0]]))
    assert biases.batch_shape == (3, 1)
    assert biases.mean().shape == biases.mode().shape == biases.sample(seed=[0, 1]).shape == (3, 1, 3)
    np.testing.assert_allclose(biases.log_prob(tf.zeros(3))[1], StrokeMixture(raw[0, :1], 1.0).log_prob(tf.zeros(3)))


def test_mean_and_mode(rng):
    raw = rng.normal(size=(9, 6 * M + 1)).astype("float32")
    line = StrokeMixture(raw)
    pi = special.softmax(raw[:, 1 : 1 + M], axis=-1)
    end = 1 / (1 + np.exp(raw[:, 0]))
    mean = [(pi * raw[:, 4:7]).sum(-1), (pi * raw[:, 7:10]).sum(-1), end]
    np.testing.assert_allclose(line.mean(), np.stack(mean, -1), rtol=1e-5, atol=1e-6)
    j = pi.argmax(-1)
    np.testing.assert_allclose(
        line.mode(), np.stack([raw[np.arange(9), 4 + j], raw[np.arange(9), 7 + j], end > 0.5], -1)
    )
    np.testing.assert_allclose(StrokeMixture(raw, 1e4).sample(seed=[1, 1])[:, :2], line.mode()[:, :2], atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph_of_unknown_batch(rng, jit_compile):
    @tf.function(input_signature=[tf.TensorSpec([None, 121])], jit_compile=jit_compile)
    def graph(raw):
        line = StrokeMixture(raw, bias=0.5)
        strokes = line.sample(2, seed=[5, 6])
        return strokes, line.log_prob(strokes), line.mode()

    raw = tf.constant(rng.normal(size=(4, 121)), tf.float32)
    line = StrokeMixture(raw, bias=0.5)
    strokes, log_prob, mode = graph(raw)
    np.testing.assert_allclose(strokes, line.sample(2, seed=[5, 6]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(log_prob, line.log_prob(strokes), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(mode, line.mode())


def test_gradient_of_log_prob_but_not_of_samples(rng):
    raw = tf.Variable(rng.normal(size=(4, 121)), dtype=tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        line = StrokeMixture(raw)
        sample = line.sample(seed=[1, 2])
        nats = line.log_prob(sample)
    assert np.abs(tape.gradient(nats, raw)).max() > 0
    assert tape.gradient(sample, raw) is None
