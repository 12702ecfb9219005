import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import WindowLSTM, WindowLSTMCell, window_weights
from tests.layers.layer_check import check_layer
from tests.reference.graves import window_backward, window_forward

B, T, D, U, C, H, K = 3, 8, 3, 6, 4, 5, 2


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def inputs(rng):
    return rng.normal(size=(B, T, D)), rng.normal(size=(B, U, C))


def randomised(layer, inputs, rng):
    layer(list(inputs))
    layer.set_weights([rng.normal(0, 0.4, w.shape) for w in layer.get_weights()])
    return layer


def objective(layer, inputs, upstream, **call):
    return sum(tf.reduce_sum(out * up) for out, up in zip(layer(list(inputs), **call), upstream, strict=False))


def loss_gradients(layer, inputs, upstream, **call):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = objective(layer, inputs, upstream, **call)
    return tape.gradient(loss, [*(v.value for v in layer.trainable_variables), *inputs])


def upstreams(rng):
    return rng.normal(size=(B, T, H)), rng.normal(size=(B, T, C))


def test_everything_a_layer_needs(tmp_path, inputs):
    check_layer(WindowLSTM(H, components=K), [x.astype("float32") for x in inputs], tmp_path)


def test_equals_the_equations_forward(rng, inputs):
    layer = randomised(WindowLSTM(H, components=K, return_state=True), [x.astype("float32") for x in inputs], rng)
    state = [np.zeros((B, size)) for size in (H, H, C, K)]
    x, context = inputs
    h, w, after, _ = window_forward(
        x.swapaxes(0, 1), context, state, [w.astype("float64") for w in layer.get_weights()]
    )
    ours_h, ours_w, ours_after = layer([x.astype("float32"), context.astype("float32")])
    np.testing.assert_allclose(ours_h, h.swapaxes(0, 1), atol=1e-5)
    np.testing.assert_allclose(ours_w, w.swapaxes(0, 1), atol=1e-5)
    for a, b in zip(ours_after, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_gradients_equal_finite_differences(rng, inputs):
    layer = randomised(WindowLSTM(H, components=K, dtype="float64"), inputs, rng)
    upstream = upstreams(rng)
    gradients = loss_gradients(layer, inputs, upstream)
    values = [*(v.numpy() for v in layer.trainable_variables), *inputs]
    for n, gradient in enumerate(gradients):
        direction = rng.normal(size=values[n].shape)
        sides = []
        for sign in (1, -1):
            moved = [v + sign * 1e-6 * direction if m == n else v for m, v in enumerate(values)]
            layer.set_weights(moved[: len(layer.weights)])
            sides.append(float(objective(layer, moved[-2:], upstream)))
        layer.set_weights(values[: len(layer.weights)])
        np.testing.assert_allclose((sides[0] - sides[1]) / 2e-6, np.sum(gradient * direction), rtol=1e-5)


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("masked", [False, True])
def test_the_loop_by_hand_equals_the_cell_under_automatic_differentiation(rng, inputs, clip, masked):
    layer = randomised(WindowLSTM(H, components=K, gradient_clip=clip, dtype="float64"), inputs, rng)
    upstream = upstreams(rng)
    x, context = (tf.constant(array) for array in inputs)
    steps = np.arange(T) < np.array([[T], [3], [6]]) if masked else np.ones((B, T), bool)
    with tf.GradientTape() as tape:
        tape.watch([x, context])
        states, loss = layer.cell.get_initial_state(B), 0.0
        for t in range(T):
            _, new = layer.cell(x[:, t], states, context)
            states = [tf.where(steps[:, t, None], a, b) for a, b in zip(new, states, strict=True)]
            loss += tf.reduce_sum(states[0] * upstream[0][:, t]) + tf.reduce_sum(states[2] * upstream[1][:, t])
    expected = tape.gradient(loss, [*(v.value for v in layer.trainable_variables), x, context])
    call = {"mask": [tf.constant(steps), None]} if masked else {}
    np.testing.assert_allclose(objective(layer, (x, context), upstream, **call), loss, rtol=1e-12)
    for ours, theirs in zip(loss_gradients(layer, (x, context), upstream, **call), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("clip", [np.inf, 0.05])
def test_gradients_equal_the_step_by_step_chain_rule(rng, inputs, clip):
    """The bound of 0.05 bites at most gates; the window's own derivatives pass it unclipped."""
    layer = WindowLSTM(H, components=K, gradient_clip=None if clip == np.inf else clip, dtype="float64")
    randomised(layer, inputs, rng)
    (x, context), upstream, weights = inputs, upstreams(rng), layer.get_weights()
    state = [np.zeros((B, size)) for size in (H, H, C, K)]
    *_, tape = window_forward(x.swapaxes(0, 1), context, state, weights)
    dh, dw = (array.swapaxes(0, 1) for array in upstream)
    expected = window_backward(dh, dw, context, tape, weights, clip)
    for ours, theirs in zip(loss_gradients(layer, inputs, upstream), expected, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_clipping_changes_the_gradient_here(rng, inputs):
    """The bound of the test above does bite."""
    layer = randomised(WindowLSTM(H, components=K, dtype="float64"), inputs, rng)
    clipped = WindowLSTM(H, components=K, gradient_clip=0.05, dtype="float64")
    clipped(list(inputs))
    clipped.set_weights(layer.get_weights())
    upstream = upstreams(rng)
    free, bounded = (loss_gradients(each, inputs, upstream)[0] for each in (layer, clipped))
    assert np.abs(free - bounded).max() > 0.1


def test_two_halves_with_carried_state_equal_the_whole(rng, inputs):
    x, context = (array.astype("float32") for array in inputs)
    layer = randomised(WindowLSTM(H, components=K, return_state=True), (x, context), rng)
    h, w, state = layer([x, context])
    h_1, w_1, middle = layer([x[:, :3], context])
    h_2, w_2, end = layer([x[:, 3:], context], initial_state=middle)
    np.testing.assert_allclose(np.concatenate([h_1, h_2], 1), h, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([w_1, w_2], 1), w, atol=1e-6)
    for a, b in zip(end, state, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_padding_of_the_text_changes_nothing(rng, inputs):
    x, context = (array.astype("float32") for array in inputs)
    layer = randomised(WindowLSTM(H, components=K), (x, context), rng)
    padded = np.concatenate([context, np.zeros((B, 5, C), "float32")], axis=1)
    masked = np.concatenate([context, np.ones((B, 5, C), "float32")], axis=1)
    mask = [None, tf.constant(np.arange(U + 5)[None] < np.full((B, 1), U))]
    for a, b, c in zip(layer([x, context]), layer([x, padded]), layer([x, masked], mask=mask), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_array_equal(b, c)


def test_the_window_only_moves_forward(rng, inputs):
    x, context = (array.astype("float32") for array in inputs)
    layer = randomised(WindowLSTM(H, components=K), (x, context), rng)
    states, before = layer.cell.get_initial_state(B), np.zeros((B, K))
    for t in range(T):
        _, states = layer.cell(tf.constant(x[:, t]), states, tf.constant(context))
        assert (states[3].numpy() > before).all()
        before = states[3].numpy()


def test_a_sharp_window_reads_one_character():
    """One Gaussian of weight 1 and great sharpness at kappa = 3: phi is the third unit vector."""
    phi = window_weights(tf.ones((1, 1)), tf.fill((1, 1), 50.0), tf.fill((1, 1), 3.0), 5)
    np.testing.assert_allclose(phi, [[0, 0, 1, 0, 0]], atol=1e-6)


def test_the_position_stays_float32_under_mixed_precision():
    cell = WindowLSTMCell(H, components=K, dtype="mixed_bfloat16")
    cell.build((B, D), (B, U, C))
    assert [s.dtype for s in cell.get_initial_state(2)] == ["bfloat16"] * 3 + ["float32"]
    _, states = cell(tf.zeros((2, D)), cell.get_initial_state(2), tf.zeros((2, U, C)))
    assert [s.dtype.name for s in states] == ["bfloat16"] * 3 + ["float32"]


def test_jit_compile_gives_the_same_gradients(rng, inputs):
    x, context = (array.astype("float32") for array in inputs)
    layer = randomised(WindowLSTM(H, components=K, gradient_clip=0.1), (x, context), rng)
    upstream = [up.astype("float32") for up in upstreams(rng)]

    def gradients(x, context):
        with tf.GradientTape() as tape:
            loss = objective(layer, (x, context), upstream)
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    plain = tf.function(gradients, [tf.TensorSpec((None, None, D)), tf.TensorSpec((None, None, C))])(x, context)
    for a, b in zip(plain, tf.function(gradients, jit_compile=True)(x, context), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("sizes", [{"units": -1}, {"units": 3, "components": 0}, {"units": 3, "gradient_clip": 0}])
def test_a_wrong_argument_is_named(sizes):
    name = list(sizes)[-1]
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}={sizes[name]}"):
        WindowLSTM(**sizes)
