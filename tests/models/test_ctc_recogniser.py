"""The recogniser: padding changes nothing, every cell, .keras and export, and it learns to read."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.layers.clipped_relu import clipped_relu
from keras_seqgen.layers.lengths import sequence_lengths
from keras_seqgen.losses.ctc import CTCLoss
from keras_seqgen.metrics.edit_distance import character_error_rate
from keras_seqgen.metrics.error_rates import CharacterErrorRate
from keras_seqgen.models.ctc_recogniser import ctc_recogniser, time_stride

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
LENGTHS = np.array([13, 8, 1, 6], "int32")
KINDS = {
    "lstm": {},
    "gru": {"cell": "gru", "convolutions": [(6, 3, 2), (5, 4, 3)], "hidden": [7]},
    "peephole_lstm": {"cell": "peephole_lstm", "gradient_clip": 1.0, "depth": 2, "dropout": 0.1},
    "deep speech": {
        "cell": "simple_rnn",
        "activation": clipped_relu,
        "merge": "sum",
        "convolutions": [(6, 5, 1), (6, 1, 1)],
        "hidden": [6],
    },
    "image": {"convolutions": [(3, (3, 3), (1, 2)), (4, (3, 3), (2, 2)), (5, 3, 1)]},
    "centred": {"centred": True, "convolutions": [(6, 3, 2)]},
    "image alone": {"convolutions": [(3, (3, 3), (2, 2))]},
}


def recogniser(kind, features=8):
    keras.utils.set_random_seed(3)
    return ctc_recogniser(4, features, units=5, **KINDS[kind])


@pytest.fixture
def frames():
    return np.random.default_rng(0).normal(size=(4, 13, 8)).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_row_gets_does_not_depend_on_its_padding(frames, kind):
    model = recogniser(kind)
    together = model({"frames": frames, "length": LENGTHS})
    lengths = np.array(sequence_lengths(together))
    stride = time_stride(model)
    assert together.shape == (4, -(-13 // stride), 5)
    assert together.dtype == "float32"
    assert lengths.tolist() == [-(-n // stride) for n in LENGTHS]
    for row, n, m, logits in zip(frames, LENGTHS, lengths, together, strict=True):
        for padding in (0, 1, 7):
            padded = np.pad(row[None, :n], ((0, 0), (0, padding), (0, 0)), constant_values=9.0)
            alone = model({"frames": padded, "length": np.array([n])})
            np.testing.assert_allclose(alone[0, :m], logits[:m], atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", "peephole_lstm", "deep speech", "image"])
def test_every_weight_learns_and_keras_file_and_export_give_the_same_numbers(frames, kind, tmp_path):
    model = recogniser(kind)
    model.compile(keras.optimizers.SGD(0.05), CTCLoss("filter"), weighted_metrics=[CharacterErrorRate()])
    inputs = {"frames": frames, "length": LENGTHS}
    before = model.get_weights()
    model.fit(inputs, np.array([[1, 2], [3, 0], [4, 0], [0, 0]]), verbose=0)
    for weight, old in zip(model.weights, before, strict=True):
        assert not np.array_equal(weight, old) or "seed" in weight.path, weight.path
    wanted = model(inputs)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(inputs), wanted, atol=1e-6)

    signature = [tf.TensorSpec((None, None, 8), tf.float32), tf.TensorSpec((None,), tf.int32)]

    @tf.function(input_signature=signature)
    def recognise(frames, length):
        logits = model({"frames": frames, "length": length})
        return best_path(logits, sequence_lengths(logits))._asdict()

    module = tf.Module()
    module.model, module.recognise = model, recognise
    tf.saved_model.save(module, str(tmp_path / "served"))
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    served = loaded.recognise(frames, LENGTHS)
    for name, value in best_path(wanted, sequence_lengths(wanted))._asdict().items():
        np.testing.assert_allclose(served[name], value, atol=1e-5)


def test_unknown_cell():
    with pytest.raises(ValueError, match=r"`cell` must be one of simple_rnn, lstm, .* Received: cell=mlp"):
        ctc_recogniser(4, 8, cell="mlp")


def test_the_number_of_weights():
    """Graves's network for raw pen data: 4 inputs, 100 cells with peepholes each way, 80 characters and the blank."""
    H, D, K = 100, 4, 81
    model = ctc_recogniser(K - 1, D, units=H, cell="peephole_lstm")
    assert model.count_params() == 2 * (4 * H * (D + H + 1) + 3 * H) + (2 * H + 1) * K == 100_881


def strings(rng, count, shapes):
    """Strings of 2 to 5 of ten digits, each drawn as its own curve in 6 features over 4 to 8 frames, in noise."""
    frames, texts = np.zeros((count, 64, 6), "float32"), np.zeros((count, 5), "int32")
    lengths = np.zeros(count, "int32")
    for n in range(count):
        t = rng.integers(1, 5)
        for u in range(rng.integers(2, 6)):
            digit, width = rng.integers(10), rng.integers(4, 9)
            places = np.linspace(0, shapes.shape[1] - 1, width).round().astype(int)
            frames[n, t : t + width] = shapes[digit, places]
            texts[n, u] = digit + 1
            t += width + rng.integers(0, 4)
        lengths[n] = min(64, t + 1)
        frames[n, : lengths[n]] += rng.normal(0, 0.2, (lengths[n], 6))
    return {"frames": frames, "length": lengths}, texts


def test_it_learns_to_read_digit_strings():
    """From 600 strings to a CER below 5 % on strings that it never saw, in seconds."""
    rng = np.random.default_rng(1)
    shapes = rng.normal(size=(10, 8, 6))
    (x, y), (unseen, truth) = (strings(rng, count, shapes) for count in (600, 100))
    keras.utils.set_random_seed(1)
    model = ctc_recogniser(10, 6, units=24, cell="gru", convolutions=[(24, 3, 2)])
    model.compile(keras.optimizers.Adam(0.01), CTCLoss(), weighted_metrics=[CharacterErrorRate()])
    before = model.evaluate(unseen, truth, verbose=0, return_dict=True)
    model.fit(x, y, batch_size=30, epochs=12, verbose=0)
    after = model.evaluate(unseen, truth, verbose=0, return_dict=True)
    assert before["cer"] > 0.5
    assert after["cer"] < 0.05
    logits = model(unseen)
    read = best_path(logits, sequence_lengths(logits))
    texts = [["".join(chr(96 + k) for k in row if k) for row in rows] for rows in (truth, read.ids.numpy())]
    assert character_error_rate(*texts) == pytest.approx(after["cer"], abs=1e-6)
    inside = read.frames.numpy()[read.ids.numpy() > 0] * time_stride(model)
    assert inside.max() < 64
    assert float(tf.reduce_mean(read.confidence)) > 0.7
