import keras
import numpy as np

from keras_seqgen.training.optimizers import GravesRMSprop


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
