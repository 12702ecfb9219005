import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_seqgen.distributions import (
    stroke_log_density,
    stroke_mean,
    stroke_mode,
    stroke_parameters,
    stroke_sample,
)

M = 4


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def split(raw):
    e, *rest = np.split(raw, [1 + M * i for i in range(6)], axis=-1)
    return e[..., 0], *rest


def paper_log_density(raw, stroke, b):
    """Equations 18 to 26, one point at a time, by scipy."""
    e, pi, mu_x, mu_y, sigma_x, sigma_y, rho = split(raw.astype("float64"))
    e, pi, rho = special.expit(-e), special.softmax(pi * (1 + b)), np.tanh(rho)
    sigma_x, sigma_y = np.exp(sigma_x - b), np.exp(sigma_y - b)
    density = 0.0
    for j in range(M):
        xy = rho[j] * sigma_x[j] * sigma_y[j]
        covariance = [[sigma_x[j] ** 2, xy], [xy, sigma_y[j] ** 2]]
        density += pi[j] * stats.multivariate_normal([mu_x[j], mu_y[j]], covariance).pdf(stroke[:2])
    return np.log(density) + np.log(e if stroke[2] else 1 - e)


def strokes_like(rng, *shape):
    return np.concatenate([rng.normal(size=(*shape, 2)), rng.integers(0, 2, (*shape, 1))], axis=-1)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("bias", [0.0, 0.7, "rows"])
def test_equals_scipy(rng, dtype, tolerance, bias):
    raw, strokes = rng.normal(size=(3, 5, 6 * M + 1)), strokes_like(rng, 3, 5)
    bias = rng.uniform(0, 2, (3, 5)) if bias == "rows" else bias
    ours = stroke_log_density(stroke_parameters(raw.astype(dtype), bias), strokes.astype(dtype))
    b = np.broadcast_to(bias, (3, 5))
    paper = [[paper_log_density(raw[i, j], strokes[i, j], b[i, j]) for j in range(5)] for i in range(3)]
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, paper, rtol=tolerance, atol=tolerance)


def gradient(raw, strokes, bias=0.0):
    raw, strokes = tf.constant(raw), tf.constant(strokes)
    with tf.GradientTape() as tape:
        tape.watch([raw, strokes])
        value = stroke_log_density(stroke_parameters(raw, bias), strokes)
    return value.numpy(), [g.numpy() for g in tape.gradient(value, [raw, strokes])]


@pytest.mark.parametrize(("rho", "sigma"), [(0.0, 0.0), (3.0, -2.0), (-5.0, 1.0)])
def test_gradient_equals_finite_differences(rng, rho, sigma):
    raw, strokes = rng.normal(size=(6, 6 * M + 1)), strokes_like(rng, 6)
    raw[:, 1 + 3 * M : 1 + 5 * M] += sigma
    raw[:, 1 + 5 * M :] += rho
    raw[:, 1 + M : 1 + 2 * M] = strokes[:, :1] + 0.1 * raw[:, 1 + M : 1 + 2 * M]  # near enough to matter
    raw[:, 1 + 2 * M : 1 + 3 * M] = strokes[:, 1:2] + 0.1 * raw[:, 1 + 2 * M : 1 + 3 * M]
    _, (ours, _) = gradient(raw, strokes, bias=0.3)
    for column in range(raw.shape[-1]):
        step = np.zeros_like(raw)
        step[:, column] = 1e-6
        up, down = (gradient(raw + sign * step, strokes, bias=0.3)[0] for sign in (1, -1))
        np.testing.assert_allclose(ours[:, column], (up - down) / 2e-6, rtol=1e-5, atol=1e-5)


def one_component(e=0.0, mu=(0.0, 0.0), sigma=(0.0, 0.0), rho=0.0):
    return [e, 0.0, *mu, *sigma, rho]


@pytest.mark.filterwarnings("error")
def test_extremes_are_finite_in_float32():
    """Outliers, |rho| at 1, sigma at 0 or huge, hopeless components, alone and beside an ordinary component."""
    rhos = [-1e4, -100, -20, -16, -9, 0, 9, 16, 20, 100, 1e4]
    sigmas = [-1e4, -100, -20, -16, 0, 20, 80, 1e4]
    rows = []
    for rho, sigma, mu, e in itertools.product(rhos, sigmas, [0, 50, -50, 1e3, 1e5], [0, 90, -1e4]):
        rows.append(one_component(e, (mu, mu / 2), (sigma, sigma), rho))
        rows.append(one_component(e, (mu, -mu), (0, sigma), rho))
    alone = np.array(rows, "float32")
    ordinary = np.broadcast_to(np.array(one_component(), "float32"), alone.shape)
    both = np.stack([alone[:, 1:], ordinary[:, 1:]], axis=2).reshape(len(rows), 12)
    beside = np.concatenate([alone[:, :1], both], axis=1)
    for raw in (alone, beside):
        for pen in (0.0, 1.0):
            strokes = np.tile(np.array([0.3, -0.2, pen], "float32"), (len(rows), 1))
            value, gradients = gradient(raw, strokes)
            for array in (value, *gradients):
                assert np.isfinite(array).all()


def test_an_outlier_of_fifty_sigma():
    for sigma in (-20.0, -8.0, 0.0):
        clipped = max(sigma, -16.0)
        stroke = np.array([[50 * np.exp(clipped), 0.0, 0.0]], "float32")
        value, (d_raw, d_stroke) = gradient(np.array([one_component(sigma=(sigma, sigma))], "float32"), stroke)
        np.testing.assert_allclose(value, -np.log(4 * np.pi) - 2 * clipped - 1250, rtol=1e-5)
        np.testing.assert_allclose(d_raw[0, 4], 2499.0 if sigma == clipped else 0.0, rtol=1e-4)
        assert np.isfinite(d_stroke).all()


