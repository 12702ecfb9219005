"""The files that `keras-seqgen recognise` reads, and the whole way of print and speech on the command line."""

import io
import json
import wave

import numpy as np
import pytest
from PIL import Image

from keras_seqgen.cli import main
from keras_seqgen.commands.recognition import evaluate_run
from keras_seqgen.commands.recognition_files import at_rate, read_lexicon, read_lines, system_of_file
from keras_seqgen.data.speech_features import decode_wav
from keras_seqgen.decoding.ctc_language import CTCLanguage
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import load_recipe
from tests.recognition_data import write_prepared
from tests.sounds import wav_file

SMALL = ["units=12", "batch_size=8", "steps_per_epoch=20", "learning_rate=0.02", "average=0.8", "updates=0"]
SMALL += ["depth=1", "filters=8", "dropout=0.0", "noise=0.0", "masks=0"]
SYSTEMS = {"text-lines": ("text-lines", "line"), "speech": ("speech-digits", "log-mel-8000")}


def write_file(system, path):
    rng = np.random.default_rng(0)
    if system == "speech":
        path = path.with_suffix(".wav")
        path.write_bytes(wav_file(rng.normal(0, 5000, 4000), 8000))
    else:
        path = path.with_suffix(".png")
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 2, (20, 90)).astype(np.uint8) * 255).save(stream, "PNG")
        path.write_bytes(stream.getvalue())
    return path


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request):
    return request.param


@pytest.fixture(scope="module")
def data(system, tmp_path_factory):
    times = 3 if system == "text-lines" else 1  # print is shortened by more
    return write_prepared(tmp_path_factory.mktemp("data"), kind=SYSTEMS[system][1], times=times)


