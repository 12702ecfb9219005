import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import CRFRNN
from tests.layers.layer_check import check_layer
from tests.reference.crf import dense_mean_field

RNG = np.random.default_rng(0)
THETAS = {"theta_alpha": 6.0, "theta_beta": 30.0, "theta_gamma": 1.5}


def scene(*shape, labels=4, channels=3, noise=0.0, seed=0):
    """Logits (1, ..., L) of a coarse guess at blocks of colours, and the image (1, ..., C) in 0..255."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, labels, [-(-size // 9) for size in shape])
    for axis in range(len(shape)):
        coarse = np.repeat(coarse, 9, axis)
    truth = coarse[tuple(slice(size) for size in shape)]
    image = rng.uniform(30, 225, (labels, channels))[truth] + rng.normal(0, noise, (*shape, channels))
    guess = np.roll(truth, 2, axis=-1)
    logits = 2.5 * np.eye(labels)[guess] + rng.normal(0, 0.8, (*shape, labels))
    return logits[None].astype("float32"), np.clip(image, 0, 255).round()[None].astype("float32")


def layer_with(weights, **settings):
    layer = CRFRNN(**settings)
    L = weights[0].shape[0]
    layer.build([(None, None, None, L), (None, None, None, 3)])
    layer.set_weights(weights)
    return layer


@pytest.mark.parametrize(("shape", "channels"), [((7, 9), 3), ((6, 5), 1), ((3, 4, 5), 2), ((1, 1), 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_exact_equals_the_paper_pixel_by_pixel(shape, channels, masked):
    logits, image = scene(*shape, channels=channels, noise=9)
    weights = [RNG.normal(0, 1, (4, 4)) for _ in range(3)]
    mask = RNG.random((1, *shape)) > 0.25 if masked else None
    layer = layer_with(weights, iterations=3, exact=True, dtype="float64", **THETAS)
    wanted = dense_mean_field(logits[0], image[0], 3, THETAS.values(), weights, None if mask is None else mask[0])
    np.testing.assert_allclose(layer([logits, image], mask=mask)[0], wanted, atol=2e-3 if masked else 5e-4)


def agreement(ours, theirs):
    return (np.argmax(ours, -1) == np.argmax(theirs, -1)).mean()


@pytest.mark.parametrize("noise", [0, 8])
def test_the_lattice_gives_the_labels_of_brute_force_at_the_published_thetas(noise):
    logits, image = scene(45, 44, noise=noise)
    weights = [3 * np.eye(4), 5 * np.eye(4), -np.eye(4)]
    wanted = dense_mean_field(logits[0], image[0], 4, (160.0, 3.0, 3.0), weights)
    ours = CRFRNN(4)([logits, image])[0]
    assert agreement(ours, wanted) >= 0.99
    assert agreement(logits[0], wanted) < 0.9, "nothing to do here"


def densecrf(logits, image, iterations=10, spatial=3.0, bilateral=5.0):
    """The labels' probabilities by pydensecrf."""
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    h, w, L = logits.shape
    kinds = {"kernel": densecrf.DIAG_KERNEL, "normalization": densecrf.NORMALIZE_AFTER}
    field = densecrf.DenseCRF2D(w, h, L)
    field.setUnaryEnergy(np.ascontiguousarray(-logits.reshape(-1, L).T))
    field.addPairwiseGaussian(sxy=3, compat=spatial, **kinds)
    image = np.ascontiguousarray(image.astype("uint8"))
    field.addPairwiseBilateral(sxy=160, srgb=3, rgbim=image, compat=bilateral, **kinds)
    return np.array(field.inference(iterations)).T.reshape(h, w, L)


@pytest.mark.parametrize("noise", [0, 8])
def test_labels_of_pydensecrf_on_drawn_images(noise):
    logits, image = scene(120, 150, labels=5, noise=noise)
    theirs = densecrf(logits[0], image[0])
    assert agreement(CRFRNN(10)([logits, image])[0], theirs) >= 0.999
    assert agreement(logits[0], theirs) < 0.9, "nothing to do here"


