"""An exported detector of scripts, asked by a process that imports only tensorflow."""

import base64
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.line_images import LineForm, decode_grey, line_frames
from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.script_classes import CLASSES, segments_of
from keras_seqgen.decoding.viterbi import change_cost, viterbi
from keras_seqgen.errors import UserError
from keras_seqgen.models.frame_labeller import frame_labeller
from keras_seqgen.serving.script_detection import ScriptSignatures, _segments, export_detector
from keras_seqgen.serving.script_detection_load import SavedDetector
from tests.script_data import HEIGHT, labels_of_line, picture

COSTS, STRIDE = (1.5, 0.5), 2
UNIT = FrameUnit(
    "plain-line", tuple(f"row{n:02d}" for n in range(HEIGHT)), np.full(12, 0.2, "f4"), np.full(12, 0.4, "f4")
)
PICTURES = [picture(labels_of_line(np.random.default_rng(seed)), seed) for seed in (1, 2, 3)]
BROKEN = {b"": "PNG or JPEG", b"GIF89a": "PNG or JPEG", picture([0] * 1300, scale=1): "times as wide as high"}
CLIENT = """
import base64, json, sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert not any(name.startswith("keras_seqgen") for name in sys.modules)
files = [base64.b64decode(file) for file in json.load(open(sys.argv[2]))]
found = model.signatures["detect"](image=tf.constant(files))
default = model.signatures["serving_default"](image=tf.constant(files))
np.testing.assert_array_equal(found["label"], default["label"])
alone = model.signatures["detect"](image=tf.constant(files[1:2]))
n = int(alone["segments"][0])
np.testing.assert_array_equal(alone["label"][0, :n], found["label"][1, :n])
np.testing.assert_allclose(alone["end"][0, :n], found["end"][1, :n], rtol=1e-6)
decode = np.vectorize(bytes.decode, otypes=["U"])
text = {name: decode(found[name].numpy()) for name in ("label", "error")}
numbers = {name: found[name].numpy() for name in ("segments", "begin", "end", "confidence")}
np.savez(sys.argv[3], **text, **numbers)
"""


def by_hand(model, encoded):
    """Segments by NumPy's frames, the Keras model, and runs of the likeliest path: begin, end, label, confidence."""
    grey = decode_grey(encoded)
    frames = line_frames(grey, LineForm(HEIGHT, normalise=False))
    T, w = len(frames), grey.shape[1]
    logits = model({"frames": UNIT.normalise(frames)[None], "length": np.array([T])}).numpy()
    log_prob = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    path = viterbi(log_prob, [logits.shape[1]], change_cost(4, *COSTS)).numpy()[0]
    found = []
    for begin, end, label in segments_of(path):
        sure = np.exp(log_prob[0, begin:end, label]).mean()
        found.append((begin * STRIDE * w / T, min(end * STRIDE, T) * w / T, CLASSES[label], sure))
    return found


@pytest.fixture(scope="module")
def model():
    """A network whose classes follow the ink: recurrent weights at random, logits large."""
    keras.utils.set_random_seed(3)
    model = frame_labeller(4, features=HEIGHT, units=8, convolutions=((8, 3, STRIDE),))
    output = model.get_layer("logits")
    output.kernel.assign(output.kernel * 12)
    return model


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models") / "script-detection"
    return export_detector(model, UNIT, COSTS, folder, "# Tiny\n\nNo data, no terms.\n")


@pytest.mark.slow
def test_a_process_with_tensorflow_alone_finds_segments(model, exported, tmp_path):
    files = [*PICTURES, *BROKEN]
    (tmp_path / "asked.json").write_text(json.dumps([base64.b64encode(file).decode() for file in files]))
    command = [sys.executable, "-c", CLIENT, exported, tmp_path / "asked.json", tmp_path / "found.npz"]
    subprocess.run([str(word) for word in command], check=True, timeout=280, cwd=tmp_path)
    found = np.load(tmp_path / "found.npz")
    for row, file in enumerate(PICTURES):
        wanted = by_hand(model, file)
        assert len(wanted) >= 2
        n = found["segments"][row]
        begin, end, label, sure = zip(*wanted, strict=True)
        assert found["label"][row, :n].tolist() == list(label)
        np.testing.assert_allclose(found["begin"][row, :n], begin, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(found["end"][row, :n], end, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(found["confidence"][row, :n], sure, rtol=1e-3)
        assert not found["begin"][row, n:].any()
        assert not found["end"][row, n:].any()
        assert not found["confidence"][row, n:].any()
        assert not any(found["label"][row, n:])
    assert found["segments"][3:].tolist() == [0, 0, 0]
    assert found["error"][:3].tolist() == [""] * 3
    for error, part in zip(found["error"][3:], BROKEN.values(), strict=True):
        assert part in error


def test_the_loaded_model_in_python(model, exported):
    saved = SavedDetector(exported.parent)
    assert saved.features == "plain-line"
    for segments, file in zip(saved.detect(PICTURES), PICTURES, strict=True):
        for segment, wanted in zip(segments, by_hand(model, file), strict=True):
            assert segment.label == wanted[2]
            np.testing.assert_allclose((segment.begin, segment.end), wanted[:2], rtol=1e-5, atol=1e-4)
    with pytest.raises(UserError, match="picture 2: `image` must be the bytes"):
        saved.detect([PICTURES[0], b""])
    with pytest.raises(UserError, match=r"breaks off: (?!Graph)"):
        saved.detect([PICTURES[0][:90]])


def test_what_stands_in_a_version(exported):
    description = json.loads((exported / "assets.extra" / "model.json").read_text())
    assert (description["system"], description["costs"]) == ("script-detection", list(COSTS))
    assert description["classes"] == list(CLASSES)
    assert "A change of class costs 1.5 nats, one to or from background 0.5." in (exported / "README.md").read_text()


def test_mistakes_of_the_exporter(model, tmp_path):
    with pytest.raises(ValueError, match="`model` must have 4 classes"):
        ScriptSignatures(frame_labeller(3, features=HEIGHT, units=2), UNIT, COSTS)
    with pytest.raises(ValueError, match="from left to right"):
        ScriptSignatures(model, FrameUnit("line-rtl", UNIT.names, UNIT.mean, UNIT.std), COSTS)
    with pytest.raises(UserError, match="holds no SavedModel"):
        SavedDetector(tmp_path)


def test_the_confidence_of_the_last_segment_of_a_long_line():
    """A sum over thousands of frames leaves float32 few digits for the two that end it."""
    path = np.repeat([[1, 0, 2]], [16_000, 1, 2], axis=1).astype(np.int32)
    probability = np.where(path == 2, 0.7, 0.999)
    log_prob = np.log(np.repeat(probability[..., None], 4, axis=2)).astype(np.float32)
    *_, names, sure = _segments(tf.constant(path), tf.constant(log_prob))
    assert names.numpy().tolist() == [[1, 2]]
    np.testing.assert_allclose(sure, [[0.999, 0.7]], rtol=1e-6)
