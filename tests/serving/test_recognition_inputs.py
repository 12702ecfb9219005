"""Exported recognisers of print and speech, asked by a process that imports only tensorflow."""

import base64
import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from keras_seqgen.data import line_images, speech_features
from keras_seqgen.data.line_images import LineForm
from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.speech_features import SpeechForm
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.errors import UserError
from keras_seqgen.models.ctc_recogniser import ctc_recogniser
from keras_seqgen.serving import recognition_inputs
from keras_seqgen.serving.recognition import RecognitionSignatures, export_recogniser
from keras_seqgen.serving.recognition_inputs import input_of
from keras_seqgen.serving.recognition_load import SavedRecogniser
from keras_seqgen.serving.warmup import example_inputs, read_warmup, signatures_of
from tests.sounds import wav_file

ALPHABET = Vocabulary(" abcé")
LINES = {"text-lines": LineForm(12, right_to_left=True), "speech": SpeechForm(11025, 10)}
NAMES = {"text-lines": "image", "speech": "wav"}
STRIDE = 2
CLIENT = """
import base64, json, sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert not any(name.startswith("keras_seqgen") for name in sys.modules)
name, files = json.load(open(sys.argv[2]))
files = [base64.b64decode(file) for file in files]
ask = model.signatures["recognise"]
found = ask(**{name: tf.constant(files)})
default = model.signatures["serving_default"](**{name: tf.constant(files)})
np.testing.assert_array_equal(found["text"], default["text"])
alone = ask(**{name: tf.constant(files[1:2])})
text = {name: np.array([x.decode() for x in found[name].numpy()]) for name in ("text", "error")}
numbers = {name: found[name].numpy() for name in ("confidence", "characters", "begin", "probability")}
np.savez(sys.argv[3], alone=alone["text"].numpy()[0].decode(), **text, **numbers)
"""


def unit(form):
    width = len(form.names)
    mean = np.linspace(-0.1, 0.1, width) if isinstance(form, LineForm) else np.linspace(-9, -7, width)
    return FrameUnit(form.kind, tuple(form.names), mean.astype("f4"), np.full(width, 0.3, "f4"))


def picture(seed, size=(300, 40)):
    """A PNG of something like a line of print."""
    rng = np.random.default_rng(seed)
    page = Image.new("L", size, 255)
    draw = ImageDraw.Draw(page)
    for x in range(5, size[0] - 12, 9):
        draw.line((x, size[1] * rng.uniform(0.2, 0.5), x + int(rng.integers(0, 8)), size[1] * 0.7), 0, 2)
    stream = io.BytesIO()
    page.save(stream, "PNG")
    return stream.getvalue()


def sound(seed, seconds=1.0, rate=11025, channels=1):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    piece = (time * 8).astype(int)
    tone = np.sin(2 * np.pi * rng.uniform(200, 4000, 9)[piece] * time) * rng.uniform(0.1, 0.9, 9)[piece]
    return wav_file(np.repeat((tone * 30000).astype("<i2"), channels), rate, channels)


FILES = {
    "text-lines": [picture(1), picture(2, (150, 25)), picture(3)],
    "speech": [sound(1), sound(2, 0.4), sound(3, 0.7)],
}
BROKEN = {
    "text-lines": {b"": "PNG or JPEG", b"GIF89a": "PNG or JPEG", picture(4, (3000, 20)): "times as wide as high"},
    "speech": {
        b"": "of a WAV file",
        b"RIFF" + b"x" * 60: "of a WAV file",
        sound(1, rate=8000): "11025 samples a second, not 8000",
    },
}


def frames_of(system, encoded):
    """The NumPy features of a file, and their places."""
    form = LINES[system]
    if system == "text-lines":
        grey = line_images.decode_grey(encoded)
        frames = line_images.line_frames(grey, form)
        wide, T = grey.shape[1], len(frames)
        return frames, wide - 1 - ((np.arange(T) + 0.5) * wide / T - 0.5)
    frames = speech_features.log_mel(speech_features.decode_wav(encoded)[0], form)
    return frames, np.arange(len(frames)) * form.hop / form.rate


def logits_of(system, model, frames):
    return model({"frames": unit(LINES[system]).normalise(frames)[None], "length": np.array([len(frames)])}).numpy()


def recogniser(system):
    """A network with random weights whose logits are large, and about 0 in the mean, so that it reads something."""
    keras.utils.set_random_seed(4)
    width = len(LINES[system].names)
    model = ctc_recogniser(len(ALPHABET), width, units=6, convolutions=((8, 3, STRIDE),))
    output = model.get_layer("logits")
    output.kernel.assign(output.kernel * 15)
    logits = np.concatenate([logits_of(system, model, frames_of(system, file)[0])[0] for file in FILES[system]])
    output.bias.assign(-logits.mean(axis=0))
    return model


def by_hand(system, model, encoded):
    """What the house itself reads: NumPy features, the Keras model, the best path."""
    frames, places = frames_of(system, encoded)
    logits = logits_of(system, model, frames)
    reading = best_path(logits, np.array([logits.shape[1]]))
    begin = places[::STRIDE][reading.frames[0].numpy()]
    return ALPHABET.decode(reading.ids.numpy()[0]), float(reading.confidence[0]), begin


