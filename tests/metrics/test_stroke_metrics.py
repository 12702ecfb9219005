import keras
import numpy as np
import pytest
from scipy import special

from keras_seqgen.losses import StrokeLoss
from keras_seqgen.metrics import NatsPerPoint, NatsPerSequence, StrokeError

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
B, T = 4, 6


@pytest.fixture
def batch():
    rng = np.random.default_rng(4)
    strokes = np.concatenate([rng.normal(size=(B, T, 2)), rng.integers(0, 2, (B, T, 1))], -1).astype("float32")
    weight = (np.arange(T) < np.array([6, 3, 1, 0])[:, None]).astype("float32")  # the last row only fills the batch
    return strokes, rng.normal(size=(B, T, 121)).astype("float32"), weight


def test_equal_numpy(batch):
    strokes, raw, weight = batch
    nats = np.array(StrokeLoss(reduction=None)(strokes, raw))
    pi = special.softmax(raw[..., 1:21], axis=-1)
    mean = np.stack([(pi * raw[..., 21:41]).sum(-1), (pi * raw[..., 41:61]).sum(-1)], -1)
    error = ((mean - strokes[..., :2]) ** 2).sum(-1)
    expected = {
        NatsPerSequence: (nats * weight).sum() / 3,
        NatsPerPoint: (nats * weight).sum() / 10,
        StrokeError: (error * weight).sum() / 10,
    }
    for kind, value in expected.items():
        metric = kind()
        for half in (slice(0, 2), slice(2, 4)):
            metric.update_state(strokes[half], raw[half], weight[half])
        np.testing.assert_allclose(metric.result(), value, rtol=1e-5)
        metric.reset_state()
        assert metric.result() == 0
    metric = NatsPerPoint()
    metric.update_state(strokes, raw)
    np.testing.assert_allclose(metric.result(), nats.mean(), rtol=1e-5)


@pytest.mark.parametrize("kind", [NatsPerSequence, NatsPerPoint, StrokeError])
def test_float64_and_weights_of_whole_rows(batch, kind):
    strokes, raw, _ = batch
    metrics = [kind(), kind(), kind()]
    rows = np.array([2.0, 1.0, 0.5, 0.0], "float32")
    for metric, weight in zip(metrics, (rows, rows[:, None], np.repeat(rows[:, None], T, axis=1)), strict=True):
        metric.update_state(strokes.astype("float64"), raw.astype("float64"), weight)
    values = [float(metric.result()) for metric in metrics]
    np.testing.assert_allclose(values, values[2], rtol=1e-6)
    assert values[2] != 0


def test_no_digit_is_lost_over_millions_of_points():
    """A plain float32 sum would not count the small batches at all."""
    raw, strokes = np.zeros((1, 1, 7), "float32"), np.zeros((1, 1, 3), "float32")
    metric, weight = NatsPerPoint(), 2.0**25
    metric.update_state(strokes, raw, np.full((1, 1), weight, "float32"))
    for _ in range(200):
        metric.update_state(strokes, raw, np.ones((1, 1), "float32"))
    numerator, denominator = np.array(metric.total, "float64") + np.array(metric.rest, "float64")
    assert denominator == weight + 200
    assert np.float32(weight) + np.float32(1) == np.float32(weight)
    np.testing.assert_allclose(numerator, (weight + 200) * (np.log(4 * np.pi)), rtol=1e-7)


def test_as_weighted_metrics_of_fit_and_evaluate(batch, tmp_path):
    strokes, _, weight = batch
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.Dense(121)(inputs))
    metrics = [NatsPerSequence(), NatsPerPoint(), StrokeError()]
    model.compile("sgd", StrokeLoss(), weighted_metrics=metrics, jit_compile=False)
    model.optimizer.learning_rate = 0.0
    history = model.fit(strokes, strokes, sample_weight=weight, batch_size=2, verbose=0, shuffle=False).history
    found = model.evaluate(strokes, strokes, sample_weight=weight, batch_size=3, verbose=0, return_dict=True)
    total = float(StrokeLoss()(strokes, model(strokes), weight))
    np.testing.assert_allclose(found["nats_per_sequence"], total / 3, rtol=1e-5)
    np.testing.assert_allclose(found["nats_per_point"], total / 10, rtol=1e-5)
    for name in ("nats_per_sequence", "nats_per_point", "stroke_error"):
        np.testing.assert_allclose(history[name][0], found[name], rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(strokes, strokes, sample_weight=weight, batch_size=3, verbose=0, return_dict=True)
    assert again == found