def test_no_cancellation_where_rho_is_almost_one():
    """At rho^ = 10 float32 has 1 - tanh^2 = 0; a long double has digits left for the formula as printed."""
    assert 1 - np.tanh(np.float32(10)) ** 2 == 0
    for rho, near in itertools.product([-10.0, 10.0, 6.0], [0.5, 0.50003, -0.5]):
        stroke = np.array([[0.5, near, 1.0]], "float32")
        x, y = stroke[0, :2].astype("longdouble")
        r = np.tanh(np.longdouble(rho))
        z = x**2 + y**2 - 2 * r * x * y
        paper = -np.log(4 * np.pi) - np.log(1 - r**2) / 2 - z / (2 * (1 - r**2))
        value, _ = gradient(np.array([one_component(rho=rho)], "float32"), stroke)
        np.testing.assert_allclose(value[0], float(paper), rtol=2e-6, atol=2e-6)


def test_integrates_to_one(rng):
    raw = 0.3 * rng.normal(size=(1, 1, 6 * M + 1))
    axis = np.linspace(-12, 12, 241)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    total = 0.0
    for pen in (0.0, 1.0):
        strokes = np.stack([x, y, np.full_like(x, pen)], axis=-1)
        total += np.exp(stroke_log_density(stroke_parameters(raw), strokes)).sum() * 0.1**2
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_bias_sharpens_pi_and_sigma_and_leaves_the_pen_alone(rng):
    raw = rng.normal(size=(5, 6 * M + 1)).astype("float32")
    e, pi, mu_x, _, sigma_x, sigma_y, rho = split(raw)
    p = stroke_parameters(raw, bias=1.5)
    np.testing.assert_allclose(p.end_probability, 1 / (1 + np.exp(e)), rtol=1e-5)
    np.testing.assert_allclose(np.exp(p.log_pi), special.softmax(pi * 2.5, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(np.exp(p.log_sigma_x), np.exp(sigma_x - 1.5), rtol=1e-5)
    np.testing.assert_allclose(np.exp(p.log_sigma_y), np.exp(sigma_y - 1.5), rtol=1e-5)
    np.testing.assert_array_equal(p.mean_x, mu_x)
    np.testing.assert_array_equal(p.atanh_rho, rho)


def test_a_large_bias_samples_the_mode(rng):
    raw = rng.normal(size=(50, 6 * M + 1)).astype("float32")
    sharp = stroke_parameters(raw, bias=1e4)
    uniform, normal = rng.random((50, 2), "float32"), rng.normal(size=(50, 2)).astype("float32")
    mode = np.array(stroke_mode(stroke_parameters(raw)))
    np.testing.assert_allclose(stroke_sample(sharp, uniform, normal)[:, :2], mode[:, :2], atol=1e-5)
    likeliest = raw[:, 1 : 1 + M].argmax(-1)
    np.testing.assert_array_equal(mode[:, 0], raw[:, 1 + M : 1 + 2 * M][np.arange(50), likeliest])
    np.testing.assert_array_equal(mode[:, 2], raw[:, 0] < 0)


def test_no_component_is_too_small_to_count(rng):
    """pi_1 = 1e-5 far away: its density is there, and one draw in 1e5 is its own."""
    raw = np.array([[0.0, np.log(1e-5), 0.0, 40.0, 0.0, 40.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]], "float32")
    p = stroke_parameters(raw)
    value = stroke_log_density(p, np.array([[40.0, 40.0, 1.0]], "float32"))
    np.testing.assert_allclose(value, np.log(1e-5) - np.log(4 * np.pi), rtol=1e-4)
    n = 1_000_000
    uniform = np.stack([(np.arange(n) + 0.5) / n, np.zeros(n)], axis=-1).astype("float32")
    far = np.array(stroke_sample(p, uniform, np.zeros((n, 2), "float32")))[:, 0] > 20
    assert 9 <= far.sum() <= 11


def test_mean_is_that_of_the_samples(rng):
    raw = rng.normal(size=(6 * M + 1,)).astype("float32")
    n = 200_000
    p = stroke_parameters(np.tile(raw, (n, 1)))
    samples = stroke_sample(p, rng.random((n, 2), "float32"), rng.normal(size=(n, 2)).astype("float32"))
    samples = np.array(samples)
    error = 5 * samples.std(0)[:2] / np.sqrt(n)
    assert (np.abs(samples.mean(0)[:2] - stroke_mean(stroke_parameters(raw[None]))[0]) < error).all()


def test_a_row_depends_on_its_own_noise_only(rng):
    raw = rng.normal(size=(7, 6 * M + 1)).astype("float32")
    uniform, normal = rng.random((7, 2), "float32"), rng.normal(size=(7, 2)).astype("float32")
    together = np.array(stroke_sample(stroke_parameters(raw, 0.5), uniform, normal))
    for i in range(7):
        alone = stroke_sample(stroke_parameters(raw[i : i + 1], 0.5), uniform[i : i + 1], normal[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(rng, dtype):
    raw = tf.cast(rng.normal(size=(5, 6 * M + 1)), dtype)
    strokes = strokes_like(rng, 5).astype("float32")
    half = stroke_log_density(stroke_parameters(raw, 0.25), strokes)
    assert half.dtype == tf.float32
    np.testing.assert_array_equal(half, stroke_log_density(stroke_parameters(tf.cast(raw, "float32"), 0.25), strokes))


@pytest.mark.parametrize("size", [1, 6, 120, 122])
def test_refuses_a_vector_of_another_size(size):
    with pytest.raises(ValueError, match=r"6M \+ 1"):
        stroke_parameters(np.zeros((2, size), "float32"))
