import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.layers import AdaptiveWeightNoise, PeepholeLSTM, WeightNoise, WindowLSTM
from tests.layers.layer_check import check_layer

pytestmark = pytest.mark.filterwarnings(
    "error",
    "ignore:__array__ implementation",
    "ignore:.*The structure of `inputs`",
    "ignore:Exception encountered",  # check_layer's lists of one input
)
B, T, D, H = 4, 6, 3, 5

LAYERS = {
    "lstm": lambda: keras.layers.LSTM(H, return_sequences=True),
    "gru": lambda: keras.layers.GRU(H, return_sequences=True),
    "dense": lambda: keras.layers.Dense(H, activation="tanh"),
    "peephole": lambda: PeepholeLSTM(H, return_sequences=True, gradient_clip=10.0),
}
WRAPPERS = {
    "fixed": lambda layer, seed=None: WeightNoise(layer, stddev=0.1, seed=seed),
    "adaptive": lambda layer, seed=None: AdaptiveWeightNoise(layer, kl_weight=0.01, initial_stddev=0.1, seed=seed),
}


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, D)).astype("float32")


@pytest.fixture(params=WRAPPERS)
def wrap(request):
    return WRAPPERS[request.param]


@pytest.fixture(params=LAYERS)
def new_layer(request):
    return LAYERS[request.param]


def test_everything_a_layer_needs(new_layer, x, tmp_path):
    """`AdaptiveWeightNoise` is not among them: at inference no gradient reaches its log variances."""
    check_layer(WeightNoise(new_layer()), x, tmp_path, mixed=False)


def test_inference_is_exactly_the_layer(wrap, new_layer, x):
    noisy = wrap(new_layer())
    noisy.build(x.shape)
    expected = noisy.layer(x)
    for call in ({}, {"training": False}):
        np.testing.assert_array_equal(noisy(x, **call), expected)
        assert noisy.losses == []
    assert (noisy(x, training=True).numpy() != expected.numpy()).any()


@pytest.mark.parametrize("stddev", [0.075, 0.5])
@pytest.mark.parametrize("kind", ["fixed", "adaptive"])
def test_the_noise_is_gaussian_of_the_given_size(kind, stddev):
    dense = keras.layers.Dense(200, use_bias=False)
    noisy = WeightNoise(dense, stddev, seed=1) if kind == "fixed" else AdaptiveWeightNoise(dense, 0.0, stddev, seed=1)
    eye = np.eye(300, dtype="float32")  # unit vectors show the weights
    a, b = (noisy(eye, training=True).numpy() - noisy(eye).numpy() for _ in range(2))
    n = a.size
    assert abs(a.mean()) < 4 * stddev / np.sqrt(n)
    np.testing.assert_allclose(a.std(), stddev, rtol=4 / np.sqrt(2 * n))
    assert stats.kstest(a.ravel()[::7] / stddev, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(n)  # a new draw at each call
    assert abs(np.corrcoef(a[:, 0], a[:, 1])[0, 1]) < 4 / np.sqrt(300)  # of each weight


def test_adaptive_noise_follows_its_log_variances():
    noisy = AdaptiveWeightNoise(keras.layers.Dense(2, use_bias=False), 0.0, seed=1)
    noisy.build((None, 20_000))
    noisy.log_variances[0].assign(np.tile(np.log([0.01, 4.0]), (20_000, 1)))
    (noise,) = noisy.draw([tf.zeros((20_000, 2))])
    np.testing.assert_allclose(noise.numpy().std(axis=0), [0.1, 2.0], rtol=0.02)


def test_output_and_gradients_are_the_layers_at_the_noisy_weights(wrap, new_layer, x):
    """dL/dw = dL/dw': the wrapper at w gives what the plain layer gives with w' as its own weights."""
    noisy, drawn, plain = wrap(new_layer(), seed=5), wrap(new_layer(), seed=5), new_layer()
    for layer in (noisy, drawn, plain):
        layer.build(x.shape)
    drawn.layer.set_weights(noisy.layer.get_weights())
    plain.set_weights([w.numpy() for w in drawn.draw([v.value for v in drawn.layer.trainable_variables])])
    results = []
    for layer, call in ((noisy, {"training": True}), (plain, {})):
        inner = getattr(layer, "layer", layer)
        with tf.GradientTape() as tape:
            out = layer(x, **call)
            loss = tf.reduce_sum(out**2)
        results.append((out, tape.gradient(loss, [v.value for v in inner.trainable_variables])))
    (out, gradients), (expected, expected_gradients) = results
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
    for a, b in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_masks_pass_through(wrap, x):
    mask = np.arange(T) < np.array([6, 4, 2, 1])[:, None]
    padded = np.where(mask[..., None], x, 0.0).astype("float32")
    inputs = keras.Input((None, D))
    noisy = wrap(keras.layers.LSTM(H, return_sequences=True))
    model = keras.Model(inputs, keras.layers.LSTM(2)(noisy(keras.layers.Masking()(inputs))))
    np.testing.assert_array_equal(noisy.compute_mask(padded, mask), mask)
    for i, length in enumerate(mask.sum(-1)):
        np.testing.assert_allclose(model(padded)[i], model(padded[i : i + 1, :length])[0], atol=1e-6)
    explicit = noisy(padded, mask=mask, training=True).numpy()
    assert (explicit[1, 4:] == explicit[1, 3]).all()  # a masked step repeats the last output
    implicit = noisy(keras.layers.Masking()(padded), training=True).numpy()
    assert (implicit[1, 4:] == implicit[1, 3]).all()


def test_initial_state_and_several_outputs(wrap, x):
    noisy = wrap(keras.layers.LSTM(H, return_sequences=True, return_state=True))
    whole, *last = noisy(x)
    first, *state = noisy(x[:, :2])
    rest, *end = noisy(x[:, 2:], initial_state=state)
    np.testing.assert_allclose(np.concatenate([first, rest], 1), whole, atol=1e-6)
    np.testing.assert_allclose(end, last, atol=1e-6)
    assert [o.shape for o in noisy(x, initial_state=end, training=True)] == [(B, T, H), (B, H), (B, H)]
    symbols = noisy(keras.Input((None, D)), initial_state=[keras.Input((H,)), keras.Input((H,))])
    assert [o.shape for o in symbols] == [(None, None, H), (None, H), (None, H)]


def test_wraps_the_window(wrap, x, tmp_path):
    context = np.random.default_rng(1).normal(size=(B, 4, 7)).astype("float32")
    noisy = wrap(WindowLSTM(H, components=2, gradient_clip=10.0))
    inputs = keras.Input((None, D)), keras.Input((None, 7))
    h, w = noisy(list(inputs))
    assert noisy.cell is noisy.layer.cell
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.concatenate([h, w], -1)))
    model.compile("sgd", "mse", jit_compile=False)
    model.fit([x, context], np.zeros((B, T, 2)), epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded([x, context]), model([x, context]), atol=1e-6)
    mask = np.arange(T) < np.array([6, 4, 2, 1])[:, None]
    h, _ = noisy([x, context], mask=[mask, None], training=True)
    assert (h[1, 4:].numpy() == h[1, 3].numpy()).all()