@pytest.fixture(scope="module", params=list(LINES))
def system(request):
    return request.param


@pytest.fixture(scope="module")
def model(system):
    return recogniser(system)


@pytest.fixture(scope="module")
def exported(system, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models") / system
    return export_recogniser(model, ALPHABET, unit(LINES[system]), folder, "# Tiny\n\nNo data, no terms.\n")


def test_a_process_with_tensorflow_alone_reads_files(system, model, exported, tmp_path):
    files = [*FILES[system], *BROKEN[system]]
    asked = [NAMES[system], [base64.b64encode(file).decode() for file in files]]
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    command = [sys.executable, "-c", CLIENT, exported, tmp_path / "asked.json", tmp_path / "found.npz"]
    subprocess.run([str(word) for word in command], check=True, timeout=280, cwd=tmp_path)
    found = np.load(tmp_path / "found.npz")
    for row, file in enumerate(FILES[system]):
        text, sure, begin = by_hand(system, model, file)
        assert len(text) > 3
        assert found["text"][row] == text
        n = found["characters"][row]
        assert n == len(text)
        np.testing.assert_allclose(found["confidence"][row], sure, rtol=1e-3)
        np.testing.assert_allclose(found["begin"][row, :n], begin, rtol=1e-5, atol=1e-4)
        assert not found["begin"][row, n:].any()
    assert found["alone"] == found["text"][1]
    assert found["text"][3:].tolist() == [""] * 3
    assert found["error"][:3].tolist() == [""] * 3
    for error, part in zip(found["error"][3:], BROKEN[system].values(), strict=True):
        assert part in error


def test_the_loaded_model_in_python(system, model, exported):
    saved = SavedRecogniser(exported.parent)
    assert (saved.system, saved.features) == (system, LINES[system].kind)
    for read, file in zip(saved.recognise(FILES[system]), FILES[system], strict=True):
        text, _, begin = by_hand(system, model, file)
        assert read.text == text
        np.testing.assert_allclose(read.begin, begin, rtol=1e-5, atol=1e-4)
    (logits, place), *_ = saved.logits(FILES[system])
    assert logits.shape == (len(place), len(ALPHABET) + 1)
    with pytest.raises(UserError, match="line 2: `"):
        saved.recognise([FILES[system][0], b""])
    with pytest.raises(UserError, match=r"breaks off: (?!Graph)"):
        saved.recognise([FILES[system][0][:42]])


def test_what_stands_in_a_version(system, exported):
    description = json.loads((exported / "assets.extra" / "model.json").read_text())
    assert (description["system"], description["features"]) == (system, LINES[system].kind)
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert {"text-lines": "right to left", "speech": "11025 Hz"}[system] in card
    assert f"`recognise`: {NAMES[system]} string [?]" in card


def test_the_warm_up_meets_no_error(system, exported):
    saved = SavedRecogniser(exported)
    logs = {log.predict_log.request.model_spec.signature_name for log in read_warmup(exported)}
    assert logs == {"serving_default", "recognise", "logits", "recognise_frames"}
    rate = json.loads((exported / "assets.extra" / "model.json").read_text()).get("rate", 8000)
    inputs = example_inputs(signatures_of(exported)["recognise"], "a", rate=rate)
    assert saved.signatures["recognise"](**inputs)["error"].numpy().tolist() == [b""]
    (request,) = (
        log.predict_log.request
        for log in read_warmup(exported)
        if log.predict_log.request.model_spec.signature_name == "recognise"
    )
    (file,) = request.inputs[NAMES[system]].string_val
    assert file == inputs[NAMES[system]][0]


def test_channels_become_their_mean_and_what_is_too_long_is_said(monkeypatch):
    monkeypatch.setattr(recognition_inputs, "MAX_SECONDS", 1)
    form = LINES["speech"]
    signatures = RecognitionSignatures(recogniser("speech"), ALPHABET, unit(form))
    found = signatures.recognise([sound(1), sound(1, channels=2), sound(1, 1.01)])
    texts = found["text"].numpy().tolist()
    assert texts[0] == texts[1] != b""
    assert texts[2] == b""
    assert found["error"].numpy()[2] == b"`wav` must last at most 1 s"


def test_frames_of_unknown_kinds_belong_to_no_system():
    with pytest.raises(ValueError, match="must be of a line's picture"):
        input_of(FrameUnit("smell", ("a",), np.zeros(1), np.ones(1)))


def test_a_recording_that_is_too_long_does_not_make_the_others_longer():
    """Rows are padded to the longest: one of many minutes would take the memory for as much of each of the others."""
    form = LINES["speech"]
    wav = [sound(1), wav_file(np.zeros(61 * form.rate), form.rate), sound(2, 0.4)]
    frames, count, _, error = input_of(unit(form)).read(tf.constant(wav))
    assert error.numpy().tolist() == [b"", b"`wav` must last at most 60 s", b""]
    alone, own, *_ = input_of(unit(form)).read(tf.constant(wav[:1]))
    assert frames.shape[1] == alone.shape[1] == own[0] == count[0]
