"""CTCLoss under fit and evaluate: masks, ragged batches, weights, refusals, and the same numbers on JAX."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers.lengths import LengthMask, sequence_lengths
from keras_seqgen.losses.ctc import CTCLoss
from keras_seqgen.metrics.error_rates import ImpossibleLabels
from keras_seqgen.models.ctc_recogniser import ctc_recogniser
from tests.reference.ctc import nats

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
C = 5


def recogniser(first, metrics=()):
    """Frames (B, T, 3) -> logits, with weights that do not change in training."""
    keras.utils.set_random_seed(1)
    frames = keras.Input((None, 3), name="frames")
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))(first(frames))
    model = keras.Model(frames, keras.layers.Dense(C + 1)(hidden))
    model.compile(keras.optimizers.SGD(0.0), CTCLoss(), weighted_metrics=list(metrics))
    return model


@pytest.fixture
def corpus():
    """Ragged inputs with a frame of zeros inside, as arrays padded with zeros."""
    rng = np.random.default_rng(9)
    lengths = np.array([12, 9, 5, 3, 8, 6])
    x = rng.normal(size=(6, 12, 3)).astype("float32") * (np.arange(12)[None, :, None] < lengths[:, None, None])
    x[1, 4] = 0
    labels = rng.permuted(np.tile([1, 2, 3], (6, 1)), axis=1) * (np.arange(3) < np.array([3, 2, 3, 1, 0, 2])[:, None])
    return x, labels, lengths


def expected(model, x, labels, lengths):
    found = [np.array(model(one[None, :n]))[0] for one, n in zip(x, lengths, strict=True)]
    return np.array([nats(row[row > 0], logits) for row, logits in zip(labels, found, strict=True)])


def test_under_fit_with_masking(corpus):
    x, labels, lengths = corpus
    model = recogniser(keras.layers.Masking())
    wanted = expected(model, x, labels, lengths)
    history = model.fit(x, labels, batch_size=6, verbose=0, epochs=2).history["loss"]
    np.testing.assert_allclose(history, wanted.mean(), rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(x, labels, batch_size=6, verbose=0), wanted.mean(), rtol=1e-5)
    weights = np.array([1, 0, 2, 0.5, 1, 3], "float32")
    weighted = model.evaluate(x, labels, batch_size=6, sample_weight=weights, verbose=0)
    np.testing.assert_allclose(weighted, (weights * wanted).mean(), rtol=1e-5)
    history = model.fit(x, labels, batch_size=6, sample_weight=weights, verbose=0).history["loss"]
    np.testing.assert_allclose(history, (weights * wanted).mean(), rtol=1e-5)


def test_under_fit_with_ragged_batches(corpus):
    """Batches of different widths, from one graph: the sum over the data is that of the rows."""
    x, labels, lengths = corpus
    wanted = expected(recogniser(keras.layers.Masking()), x, labels, lengths)

    def rows():
        for one, row, n in zip(x, labels, lengths, strict=True):
            yield one[:n], row[row > 0]

    signature = tf.TensorSpec((None, 3)), tf.TensorSpec((None,), tf.int32)
    data = tf.data.Dataset.from_generator(rows, output_signature=signature).padded_batch(2)
    data = data.apply(tf.data.experimental.assert_cardinality(3))  # or Keras warns
    assert len({batch.shape[1] for batch, _ in data}) == 3
    model = recogniser(keras.layers.Masking())
    np.testing.assert_allclose(model.fit(data, shuffle=False, verbose=0).history["loss"], wanted.mean(), rtol=1e-5)
    np.testing.assert_allclose(model.evaluate(data, verbose=0), wanted.mean(), rtol=1e-5)


def test_training_learns_the_labels(corpus):
    x, labels, _ = corpus
    model = recogniser(keras.layers.Masking())
    model.compile(keras.optimizers.Adam(0.1), CTCLoss())
    history = model.fit(x, labels, batch_size=6, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]


def test_lengths_that_were_told_travel_as_a_mask(corpus):
    """LengthMask keeps frames of zeros at the end of a sequence, which Masking cannot tell from padding."""
    x, labels, lengths = corpus
    x[:, 3:] = 0
    frames, length = keras.Input((None, 3), name="frames"), keras.Input((), dtype="int32", name="length")
    keras.utils.set_random_seed(1)
    hidden = keras.layers.GRU(4, return_sequences=True)(LengthMask()([frames, length]))
    outputs = {"logits": keras.layers.Dense(C + 1)(hidden), "length": length}
    model = keras.Model({"frames": frames, "length": length}, outputs)
    model.compile("sgd", {"logits": CTCLoss()})
    wanted = [
        nats(row[row > 0], np.array(model({"frames": one[None, :n], "length": np.array([n])})["logits"])[0])
        for row, one, n in zip(labels, x, lengths, strict=True)
    ]
    found = model.evaluate({"frames": x, "length": lengths}, {"logits": labels}, batch_size=6, verbose=0)
    np.testing.assert_allclose(found, np.mean(wanted), rtol=1e-5)


def test_fit_refuses_a_label_that_cannot_fit_and_names_the_row(corpus):
    x, labels, _ = corpus
    labels[3] = [1, 1, 1]
    model = recogniser(keras.layers.Masking(), [ImpossibleLabels()])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)rows.*\[3\]"):
        model.fit(x, labels, batch_size=6, shuffle=False, verbose=0)
    model.compile("sgd", CTCLoss("filter"), weighted_metrics=[ImpossibleLabels()])
    before = model.evaluate(x, labels, batch_size=4, verbose=0, return_dict=True)
    assert before["impossible_labels"] == 1
    assert 0 < before["loss"] < 50
    history = model.fit(x, labels, batch_size=6, epochs=2, verbose=0).history
    assert history["impossible_labels"] == [1, 1]
    assert np.isfinite(history["loss"]).all()


def test_lengths_of_masks():
    assert np.array(sequence_lengths(np.zeros((2, 3, 1)))).tolist() == [3, 3]
    x = np.array([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], "float32")[..., None]
    assert np.array(sequence_lengths(keras.layers.Masking()(x))).tolist() == [4, 0, 5]
    masked = LengthMask()([x + 7, np.array([5, 0, 2])])
    assert np.array(sequence_lengths(masked)).tolist() == [5, 0, 2]
    assert np.array(masked)[..., 0].tolist() == [[7, 8, 7, 8, 7], [0] * 5, [8, 8, 0, 0, 0]]


def test_in_half_precision_and_saved(corpus, tmp_path):
    x, labels, _ = corpus
    model = recogniser(keras.layers.Masking())
    model.compile("sgd", CTCLoss("filter"))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == {
        "name": "ctc_loss",
        "reduction": "sum_over_batch_size",
        "on_impossible": "filter",
    }
    assert loaded.evaluate(x, labels, verbose=0) == model.evaluate(x, labels, verbose=0)
    half = keras.ops.cast(np.ones((1, 4, 3)), "bfloat16")
    value = CTCLoss()(np.array([[1]]), half)
    assert value.dtype == "float32"
    np.testing.assert_allclose(value, nats([1], np.ones((4, 3))), rtol=1e-5)
    with pytest.raises(ValueError, match="on_impossible"):
        CTCLoss("ignore")


PROGRAM = """
import sys
import numpy as np
import keras
from keras_seqgen.losses.ctc import CTCLoss
from keras_seqgen.metrics.error_rates import CharacterErrorRate, ImpossibleLabels, WordErrorRate
from keras_seqgen.models.ctc_recogniser import ctc_recogniser