@pytest.mark.parametrize("noise", [0, 8])
def test_labels_of_pydensecrf_on_a_photograph(data, noise):
    """A fifth of the pixels may be labelled wrong, and every label is believed at 0.7.

    Without the position filter, which pydensecrf sums on a lattice and CRFRNN exactly, hardly a pixel may differ.
    """
    rng = np.random.default_rng(1)
    name = data / "voc_samples" / "2011_000003"
    image, truth = keras.utils.img_to_array(keras.utils.load_img(f"{name}.jpg")), _palette(f"{name}.png")
    image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).round()
    blocks = np.repeat(np.repeat(rng.integers(0, 21, (47, 63)), 8, 0), 8, 1)[: truth.shape[0], : truth.shape[1]]
    labels = np.where(rng.random(truth.shape) < 0.2, blocks, truth)
    one = np.eye(21)
    logits = np.log(np.where(one[labels] > 0, 0.7, 0.3 / 20)).astype("float32")
    for spatial, least in ((3.0, 0.999), (0.0, 0.9999)):
        theirs = densecrf(logits, image, spatial=spatial)
        ours = layer_with([spatial * one, 5 * one, -one], iterations=10)([logits[None], image[None]])[0]
        assert agreement(ours, theirs) >= least
        assert agreement(logits, theirs) < 0.9, "nothing to do here"


def _palette(path):
    from PIL import Image

    labels = np.asarray(Image.open(path))
    return np.where(labels == 255, 0, labels)


@pytest.mark.parametrize("exact", [False, True])
def test_gradients_by_finite_differences(exact):
    """Of logits and weights, in float64: a central difference along a random direction of each."""
    logits, image = scene(8, 7, labels=3, noise=6)
    weights = [RNG.normal(0, 1, (3, 3)) for _ in range(3)]
    layer = layer_with(weights, iterations=3, exact=exact, dtype="float64", **THETAS)
    target, variable = RNG.normal(size=logits.shape), tf.Variable(logits, dtype=tf.float64)

    def loss(x):
        return tf.reduce_sum(target * tf.nn.softmax(layer([x, image])))

    with tf.GradientTape() as tape:
        value = loss(variable)
    places = [variable, *(weight.value for weight in layer.trainable_variables)]
    for place, gradient in zip(places, tape.gradient(value, places), strict=True):
        direction, start = RNG.normal(size=place.shape), tf.identity(place)
        sides = []
        for step in (1e-5, -1e-5):
            place.assign(start + step * direction)
            sides.append(float(loss(variable)))
        place.assign(start)
        np.testing.assert_allclose(np.vdot(gradient, direction), (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "labels", "channels"),
    [((1, 1), 4, 3), ((1, 17), 2, 3), ((13, 1), 3, 1), ((11, 14), 255, 3), ((9, 8), 3, 6), ((4, 5, 6), 3, 1)],
)
def test_any_size_labels_and_channels(shape, labels, channels):
    logits, image = scene(*shape, labels=labels, channels=channels, noise=5)
    ours = CRFRNN(4, **THETAS)([logits, image])
    exact = CRFRNN(4, exact=True, **THETAS)([logits, image])
    assert ours.shape == logits.shape
    assert np.isfinite(ours).all()
    p, q = tf.nn.softmax(ours), tf.nn.softmax(exact)
    assert np.abs(p - q).mean() < 0.03
    assert agreement(ours, exact) > 0.9


def test_a_constant_image_blurs_by_position_alone():
    logits, _ = scene(12, 15)
    grey, white = (CRFRNN(4)([logits, np.full((1, 12, 15, 3), level)]) for level in (0.0, 255.0))
    exact = CRFRNN(4, exact=True)([logits, np.zeros((1, 12, 15, 3))])
    for ours in (grey, white):
        np.testing.assert_allclose(tf.nn.softmax(ours), tf.nn.softmax(exact), atol=0.03)


def test_iterations_of_a_call_and_none_at_all():
    x = list(scene(9, 9))
    layer = CRFRNN(2, **THETAS)
    np.testing.assert_array_equal(layer(x, iterations=0), x[0])
    np.testing.assert_array_equal(layer(x), layer(x, iterations=2))
    assert np.abs(layer(x) - layer(x, iterations=5)).max() > 1e-2


