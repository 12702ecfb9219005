import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import GradientClip, PeepholeLSTM, PeepholeLSTMCell, clip_gradient
from tests.layers.layer_check import check_layer
from tests.reference.graves import lstm_backward, lstm_forward

B, T, D, H = 3, 9, 4, 5


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def randomised(layer, x, rng):
    """The layer, built, with all of its weights at random: peepholes too, which start at zero."""
    layer(x)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


def loss_gradients(layer, x, upstream, **call):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, **call) * upstream)
    return tape.gradient(loss, [*(v.value for v in layer.trainable_variables), x])


def test_everything_a_layer_needs(tmp_path, rng):
    check_layer(PeepholeLSTM(H, return_sequences=True), rng.normal(size=(B, T, D)).astype("float32"), tmp_path)


def test_weight_shapes_and_order():
    layer = PeepholeLSTM(H)
    layer.build((None, None, D))
    shapes = {w.path.split("/")[-1]: tuple(w.shape) for w in layer.weights}
    assert shapes == {
        "kernel": (D, 4 * H),
        "recurrent_kernel": (H, 4 * H),
        "peephole_kernel": (3, H),
        "bias": (4 * H,),
    }


def test_equals_the_equations_forward(rng):
    x = rng.normal(size=(B, T, D))
    layer = randomised(PeepholeLSTM(H, return_sequences=True, return_state=True), x.astype("float32"), rng)
    weights = [w.astype("float64") for w in layer.get_weights()]
    expected, c, _ = lstm_forward(x.swapaxes(0, 1), np.zeros((B, H)), np.zeros((B, H)), weights)
    h_all, h_last, c_last = layer(x.astype("float32"))
    np.testing.assert_allclose(h_all, expected.swapaxes(0, 1), atol=1e-5)
    np.testing.assert_allclose(h_last, expected[-1], atol=1e-5)
    np.testing.assert_allclose(c_last, c, atol=1e-5)


def test_without_peepholes_it_is_the_lstm_of_keras(rng):
    x = rng.normal(size=(B, T, D)).astype("float32")
    ours, stock = PeepholeLSTM(H, return_sequences=True), keras.layers.LSTM(H, return_sequences=True)
    stock(x), ours(x)
    kernel, recurrent, bias = stock.get_weights()
    ours.set_weights([kernel, recurrent, np.zeros((3, H)), bias])
    np.testing.assert_allclose(ours(x), stock(x), atol=1e-5)


@pytest.mark.parametrize("clip", [np.inf, 0.05])
def test_gradients_equal_the_step_by_step_chain_rule(rng, clip):
    """At 0.05 most derivatives meet the bound, so that clipping anywhere else would show."""
    x, upstream = rng.normal(size=(B, T, D)), rng.normal(size=(B, T, H))
    layer = PeepholeLSTM(H, return_sequences=True, gradient_clip=None if clip == np.inf else clip, dtype="float64")
    randomised(layer, x, rng)
    _, _, tape = lstm_forward(x.swapaxes(0, 1), np.zeros((B, H)), np.zeros((B, H)), layer.get_weights())
    expected, dx, *_ = lstm_backward(upstream.swapaxes(0, 1), tape, layer.get_weights(), clip)
    *gradients, dx_ours = loss_gradients(layer, x, upstream)
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(dx_ours, dx.swapaxes(0, 1), rtol=1e-9, atol=1e-11)


def test_gradients_equal_finite_differences(rng):
    x, upstream = rng.normal(size=(B, T, D)), rng.normal(size=(B, T, H))
    layer = randomised(PeepholeLSTM(H, return_sequences=True, dtype="float64"), x, rng)
    mask = np.arange(T) < np.array([[T], [4], [6]])
    gradients = loss_gradients(layer, x, upstream, mask=mask)
    for variable, gradient in zip(layer.trainable_variables, gradients[:-1], strict=True):
        value = variable.numpy()
        for index in rng.choice(value.size, 6, replace=False):
            difference = []
            for sign in (1, -1):
                moved = value.copy()
                moved.flat[index] += sign * 1e-6
                variable.assign(moved)
                difference.append(float(tf.reduce_sum(layer(x, mask=mask) * upstream)))
            variable.assign(value)
            np.testing.assert_allclose(
                gradient.numpy().flat[index], (difference[0] - difference[1]) / 2e-6, rtol=1e-5, atol=1e-7
            )


