"""An exported recogniser of ink, asked by a process that imports only tensorflow."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_seqgen.data.hands import embedded_line
from keras_seqgen.data.ink_features import FEATURES, features_and_points
from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.strokes import offsets_to_points
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.errors import UserError
from keras_seqgen.models.ctc_recogniser import ctc_recogniser
from keras_seqgen.serving.recognition import RecognitionSignatures, export_recogniser
from keras_seqgen.serving.recognition_load import SavedRecogniser

ALPHABET = Vocabulary(" abcé")
CLIENT = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert not any(name.startswith("keras_seqgen") for name in sys.modules)
asked = np.load(sys.argv[2])
points, length = tf.constant(asked["points"]), tf.constant(asked["length"])
found = model.signatures["recognise"](points=points, length=length)
default = model.signatures["serving_default"](points=points, length=length)
np.testing.assert_array_equal(found["text"], default["text"])
alone = model.signatures["recognise"](points=points[1:2, : int(length[1])], length=length[1:2])
text = {name: np.array([x.decode() for x in found[name].numpy()]) for name in ("text", "error")}
numbers = {name: found[name].numpy() for name in ("confidence", "characters", "begin", "probability")}
np.savez(sys.argv[3], alone=alone["text"].numpy()[0].decode(), **text, **numbers)
"""


def recogniser(kind, stride=2):
    """A network with random weights that are large enough to read something."""
    keras.utils.set_random_seed(4)
    model = ctc_recogniser(len(ALPHABET), len(FEATURES[kind]), units=6, convolutions=((8, 3, stride),))
    output = model.get_layer("logits")
    output.kernel.assign(output.kernel * 15)
    return model


def unit(kind):
    names = FEATURES[kind]
    rng = np.random.default_rng(0)
    scale = 20.0 if kind == "raw" else 0.5
    return FrameUnit(kind, names, rng.normal(0, 0.1, len(names)).astype("f4"), np.full(len(names), scale, "f4"))


def ink(index):
    points, pen = offsets_to_points(embedded_line(index, seed=2).strokes)
    return np.column_stack([points, pen]).astype(np.float32)


def by_hand(model, kind, points):
    """What the house itself reads: NumPy features, the Keras model, the best path."""
    strokes = np.column_stack([np.diff(points[:, :2], axis=0), points[1:, 2]])
    features, places = features_and_points(strokes, kind)
    frames = unit(kind).normalise(features.astype(np.float32))[None]
    logits = model({"frames": frames, "length": np.array([len(features)])})
    reading = best_path(logits, np.array([logits.shape[1]]))
    ids = reading.ids.numpy()[0]
    return ALPHABET.decode(ids), float(reading.confidence[0]), places[::2][reading.frames.numpy()[0]]


@pytest.fixture(scope="module")
def model():
    return recogniser("preprocessed")


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models") / "ink"
    return export_recogniser(model, ALPHABET, unit("preprocessed"), folder, "# Tiny\n\nNo data, no terms.\n")


def test_a_process_with_tensorflow_alone_reads_points(exported, model, tmp_path):
    lines = [ink(1), ink(2), ink(3), ink(4)]
    lines[3][5, 0] = np.nan
    length = np.array([len(line) for line in lines], np.int32)
    points = np.full((5, max(length), 3), 7.0, np.float32)  # what stands behind a line has no influence
    for row, line in zip(points, lines, strict=False):
        row[: len(line)] = line
    length = np.append(length, 1).astype(np.int32)
    np.savez(tmp_path / "asked.npz", points=points, length=length)
    command = [sys.executable, "-c", CLIENT, exported, tmp_path / "asked.npz", tmp_path / "found.npz"]
    subprocess.run([str(word) for word in command], check=True, timeout=280, cwd=tmp_path)
    found = np.load(tmp_path / "found.npz")
    for row in range(3):
        text, sure, begin = by_hand(model, "preprocessed", lines[row])
        assert len(text) > 3
        assert found["text"][row] == text
        n = found["characters"][row]
        assert n == len(text)
        np.testing.assert_allclose(found["confidence"][row], sure, rtol=1e-4)
        np.testing.assert_array_equal(found["begin"][row, :n], begin)
        assert not found["begin"][row, n:].any()
        assert (np.diff(begin) >= 0).all()
    assert found["alone"] == found["text"][1]
    assert found["text"][3:].tolist() == ["", ""]
    assert "finite" in found["error"][3]
    assert "at least 2" in found["error"][4]
    assert found["error"][:3].tolist() == ["", "", ""]


def test_the_loaded_model_in_python(exported, model):
    saved = SavedRecogniser(exported.parent)
    lines = [ink(1), ink(2)]
    for read, line in zip(saved.recognise(lines), lines, strict=True):
        text, sure, begin = by_hand(model, "preprocessed", line)
        assert (read.text, read.begin) == (text, begin.tolist())
        assert read.confidence == pytest.approx(sure, rel=1e-4)
        assert len(read.probability) == len(text)
    (logits, point), *_ = saved.logits(lines)
    assert logits.shape == (len(point), len(ALPHABET) + 1)
    with pytest.raises(UserError, match=r"line 2: .*at least 2"):
        saved.recognise([lines[0], lines[1][:1]])
    with pytest.raises(UserError, match=r"line 2: points must be rows of x, y and pen, \(N, 3\). Received: \(6, 2\)"):
        saved.recognise([lines[0], np.zeros((6, 2))])


def test_what_stands_in_a_version(exported):
    description = json.loads((exported / "assets.extra" / "model.json").read_text())
    assert (description["system"], description["features"]) == ("ink-recognition", "preprocessed")
    assert Vocabulary.load(exported / "assets.extra" / "vocabulary.json") == ALPHABET
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Tiny")
    assert " abcé" in card
    assert "of any size" in card


def test_raw_ink_and_prepared_frames_read_alike():
    model = recogniser("raw")
    signatures = RecognitionSignatures(model, ALPHABET, unit("raw"))
    line = ink(5)
    wanted = by_hand(model, "raw", line)
    found = signatures.recognise(line[None], np.array([len(line)], np.int32))
    assert found["text"].numpy()[0].decode() == wanted[0]
    np.testing.assert_array_equal(found["begin"][0], wanted[2])
    strokes = np.column_stack([np.diff(line[:, :2], axis=0), line[1:, 2]])
    frames = features_and_points(strokes, "raw")[0].astype(np.float32)
    again = signatures.recognise_frames(frames[None], np.array([len(frames)], np.int32))
    assert again["text"].numpy()[0].decode() == wanted[0]


def test_mistakes_of_the_exporter(model, tmp_path):
    with pytest.raises(ValueError, match="must have 5 characters"):
        export_recogniser(model, Vocabulary("ab"), unit("preprocessed"), tmp_path, "# Card\n")
    with pytest.raises(UserError, match="holds no SavedModel"):
        SavedRecogniser(tmp_path)