def test_an_image_in_a_batch_is_the_image_alone_in_eager_mode_and_in_a_graph():
    pairs = [scene(9, 10, noise=noise, seed=noise) for noise in (0, 3, 30)]
    batch = [np.concatenate(parts) for parts in zip(*pairs, strict=True)]
    layer = CRFRNN(3, **THETAS)
    spec = [tf.TensorSpec((None, None, None, 4)), tf.TensorSpec((None, None, None, 3))]
    graph = tf.function(lambda logits, image: layer([logits, image]), input_signature=spec, autograph=False)
    for call in (layer, lambda x: graph(*x)):
        together = call(batch)
        for row, pair in enumerate(pairs):
            np.testing.assert_array_equal(together[row], call(list(pair))[0])
    np.testing.assert_allclose(graph(*batch), layer(batch), atol=1e-4)
    batch[1][1, 0, 0] = np.nan
    broken = graph(*batch).numpy()
    assert np.isnan(broken[1]).all()
    np.testing.assert_array_equal(broken[[0, 2]], together.numpy()[[0, 2]])


@pytest.mark.filterwarnings("error:Layer:UserWarning")
@pytest.mark.parametrize("exact", [False, True])
def test_void_pixels_change_nothing_and_stay(exact):
    logits, image = scene(10, 11, noise=6)
    mask = np.random.default_rng(3).random((1, 10, 11)) > 0.3
    layer = CRFRNN(3, exact=exact, **THETAS)
    wanted = layer([logits, image], mask=mask).numpy()
    np.testing.assert_array_equal(wanted[~mask], logits[~mask])
    logits[~mask], image[~mask] = np.nan, np.nan
    with tf.GradientTape() as tape:
        ours = layer([logits, image], mask=mask)
        loss = tf.reduce_sum(tf.boolean_mask(ours, mask) ** 2)
    np.testing.assert_array_equal(ours.numpy()[mask], wanted[mask])
    for gradient in tape.gradient(loss, [weight.value for weight in layer.trainable_variables]):
        assert np.isfinite(gradient).all()


def test_layer(tmp_path):
    logits, image = (np.repeat(x, 2, axis=0) for x in scene(7, 6, noise=9))
    check_layer(CRFRNN(2, **THETAS), [logits, image], tmp_path)


def test_half_precision_computes_in_float32():
    logits, image = scene(20, 21, noise=4)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        half = CRFRNN(3, dtype=policy)([tf.cast(logits, "bfloat16"), image])
        assert half.dtype == policy.removeprefix("mixed_")
        assert agreement(CRFRNN(3)([tf.cast(tf.cast(logits, "bfloat16"), "float32"), image]), half) > 0.99


def test_refusals():
    logits, image = scene(6, 6)
    for name in ("theta_alpha", "theta_beta", "theta_gamma"):
        for value in (0.0, -1.0, np.nan):
            with pytest.raises(ValueError, match=f"`{name}` must be a positive number"):
                CRFRNN(**{name: value})
    with pytest.raises(ValueError, match="`iterations` must be a whole number"):
        CRFRNN(iterations=-1)
    with pytest.raises(ValueError, match="`iterations` must be a whole number"):
        CRFRNN()([logits, image], iterations=2.5)
    with pytest.raises(ValueError, match="of the same sizes"):
        CRFRNN()([logits, image[:, :5]])
    for exact in (False, True):
        built = CRFRNN(exact=exact)
        built([logits, image])
        for other in (image[:, :5], image[:, :, :1], np.pad(image, [(0, 0), (0, 1), (0, 0), (0, 0)])):
            for call in (built, tf.function(lambda x, layer=built: layer(x), autograph=False)):
                with pytest.raises(ValueError, match="of the same sizes"):
                    call([logits, other])
    for name, pair in (("logits", (logits, image)), ("image", (image, logits))):
        broken = pair[0].copy()
        broken[0, 2, 3, 1] = np.inf
        x = [broken, image] if name == "logits" else [logits, broken]
        with pytest.raises(ValueError, match=f"`{name}` must be finite. Received: NaN or infinity at 1 pixels"):
            CRFRNN()(x)
    with pytest.raises(ValueError, match="must be finite, near 0 and span fewer than"):
        CRFRNN()([logits, 1e9 * image])