def test_state_of_the_layer_is_kept(wrap, x):
    stateful = wrap(keras.layers.LSTM(H, stateful=True))
    stateful.build(x.shape)
    out = stateful(x, training=True)
    np.testing.assert_allclose(stateful.layer.states[0], out, atol=1e-6)
    assert (stateful(x).numpy() != out.numpy()).any()

    normal = wrap(keras.layers.BatchNormalization())
    normal(x + 3, training=True)
    np.testing.assert_allclose(normal.layer.moving_mean, 0.01 * (x + 3).mean((0, 1)), atol=1e-6)

    dropout = keras.Sequential([keras.layers.Dense(200, kernel_initializer="ones"), keras.layers.Dropout(0.5, seed=1)])
    dropped = wrap(dropout)
    a, b = (dropped(np.ones((1, 3), "float32"), training=True).numpy() == 0 for _ in range(2))
    assert 50 < a.sum() < 150
    assert (a != b).any()


def test_losses_of_the_layer_count_once(wrap):
    dense = keras.layers.Dense(2, activity_regularizer="l2", kernel_regularizer="l2")
    noisy = wrap(dense)
    noisy.build((1, 3))
    if isinstance(noisy, AdaptiveWeightNoise):
        noisy.kl_weight = 0.0
    kernel = 0.01 * float((dense.kernel.numpy() ** 2).sum())
    out = noisy(np.ones((1, 3), "float32"), training=True)
    np.testing.assert_allclose(
        sum(map(float, noisy.losses)), kernel + 0.01 * float((out.numpy() ** 2).sum()), rtol=1e-5
    )


