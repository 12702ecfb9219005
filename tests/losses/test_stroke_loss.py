import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.distributions import stroke_log_density, stroke_parameters
from keras_seqgen.losses import StrokeLoss

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
B, T = 3, 7


@pytest.fixture
def batch():
    rng = np.random.default_rng(2)
    strokes = np.concatenate([rng.normal(size=(B, T, 2)), rng.integers(0, 2, (B, T, 1))], -1).astype("float32")
    weight = (np.arange(T) < np.array([7, 4, 1])[:, None]).astype("float32")
    return strokes * weight[..., None], rng.normal(size=(B, T, 121)).astype("float32"), weight


def test_is_the_weighted_sum_of_nats(batch):
    strokes, raw, weight = batch
    nats = -np.array(stroke_log_density(stroke_parameters(raw), strokes))
    assert StrokeLoss().call(strokes, raw).shape == (B, T)
    np.testing.assert_allclose(StrokeLoss()(strokes, raw, weight), (nats * weight).sum(), rtol=1e-5)
    np.testing.assert_allclose(StrokeLoss(reduction=None)(strokes, raw), nats, rtol=1e-6)


def loss_and_gradient(strokes, raw, weight):
    raw = tf.constant(raw)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        loss = StrokeLoss()(strokes, raw, weight)
    return loss.numpy(), tape.gradient(loss, raw).numpy()


def test_padding_adds_exactly_nothing(batch):
    """However wild the network's output on padding."""
    strokes, raw, weight = batch
    rng = np.random.default_rng(3)
    wild = np.where(weight[..., None] > 0, raw, rng.choice([-1e4, -90, 0, 90, 1e4], raw.shape).astype("float32"))
    loss, gradient = loss_and_gradient(strokes, raw, weight)
    wild_loss, wild_gradient = loss_and_gradient(strokes, wild, weight)
    assert loss == wild_loss
    np.testing.assert_array_equal(gradient, wild_gradient)
    assert (gradient[weight == 0] == 0).all()
    alone = sum(loss_and_gradient(strokes[i : i + 1, :n], raw[i : i + 1, :n], None)[0] for i, n in enumerate([7, 4, 1]))
    np.testing.assert_allclose(loss, alone, rtol=1e-6)


def test_a_broken_network_is_not_hushed_up(batch):
    strokes, raw, weight = batch
    raw[0, 0, 5] = np.nan
    assert np.isnan(loss_and_gradient(strokes, raw, weight)[0])


def test_round_trip_and_fit(batch, tmp_path):
    strokes, _, weight = batch
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.Dense(121, dtype="mixed_bfloat16")(inputs))
    model.compile("sgd", StrokeLoss())
    model.optimizer.learning_rate = 1e-3
    history = model.fit(strokes, strokes, sample_weight=weight, batch_size=B, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, StrokeLoss)
    assert loaded.loss.get_config() == {"name": "stroke_loss", "reduction": "sum"}
    arguments = {"sample_weight": weight, "batch_size": B, "verbose": 0}
    assert loaded.evaluate(strokes, strokes, **arguments) == model.evaluate(strokes, strokes, **arguments)


def test_without_tensorflow_on_jax():
    script = """
        import sys
        import numpy as np
        from keras_seqgen.losses import StrokeLoss
        from keras_seqgen.metrics import NatsPerPoint
        assert "tensorflow_probability" not in sys.modules
        import jax
        loss = StrokeLoss()
        strokes, raw = np.ones((2, 4, 3), "float32"), np.linspace(-1, 1, 968, dtype="float32").reshape(2, 4, 121)
        value, gradient = jax.value_and_grad(lambda raw: loss(strokes, raw))(raw)
        metric = NatsPerPoint()
        metric.update_state(strokes, raw)
        print(float(value), float(abs(gradient).sum()), float(metric.result()))
    """
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    strokes, raw = np.ones((2, 4, 3), "float32"), np.linspace(-1, 1, 968, dtype="float32").reshape(2, 4, 121)
    value, gradient = loss_and_gradient(strokes, raw, None)
    ours = [float(x) for x in done.stdout.split()]
    np.testing.assert_allclose(ours, [value, np.abs(gradient).sum(), value / 8], rtol=1e-5)
