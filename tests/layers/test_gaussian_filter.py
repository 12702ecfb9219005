import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import GaussianFilter
from tests.layers.layer_check import check_layer
from tests.reference.crf import features_of, gaussian_means

RNG = np.random.default_rng(0)


def scene(*shape, noise=0.0, channels=3, seed=0):
    """(1, ..., channels): a slope of colours, a block and a disc, in 0..255."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*(np.linspace(0, 1, size) for size in shape), indexing="ij"), axis=-1)
    picture = 60 + 80 * places[..., :1] * np.linspace(1, 0.3, channels)
    picture = np.where((abs(places - 0.3) < 0.2).all(-1, keepdims=True), np.linspace(200, 90, channels), picture)
    disc = ((places - 0.65) ** 2).sum(-1, keepdims=True) < 0.04
    picture = np.where(disc, np.linspace(30, 160, channels), picture)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).round()[None]


def values_of(*shape, labels=4):
    return RNG.dirichlet(np.ones(labels), (1, *shape))


def hole(*shape):
    mask = np.random.default_rng(5).random((1, *shape)) > 0.3
    mask[:, -1] = False
    return mask


@pytest.mark.parametrize("shape", [(9,), (7, 10), (4, 5, 6), (1, 1)])
@pytest.mark.parametrize("masked", [False, True])
def test_positions_alone_are_summed_exactly(shape, masked):
    x = values_of(*shape)
    mask = hole(*shape) if masked else None
    y = GaussianFilter(1.7, dtype="float64")(x, mask=mask)
    flat = None if mask is None else mask.ravel()
    wanted = gaussian_means(features_of(shape, 1.7), x.reshape(-1, 4), flat)
    np.testing.assert_allclose(np.reshape(y, (-1, 4)), wanted, atol=2e-5)  # taps below 4e-6 are left out


@pytest.mark.parametrize(("shape", "channels"), [((7, 10), 3), ((7, 10), 1), ((3, 4, 5), 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_brute_force_is_the_sum_over_all_pairs(shape, channels, masked):
    x, image = values_of(*shape), scene(*shape, noise=8, channels=channels)
    mask = hole(*shape) if masked else None
    y = GaussianFilter(4.0, 20.0, exact=True, dtype="float64")([x, image], mask=mask)
    flat = None if mask is None else mask.ravel()
    wanted = gaussian_means(features_of(shape, 4.0, image[0], 20.0), x.reshape(-1, 4), flat)
    np.testing.assert_allclose(np.reshape(y, (-1, 4)), wanted, atol=1e-12)


@pytest.mark.parametrize("noise", [0.0, 3.0, 8.0])
def test_the_lattice_is_within_four_percent_at_the_published_thetas(noise):
    """On the mean over the pixels, of maps in 0..1: a random one of zeros and ones, and slopes.

    That is the lattice's own error, which every implementation shares: `test_lattice_filter` compares with another one.
    """
    size = (56, 57)
    image = scene(*size, noise=noise)
    slopes = np.stack(np.meshgrid(*(np.linspace(0, 1, side) for side in size), indexing="ij"), axis=-1)[None]
    x = np.concatenate([RNG.random((1, *size, 1)) < 0.5, slopes], axis=-1).astype("float32")
    fast = GaussianFilter(160.0, 3.0)([x, image]).numpy()
    exact = GaussianFilter(160.0, 3.0, exact=True)([x, image]).numpy()
    assert (np.abs(fast - exact).mean(axis=(0, 1, 2)) < 0.04).all()
    assert np.abs(fast - x).mean() > 0.1, "nothing to do here"


def test_the_lattice_is_within_four_percent_on_a_photograph(data):
    """Of the exact sums at 200 pixels drawn by lot from the 187,500, on the mean."""
    photograph = keras.utils.load_img(data / "voc_samples" / "2011_000003.jpg")
    image = keras.utils.img_to_array(photograph, dtype="float32")[None]
    x = (np.random.default_rng(1).random((*image.shape[:-1], 1)) < 0.5).astype("float32")
    x = np.concatenate([x, image[..., :1] / 255], axis=-1)
    fast = np.reshape(GaussianFilter(160.0, 3.0)([x, image]), (-1, 2))
    features = features_of(image.shape[1:-1], 160.0, image[0], 3.0).astype("float32")
    some = np.random.default_rng(2).choice(len(features), 200, replace=False)
    kernel = np.exp([-((features - features[pixel]) ** 2).sum(axis=1) / 2 for pixel in some])
    exact = kernel @ x.reshape(-1, 2) / kernel.sum(axis=1, keepdims=True)
    assert (np.abs(fast[some] - exact).mean(axis=0) < 0.04).all()


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_is_the_adjoint(exact, masked):
    """<F x, y> = <x, F' y>, float64, F' by automatic differentiation."""
    x, y, image = values_of(9, 11), RNG.normal(size=(1, 9, 11, 4)), scene(9, 11, noise=8)
    mask = hole(9, 11) if masked else None
    layer = GaussianFilter(5.0, 20.0, exact=exact, dtype="float64")
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        out = layer([variable, image], mask=mask)
    back = tape.gradient(out, variable, output_gradients=tf.constant(y))
    assert abs(np.vdot(out, y) - np.vdot(x, back)) < 1e-6 * np.linalg.norm(out) * np.linalg.norm(y)


@pytest.mark.parametrize("image", [None, scene(13, 8, noise=5), scene(13, 8, channels=1), scene(13, 8, channels=5)])
def test_a_constant_stays_and_each_image_stands_for_itself(image):
    layer = GaussianFilter(6.0, None if image is None else 4.0)
    x = np.concatenate([values_of(13, 8), np.full((1, 13, 8, 4), 0.25)]).astype("float32")
    images = None if image is None else np.concatenate([image, image[:, ::-1] / 2])
    together = layer(x if image is None else [x, images]).numpy()
    np.testing.assert_allclose(together[1], 0.25, rtol=1e-5)
    for row in range(2):
        one = slice(row, row + 1)
        alone = layer(x[one] if image is None else [x[one], images[one]])
        np.testing.assert_array_equal(together[one], alone)


@pytest.mark.filterwarnings("error:Layer:UserWarning")
@pytest.mark.parametrize("exact", [False, True])
def test_void_pixels_give_and_get_nothing(exact):
    """Not even NaN, in their values or in their colours."""
    x, image, mask = values_of(12, 9).astype("float32"), scene(12, 9, noise=4).astype("float32"), hole(12, 9)
    layer = GaussianFilter(8.0, 6.0, exact=exact)
    y = layer([x, image], mask=mask).numpy()
    assert not y[~mask].any()
    np.testing.assert_allclose(y[mask].sum(-1), 1, rtol=1e-5)
    x[~mask], image[~mask] = np.nan, np.inf
    np.testing.assert_array_equal(layer([x, image], mask=mask), y)
    assert not np.any(layer([x, image], mask=np.zeros_like(mask)))


def test_layer(tmp_path):
    check_layer(GaussianFilter(3.0), RNG.random((2, 6, 7, 3)).astype("float32"), tmp_path)
    pair = [RNG.random((2, 6, 7, 3)).astype("float32"), np.repeat(scene(6, 7), 2, axis=0).astype("float32")]
    check_layer(GaussianFilter(3.0, 9.0), pair, tmp_path)


def test_refusals():
    with pytest.raises(ValueError, match="`theta_position` must be a positive number"):
        GaussianFilter(0.0)
    with pytest.raises(ValueError, match="`theta_colour` must be a positive number"):
        GaussianFilter(1.0, np.inf)
    x, image = values_of(4, 4), scene(4, 4)
    image[0, 1, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"`image` must be finite\. Received: NaN or infinity at 1 pixels"):
        GaussianFilter(3.0, 3.0)([x, image])
    x[0, 0] = np.inf
    with pytest.raises(ValueError, match=r"`values` must be finite\. Received: NaN or infinity at 4 pixels"):
        GaussianFilter(3.0)(x)