def test_a_frozen_layer_has_no_noise(wrap, x):
    noisy = wrap(keras.layers.Dense(H))
    noisy(x)
    noisy.trainable = False
    np.testing.assert_array_equal(noisy(x, training=True), noisy(x))
    assert noisy.losses == []


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def test_mixed_precision(wrap, policy, x, tmp_path):
    """The layer computes in half precision; noise, log variances and KL in float32."""
    noisy = wrap(keras.layers.LSTM(H, return_sequences=True), seed=3)
    model = keras.Sequential([keras.Input((None, D)), keras.layers.Dense(D), noisy])
    assert model(x).dtype == model.outputs[0].dtype == policy.removeprefix("mixed_")
    model.compile("adam", "mse", jit_compile=False)
    losses = model.fit(x, np.zeros((B, T, H)), verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert {str(w.dtype) for w in noisy.trainable_variables} == {"float32"}
    if isinstance(noisy, AdaptiveWeightNoise):
        model(x, training=True)
        assert model.losses[0].dtype == tf.float32
        np.testing.assert_allclose(model.losses[0], 0.01 * B * noisy.kl(), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(tf.cast(loaded(x), "float32"), tf.cast(model(x), "float32"))


def test_fit_with_xla(x):
    model = keras.Sequential([WRAPPERS["adaptive"](keras.layers.GRU(H)), WeightNoise(keras.layers.Dense(1))])
    model.compile("adam", "mse", jit_compile=True)
    losses = model.fit(x, np.zeros((B, 1)), epochs=3, batch_size=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert len(set(losses)) == 3


def test_warm_start_plain_to_fixed_to_adaptive(x):
    """The layer inside keeps its weights' names and order, so that runs follow on one another."""

    def build(wrap):
        inputs = keras.Input((None, D))
        hidden = wrap(keras.layers.LSTM(H, return_sequences=True, name="hidden"))(inputs)
        return keras.Model(inputs, wrap(keras.layers.Dense(2, name="output"))(hidden))

    plain, fixed, adaptive = build(lambda layer: layer), build(WeightNoise), build(WRAPPERS["adaptive"])
    for before, after in ((plain, fixed), (fixed, adaptive)):
        trained = [getattr(layer, "layer", layer) for layer in before.layers[1:]]
        for old, new in zip(trained, after.layers[1:], strict=True):
            assert [w.name for w in old.weights] == [w.name for w in new.layer.weights]
            new.layer.set_weights(old.get_weights())
    np.testing.assert_array_equal(adaptive(x), plain(x))
    np.testing.assert_array_equal(fixed(x), plain(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda layer: WeightNoise(layer, stddev=-1), "`stddev`"),
        (lambda layer: AdaptiveWeightNoise(layer, 1.0, initial_stddev=0), "`initial_stddev`"),
        (lambda layer: AdaptiveWeightNoise(layer, -1.0), "`kl_weight`"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=f"{message} must .* Received"):
        make(keras.layers.Dense(1))


def test_on_jax():
    script = """
        import keras, numpy as np
        from keras_seqgen.layers.token_embedding import TokenEmbedding
        from keras_seqgen.layers.weight_noise import AdaptiveWeightNoise, WeightNoise
        assert keras.backend.backend() == "jax"
        x = np.random.default_rng(0).normal(size=(8, 6, 3)).astype("float32")
        noisy = WeightNoise(keras.layers.Dense(500, use_bias=False, activity_regularizer="l2"), stddev=0.2, seed=1)
        eye = np.eye(300, dtype="float32")
        a, b = (np.array(noisy(eye, training=True)) - np.array(noisy(eye)) for _ in range(2))
        assert abs(a.std() - 0.2) < 0.002 and abs((a * b).mean()) < 0.002
        lstm = AdaptiveWeightNoise(keras.layers.LSTM(5, dropout=0.2, return_sequences=True), kl_weight=1 / 8)
        dense = WeightNoise(keras.layers.Dense(2))
        model = keras.Sequential([keras.Input((None, 3)), keras.layers.Masking(), lstm, dense])
        model.compile("adam", "mse")
        before = [np.array(w) for w in model.trainable_variables], [np.array(w) for w in model.non_trainable_variables]
        losses = model.fit(x, np.zeros((8, 6, 2)), batch_size=4, epochs=3, verbose=0).history["loss"]
        assert np.isfinite(losses).all(), losses
        after = [np.array(w) for w in model.trainable_variables], [np.array(w) for w in model.non_trainable_variables]
        weights, seeds = ([(a != b).any() for a, b in zip(*pair)] for pair in zip(before, after))
        assert all(weights) and sum(seeds) == 3  # two seeds of noise, one of dropout

        dense = AdaptiveWeightNoise(keras.layers.Dense(2, activity_regularizer="l2"), kl_weight=1 / 8)
        model = keras.Sequential([keras.Input((3,)), dense])
        values = [[v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]]
        outputs, _, losses = model.stateless_call(*values, x[:, 0], training=True, return_losses=True)
        activity = 0.01 * float((np.array(outputs) ** 2).sum()) / 8
        np.testing.assert_allclose(sorted(map(float, losses)), sorted([float(dense.kl()), activity]), rtol=1e-5)

        table = WeightNoise(TokenEmbedding(2000, 5), stddev=0.2)
        model = keras.Sequential([keras.Input((3,), dtype="int32"), table, keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=True)
        before, ids = np.array(table.layer.embeddings), np.array([[7, 2000, 7], [0, 7, 0]])
        model.fit(ids, np.ones((2, 3, 1)), verbose=0)
        changed = (np.array(table.layer.embeddings) != before).any(axis=1)
        assert [*np.flatnonzero(changed) + 1] == [7, 2000]
        noisy = np.array(table(ids, training=True))
        assert (noisy[0, 0] == noisy[1, 1]).all() and not noisy[1, [0, 2]].any()
        print("done")
    """
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "done", done.stderr
