import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.training.optimizers import GradientSquares, GravesRMSprop, ScaledStepWithReturn


def test_equals_the_papers_equations():
    """Equations 38 to 45 of Graves 2013, retold for a fixed sequence of derivatives."""
    rng = np.random.default_rng(0)
    variable = keras.Variable(rng.normal(size=(3, 2)), dtype="float32")
    other = keras.Variable(rng.normal(size=(4,)), dtype="float32")
    w = [variable.numpy().astype("float64"), other.numpy().astype("float64")]
    n, g, delta = ([np.zeros_like(x) for x in w] for _ in range(3))
    optimizer = GravesRMSprop()
    for _ in range(20):
        gradients = [rng.normal(size=x.shape) * 30 for x in w]
        optimizer.apply([keras.ops.convert_to_tensor(e, "float32") for e in gradients], [variable, other])
        for k, e in enumerate(gradients):
            n[k] = 0.95 * n[k] + 0.05 * e**2
            g[k] = 0.95 * g[k] + 0.05 * e
            delta[k] = 0.9 * delta[k] - 1e-4 * e / np.sqrt(n[k] - g[k] ** 2 + 1e-4)
            w[k] = w[k] + delta[k]
    np.testing.assert_allclose(variable, w[0], rtol=1e-5)
    np.testing.assert_allclose(other, w[1], rtol=1e-5)


def test_the_configuration_comes_back():
    optimizer = GravesRMSprop(3e-4, rho=0.9, momentum=0.5, epsilon=1e-3)
    twin = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (twin.rho, twin.momentum, twin.epsilon) == (0.9, 0.5, 1e-3)
    np.testing.assert_allclose(twin.learning_rate, 3e-4)


def two_weights(rng):
    variables = [keras.Variable(rng.normal(size=shape), dtype="float32") for shape in ((5, 2), (4,))]
    return variables, [v.numpy().astype("float64") for v in variables]


def test_squares_add_up_and_no_weight_changes():
    rng = np.random.default_rng(1)
    variables, before = two_weights(rng)
    optimizer, expected = GradientSquares(), [np.zeros((5, 2)), np.zeros(4)]
    for _ in range(6):
        rows = rng.normal(size=(3, 2)).astype("float32")
        dense = rng.normal(size=4).astype("float32")
        sparse = tf.IndexedSlices(tf.constant(rows), tf.constant([4, 1, 4]), tf.constant([5, 2]))  # one row twice
        optimizer.apply([sparse, tf.constant(dense)], variables)
        whole = np.zeros((5, 2))
        np.add.at(whole, [4, 1, 4], rows)
        expected = [expected[0] + whole**2, expected[1] + dense.astype("float64") ** 2]
    for variable, value, square, sum_ in zip(variables, before, optimizer.squares, expected, strict=True):
        np.testing.assert_array_equal(variable, value.astype("float32"))
        np.testing.assert_allclose(square, sum_, rtol=1e-5)


def test_scaled_steps_return_to_where_they_began():
    rng = np.random.default_rng(2)
    variables, origin = two_weights(rng)
    squares = [rng.uniform(0, 9, size=w.shape) ** 8 for w in origin]
    roots = [np.sqrt(s) for s in squares]
    scale = [root / np.concatenate([r.ravel() for r in roots]).mean() for root in roots]
    optimizer = ScaledStepWithReturn(variables, squares, 0.02, decay=0.4, epsilon=0.3)
    assert any((0.4 * s > 1).any() for s in scale)  # the bound on the return is reached
    w = [x.copy() for x in origin]
    for _ in range(5):
        gradients = [rng.normal(size=x.shape) for x in w]
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32") for g in gradients], variables)
        for k, g in enumerate(gradients):
            w[k] += np.minimum(0.4 * scale[k], 1) * (origin[k] - w[k]) - 0.02 * g / (scale[k] + 0.3)
    for variable, value in zip(variables, w, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("squares", "settings", "message"),
    [
        ([np.ones(3)], {"decay": 1.5}, "decay=1.5"),
        ([np.ones(3)], {"epsilon": 0.0}, "epsilon=0.0"),
        ([np.zeros(3)], {}, "all squares are zero"),
    ],
)
def test_what_scaled_steps_refuse(squares, settings, message):
    with pytest.raises(ValueError, match=message):
        ScaledStepWithReturn([keras.Variable(np.ones(3))], squares, 0.1, **settings)