data = np.load(sys.argv[1])
model = ctc_recogniser(5, 3, units=4, cell="simple_rnn", merge="sum", convolutions=[(4, 2, 1)])
model.set_weights([data[f"w{n}"] for n in range(len(model.weights))])
metrics = [CharacterErrorRate(), WordErrorRate(2), ImpossibleLabels()]
model.compile(keras.optimizers.SGD(0.1), CTCLoss("filter"), weighted_metrics=metrics)
x, y = {"frames": data["x"], "length": data["lengths"]}, data["y"]
options = {"batch_size": 6, "verbose": 0, "sample_weight": data["weight"]}
losses = model.fit(x, y, epochs=3, shuffle=False, **options).history["loss"]
y[3] = [1, 1, 1]
found = model.evaluate(x, y, return_dict=True, **options)
model.compile(keras.optimizers.SGD(0.1), CTCLoss())
refused = ""
try:
    model.evaluate(x, y, **options)
except Exception as error:
    refused = str(error)
np.savez(sys.argv[2], losses=losses, found=[found[k] for k in sorted(found)], refused=refused)
"""


def test_jax_trains_the_recogniser_to_the_same_numbers(corpus, tmp_path):
    x, labels, lengths = corpus
    rng = np.random.default_rng(0)
    model = ctc_recogniser(5, 3, units=4, cell="simple_rnn", merge="sum", convolutions=[(4, 2, 1)])
    weights = {f"w{n}": rng.normal(size=weight.shape) for n, weight in enumerate(model.weights)}
    weight = np.array([1, 0, 2, 0.5, 1, 3], "float32")
    np.savez(tmp_path / "in.npz", x=x, y=labels, lengths=lengths, weight=weight, **weights)
    results = []
    for backend in ("tensorflow", "jax"):
        environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
        program = [sys.executable, "-c", PROGRAM, tmp_path / "in.npz", tmp_path / f"{backend}.npz"]
        subprocess.run(program, check=True, env=environment)
        results.append(np.load(tmp_path / f"{backend}.npz"))
    for key in ("losses", "found"):
        np.testing.assert_allclose(results[0][key], results[1][key], rtol=1e-4, atol=1e-5, err_msg=key)
    assert results[0]["losses"][0] > results[0]["losses"][-1]
    assert "[3]" in str(results[0]["refused"])
    assert "rows [3]" in str(results[1]["refused"])