def test_the_cell_in_a_stock_rnn_gives_the_same_numbers_and_gradients(rng):
    """The layer's own loop and back-propagation by hand against Keras's loop and automatic differentiation."""
    x, upstream = rng.normal(size=(B, T, D)), rng.normal(size=(B, T, H))
    layer = randomised(PeepholeLSTM(H, return_sequences=True, gradient_clip=0.1, dtype="float64"), x, rng)
    stock = keras.layers.RNN(layer.cell, return_sequences=True, dtype="float64")
    mask = np.arange(T) < np.array([[T], [4], [6]])
    for call in ({}, {"mask": mask}):
        np.testing.assert_allclose(layer(x, **call), stock(x, **call), atol=1e-12)
        for ours, theirs in zip(
            loss_gradients(layer, x, upstream, **call), loss_gradients(stock, x, upstream, **call), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_what_lies_under_the_mask_changes_nothing(rng):
    x = rng.normal(size=(B, T, D)).astype("float32")
    layer = randomised(PeepholeLSTM(H, gradient_clip=1.0), x, rng)
    mask = np.arange(T) < np.array([[T], [4], [6]])
    other = np.where(mask[..., None], x, 1e3).astype("float32")
    np.testing.assert_array_equal(layer(x, mask=mask), layer(other, mask=mask))
    np.testing.assert_allclose(layer(x, mask=mask)[1], layer(x[1:2, :4])[0], atol=1e-6)
    padding = loss_gradients(layer, x, np.ones((B, H), "float32"), mask=mask)[-1].numpy()[~mask]
    np.testing.assert_array_equal(padding, 0)


def test_two_halves_with_carried_state_equal_the_whole(rng):
    x = rng.normal(size=(B, T, D)).astype("float32")
    layer = randomised(PeepholeLSTM(H, return_sequences=True, return_state=True), x, rng)
    whole, *_ = layer(x)
    first, *state = layer(x[:, :4])
    second, *_ = layer(x[:, 4:], initial_state=state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-6)

    stateful = PeepholeLSTM(H, return_sequences=True, stateful=True)
    stateful.build((B, None, D))
    stateful.set_weights(layer.get_weights())
    np.testing.assert_allclose(np.concatenate([stateful(x[:, :4]), stateful(x[:, 4:])], axis=1), whole, atol=1e-6)
    stateful.reset_state()
    np.testing.assert_allclose(stateful(x[:, :4]), first, atol=1e-6)


def test_the_initial_state_has_its_gradient(rng):
    x = rng.normal(size=(B, T, D))
    layer = randomised(PeepholeLSTM(H, dtype="float64"), x, rng)
    state = [tf.constant(rng.normal(size=(B, H))) for _ in range(2)]
    with tf.GradientTape() as tape:
        tape.watch(state)
        loss = tf.reduce_sum(layer(x, initial_state=state) ** 2)
    gradients = tape.gradient(loss, state)
    for n in range(2):
        moved = [tf.identity(s) for s in state]
        direction = rng.normal(size=(B, H))
        sides = []
        for sign in (1, -1):
            moved[n] = state[n] + sign * 1e-6 * direction
            sides.append(float(tf.reduce_sum(layer(x, initial_state=moved) ** 2)))
        np.testing.assert_allclose((sides[0] - sides[1]) / 2e-6, np.sum(gradients[n] * direction), rtol=1e-6)


def test_go_backwards_reads_the_sequence_from_its_end(rng):
    x = rng.normal(size=(B, T, D)).astype("float32")
    layer = randomised(PeepholeLSTM(H, return_sequences=True), x, rng)
    backward = PeepholeLSTM(H, return_sequences=True, go_backwards=True)
    backward(x)
    backward.set_weights(layer.get_weights())
    np.testing.assert_allclose(backward(x), layer(x[:, ::-1]), atol=1e-6)
    both = keras.layers.Bidirectional(PeepholeLSTM(H, return_sequences=True))
    assert both(x).shape == (B, T, 2 * H)


@pytest.mark.parametrize("static", [True, False])
def test_jit_compile_gives_the_same_loss_and_gradients(rng, static):
    x, upstream = rng.normal(size=(B, T, D)).astype("float32"), rng.normal(size=(B, T, H)).astype("float32")
    layer = randomised(PeepholeLSTM(H, return_sequences=True, gradient_clip=0.1), x, rng)
    signature = [tf.TensorSpec((B, T, D) if static else (None, None, D))]

    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) * upstream)
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    plain = tf.function(gradients, signature)(x)
    for a, b in zip(plain, tf.function(gradients, signature, jit_compile=True)(x), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(plain, gradients(tf.constant(x)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def relative_errors(found, expected):
    return [float(tf.norm(a - b) / tf.norm(b)) for a, b in zip(found, expected, strict=True)]


@pytest.mark.parametrize("masked", [False, True])
def test_products_in_bfloat16_are_close_in_training_and_absent_outside(rng, masked):
    x, upstream = (rng.normal(size=(B, 20, n)).astype("float32") for n in (D, 64))
    mask = np.arange(20) < np.array([[20], [7], [15]]) if masked else None
    exact = PeepholeLSTM(64, return_sequences=True, return_state=True)
    low = PeepholeLSTM(64, return_sequences=True, return_state=True, product_dtype="bfloat16")
    for layer in (exact, low):
        layer(x)
    low.set_weights(exact.get_weights())
    outside = [layer(x, mask=mask, training=False) for layer in (exact, low)]
    for a, b in zip(*outside, strict=True):
        np.testing.assert_array_equal(a, b)

    inside = [layer(x, mask=mask, training=True) for layer in (exact, low)]
    assert {str(y.dtype) for y in inside[1]} == {"<dtype: 'float32'>"}
    bfloat16 = 2.0**-8  # half a unit in the last of eight places, relative
    assert 0 < max(relative_errors(inside[1], inside[0])) < bfloat16

    def derivatives(layer):
        x_in = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x_in)
            loss = tf.reduce_sum(layer(x_in, mask=mask, training=True)[0] * upstream)
        return tape.gradient(loss, [*(v.value for v in layer.trainable_variables), x_in])

    errors = relative_errors(derivatives(low), derivatives(exact))
    assert min(errors) > 0
    assert max(errors) < 2 * bfloat16


def test_the_dtype_of_the_products_is_saved():
    layer = PeepholeLSTM.from_config(PeepholeLSTM(H, product_dtype="bfloat16").get_config())
    assert layer.product_dtype == "bfloat16"


def test_clipping_bounds_each_step_not_the_sum():
    """A derivative of 100 at each of 20 steps reaches the bias as 20 bounded shares."""
    layer = PeepholeLSTM(1, return_sequences=True, gradient_clip=0.01, dtype="float64")
    x = np.ones((1, 20, 1))
    layer(x)
    gradients = loss_gradients(layer, x, np.full((1, 20, 1), 100.0))
    bias = gradients[3].numpy()
    assert np.abs(bias).max() <= 20 * 0.01 + 1e-12
    assert np.abs(bias).max() > 5 * 0.01


def test_the_clip_is_the_identity_forward_and_bounded_backward(tmp_path):
    x = tf.constant([[-3.0, 0.5, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = clip_gradient(x, 1.5)
        loss = tf.reduce_sum(y * y)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(tape.gradient(loss, x), [[-1.5, 1.0, 1.5]])
    assert clip_gradient(x, None) is x
    check_layer(GradientClip(2.0), x.numpy(), tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PeepholeLSTM(0), "`units` must be a positive integer. Received: units=0"),
        (lambda: PeepholeLSTMCell(2.5), "`units` must be a positive integer. Received: units=2.5"),
        (lambda: PeepholeLSTM(2, gradient_clip=-1.0), "`gradient_clip` must be None or a positive number"),
        (lambda: PeepholeLSTM(2, product_dtype="int8"), "`product_dtype` must be None, float32 or bfloat16"),
        (lambda: GradientClip(0), "`bound` must be a positive number. Received: bound=0"),
    ],
)
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        make()