@pytest.fixture(scope="module")
def run(system, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / system
    flags = ["--data", str(data), "--run", str(folder), "--steps", "60", "--set", *SMALL]
    assert main(["train", SYSTEMS[system][0], *flags]) == 0
    return folder


@pytest.fixture(scope="module")
def measured(run, data):
    return evaluate_run(run, load_recipe(run)[1], data, "test")


@pytest.fixture(scope="module")
def tuned(run, data):
    """The run with a language model."""
    flags = ["--character-order", "3", "--lines", "6", "--beam", "4"]
    assert main(["tune", "--run", str(run), "--data", str(data), *flags]) == 0
    return run


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    to = tmp_path_factory.mktemp("saved_models") / run.name
    assert main(["export", "--run", str(run), "--to", str(to), "--require", "val_cer<0.7"]) == 0
    return to


def numbers(capsys, *flags):
    capsys.readouterr()
    assert main([*map(str, flags), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# What the fixtures do is spread over the tests: each of these has to end within the time that pytest allows.
def test_a_trained_run_reads(measured):
    assert measured["cer"] < 0.7


def test_an_export_is_measured_as_its_run_is(exported, measured, data, capsys):
    by_model = numbers(capsys, "evaluate", "--model", exported, "--data", data, "--split", "test")
    assert by_model == {**measured, "split": "test"}


def test_it_is_tuned(tuned):
    assert set(CTCLanguage.load(tuned).weights) == {"character", "word", "both"}


def test_files_are_read(system, tuned, exported, tmp_path, capsys):
    files = [write_file(system, tmp_path / name) for name in ("one", "two")]
    found = numbers(capsys, "recognise", *files, "--model", exported)["lines"]
    assert [line["line"] for line in found] == ["one", "two"]
    assert {"text", "confidence", "begin", "probability"} <= set(found[0])
    again = numbers(capsys, "recognise", files[0], "--model", exported, "--language", tuned)["lines"][0]
    assert len(again["begin"]) == len(again["text"])
    broken = files[0].with_name(f"broken{files[0].suffix}")
    broken.write_bytes(files[0].read_bytes()[:40])
    assert main(["recognise", str(broken), "--model", str(exported)]) == 2
    fault = "no WAV file of whole numbers (PCM)" if system == "speech" else "a file is broken or breaks off"
    assert f"broken: {fault}: " in capsys.readouterr().err


def test_forms_that_no_model_takes_are_converted(system, exported, tmp_path, capsys):
    plain = write_file(system, tmp_path / "plain")
    if system == "speech":
        other = tmp_path / "other.wav"
        samples, _ = decode_wav(plain.read_bytes())
        wide = (np.repeat(samples, 2).astype(np.float64) * 2**31).astype("<i4")  # two channels of 32 bits
        with wave.open(str(other), "wb") as file:
            file.setparams((2, 4, 8000, 0, "NONE", ""))
            file.writeframes(wide.tobytes())
    else:
        other = tmp_path / "other.tif"
        Image.open(plain).save(other)
    found = numbers(capsys, "recognise", plain, other, "--model", exported)["lines"]
    assert found[0] == {**found[1], "line": "plain"}


def test_sound_of_another_rate_is_converted():
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    encoded = wav_file(tone, 44100)
    samples, rate = decode_wav(at_rate(encoded, 8000))
    assert rate == 8000
    assert len(samples) == 8000
    inner = samples[100:-100]
    assert inner == pytest.approx(8000 / 2**15 * np.sin(2 * np.pi * 440 * np.arange(100, 7900) / 8000), abs=2e-3)
    assert at_rate(wav_file(tone, 8000), 8000) == wav_file(tone, 8000)
    with pytest.raises(UserError, match="no WAV file"):
        at_rate(b"RIFF", 8000)


def test_frames_of_another_width_are_refused(system, run, exported, data, tmp_path, capsys):
    for path in data.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    stats = json.loads((tmp_path / "stats.json").read_text())
    features = stats["features"]
    wide = len(features["names"])
    features |= {name: features[name][1:] for name in ("names", "mean", "std")}
    (tmp_path / "stats.json").write_text(json.dumps(stats))
    for flags in (["--run", run], ["--model", exported]):
        assert main(["evaluate", *map(str, flags), "--data", str(tmp_path), "--split", "test"]) == 2
        error = capsys.readouterr().err
        assert f"{wide - 1} in a frame" in error
        assert f"{wide} in a frame" in error
        assert "prepare the data anew" in error


def test_endings_tell_the_system():
    assert [system_of_file(name) for name in ("a.PNG", "b.jpg", "c.jpeg", "d.wav")] == ["text-lines"] * 3 + ["speech"]
    assert system_of_file("scan.TIF") == "text-lines"
    assert system_of_file("a.inkml") == system_of_file("b") == "ink-recognition"


def test_files_that_a_model_does_not_read(tmp_path):
    with pytest.raises(UserError, match=r"a\.png: a model of speech reads sound, \.wav"):
        read_lines("speech", "a.png")
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_lines("speech", tmp_path / "none.wav")
    with pytest.raises(UserError, match="is a folder: name the files in it"):
        read_lines("speech", tmp_path)


def test_a_lexicon_is_read(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\ufeffba\n\n  ab \nba\ne\u0301\n", encoding="utf-8")
    lexicon = read_lexicon(path, " abé")
    state = lexicon.start()
    for token in (2, 3, 1, 4):
        score, state = lexicon.advance(state, token)
        assert score == 0
    assert lexicon.end(state) == 0
    assert lexicon.advance(lexicon.start(), 1)[0] == 0
    assert lexicon.advance(lexicon.advance(lexicon.start(), 3)[1], 3)[0] == -np.inf
    path.write_text("ab\nabc\n")
    with pytest.raises(UserError, match=r"words\.txt: 'abc' is no word of this alphabet: it has 'c'"):
        read_lexicon(path, " ab")
    path.write_text("\n")
    with pytest.raises(UserError, match=r"words\.txt: the lexicon has no words"):
        read_lexicon(path, " ab")
    with pytest.raises(UserError, match="cannot be read"):
        read_lexicon(tmp_path / "none.txt", " ab")
