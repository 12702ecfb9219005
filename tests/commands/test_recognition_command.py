"""`keras-seqgen recognise` and `tune`, and the recognisers' part of `evaluate` and `export`."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_seqgen.cli import main
from keras_seqgen.commands import recognition
from keras_seqgen.commands.recognition import error_rates, evaluate_run, greedy, read_texts
from keras_seqgen.commands.recognition_files import read_points
from keras_seqgen.data.recognition_schema import from_example
from keras_seqgen.decoding.ctc_language import CTCLanguage
from keras_seqgen.decoding.tuning import Tried
from keras_seqgen.errors import UserError
from keras_seqgen.metrics.edit_distance import character_error_rate, word_error_rate
from keras_seqgen.recipes import find_recipe, load_recipe, override
from tests.recognition_data import write_prepared

SMALL = ["units=12", "batch_size=8", "steps_per_epoch=20", "learning_rate=0.02", "average=0.8", "updates=0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run that reads, not quite without mistakes."""
    folder = str(tmp_path_factory.mktemp("run"))
    flags = ["--data", str(data), "--run", folder, "--steps", "40", "--set", *SMALL]
    assert main(["train", "ink-recognition-paper-raw", *flags]) == 0
    return folder


@pytest.fixture(scope="module")
def tuned(run, data, tmp_path_factory):
    """A copy of the run with a language model."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    shutil.copytree(run, folder)
    (folder.parent / "more.txt").write_text("abc abc\ncab\n")
    flags = ["--corpus", str(folder.parent / "more.txt"), "--lines", "7", "--beam", "8", "--character-order", "3"]
    assert main(["tune", "--run", str(folder), "--data", str(data), *flags]) == 0
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    to = tmp_path_factory.mktemp("saved_models") / "ink-recognition"
    assert main(["export", "--run", run, "--to", str(to), "--require", "val_cer<2"]) == 0
    return to


def numbers(capsys, *flags):
    capsys.readouterr()
    assert main([*map(str, flags), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_counts_what_was_read(run, data, capsys):
    import keras

    found = numbers(capsys, "evaluate", "--run", run, "--data", data, "--split", "test")
    model = keras.models.load_model(f"{run}/best.keras", compile=False)
    stats = json.loads((data / "stats.json").read_text())["features"]
    import tensorflow as tf

    texts, read = [], []
    for record in tf.data.TFRecordDataset([str(path) for path in data.glob("test-*")]).as_numpy_iterator():
        line = from_example(record)
        frames = (line.frames - np.float32(stats["mean"])) / np.float32(stats["std"])
        logits = model({"frames": frames[None], "length": np.array([len(frames)])}).numpy()[0]
        texts.append(line.text)
        read.append("".join(" abc"[number - 1] for number in greedy(logits)))
    assert found["lines"] == 9
    assert found["cer"] == pytest.approx(character_error_rate(texts, read), abs=1e-9)
    assert found["wer"] == pytest.approx(word_error_rate(texts, read), abs=1e-9)


def test_error_rates_of_each_reading():
    found = error_rates(["ab c", "d"], {"best_path": ["ab c", "e"], "word": ["ab c", "d"]})
    assert found == {"cer": 0.2, "wer": 1 / 3, "exact": 0.5, "word_cer": 0.0, "word_wer": 0.0, "word_exact": 1.0}


def test_greedy_joins_runs_and_drops_blanks():
    assert greedy(np.eye(3)[[0, 1, 1, 0, 1, 2, 2]]) == [1, 1, 2]


def test_tune_leaves_weights_and_evaluate_reads_with_them(tuned, data, capsys):
    language = CTCLanguage.load(tuned)
    assert set(language.weights) == {"character", "word", "both"}
    assert len(language.models["word"]) == 2
    assert language.tuned["lines"] == 7  # of 12
    # A weight of 0 is among those tried, so a word model beside the characters' is never worse than they alone.
    assert language.tuned["both_wer"] <= language.tuned["character_wer"]
    found = numbers(capsys, "evaluate", "--run", tuned, "--data", data)
    assert {"cer", "wer", "character_wer", "word_wer", "both_cer", "lines"} <= set(found)
    assert sorted(read_texts(data, "valid"))


def test_a_stopped_search_goes_on(run, tuned, data, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    corpus = ["--corpus", str(tuned.parent / "more.txt")]
    flags = ["tune", "--run", str(folder), "--data", str(data), "--lines", "7", "--beam", "8", "--character-order", "3"]
    tell = recognition._tell

    def stop(tried, kind, *numbers):
        tell(tried, kind, *numbers)
        if kind == "word":
            raise UserError("enough")

    with monkeypatch.context() as patch:
        patch.setattr(recognition, "_tell", stop)
        assert main([*flags, *corpus]) == 2
    before = [line for line in capsys.readouterr().err.splitlines() if ": alpha" in line]
    assert not (folder / "language.json").exists()
    assert main([*flags, *corpus]) == 0
    after = [line for line in capsys.readouterr().err.splitlines() if ": alpha" in line]
    assert CTCLanguage.load(folder).weights == CTCLanguage.load(tuned).weights
    assert CTCLanguage.load(folder).tuned == CTCLanguage.load(tuned).tuned
    assert not (folder / "tuning.json").exists()
    assert sum(line.startswith("word") for line in before) == 1
    assert sum(line.startswith("character") for line in before) > 1
    assert not any(line.startswith("character") for line in after)
    assert len(set(before + after)) == len(before + after), "nothing is tried twice"


def test_what_was_tried_on_other_data_does_not_count(tmp_path):
    Tried(tmp_path / "tuning.json", {"beam": 5}).add("word", 0.5, 1.0, 0.2)
    assert Tried(tmp_path / "tuning.json", {"beam": 5}).of("word") == {(0.5, 1.0): 0.2}
    assert Tried(tmp_path / "tuning.json", {"beam": 5}).of("character") == {}
    assert Tried(tmp_path / "tuning.json", {"beam": 6}).of("word") == {}
    (tmp_path / "tuning.json").write_text('{"about"')
    assert Tried(tmp_path / "tuning.json", {"beam": 5}).of("word") == {}


def test_a_lexicon_lets_its_words_alone_be_read(run, data, tmp_path, monkeypatch):
    read = {}
    monkeypatch.setattr(
        recognition, "error_rates", lambda texts, found: read.update(found) or error_rates(texts, found)
    )
    (tmp_path / "words.txt").write_text("abc\ncab\nb\n")
    found = evaluate_run(run, load_recipe(run)[1], data, "test", lexicon=tmp_path / "words.txt")
    assert {"cer", "wer", "exact", "lexicon_cer", "lexicon_wer", "lexicon_exact", "lines"} == set(found)
    words = {word for text in read["lexicon"] for word in text.split()}
    assert words <= {"abc", "cab", "b"}
    assert not {word for text in read["best_path"] for word in text.split()} <= {"abc", "cab", "b"}
    (tmp_path / "words.txt").write_text("\n".join(word for text in read_texts(data, "test") for word in text.split()))
    better = evaluate_run(run, load_recipe(run)[1], data, "test", lexicon=tmp_path / "words.txt")
    assert better["lexicon_wer"] <= better["wer"] == found["wer"]
    assert better["lexicon_wer"] < found["lexicon_wer"]


def test_evaluate_takes_a_lexicon_with_a_run(run, exported, data, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("abc\ncab\n")
    flags = ["--data", str(data), "--split", "test", "--lexicon", str(tmp_path / "words.txt")]
    assert {"cer", "lexicon_cer", "lexicon_wer", "lexicon_exact"} <= set(
        numbers(capsys, "evaluate", "--run", run, *flags)
    )
    assert main(["evaluate", "--model", str(exported), *flags]) == 2
    assert "--lexicon is for a recogniser's --run" in capsys.readouterr().err


def test_an_exported_model_has_the_same_error_rates(run, exported, data, capsys):
    by_run = numbers(capsys, "evaluate", "--run", run, "--data", data, "--split", "test")
    assert numbers(capsys, "evaluate", "--model", exported, "--data", data, "--split", "test") == by_run | {
        "split": "test"
    }


def test_recognise_prints_what_it_reads(exported, tuned, tmp_path, capsys):
    points = [[0, 0, 0], [3, 0, 0], [6, 0, 0], [9, 0, 1], [9, 3, 0], [9, 6, 1]]
    (tmp_path / "one.json").write_text(json.dumps({"points": points, "text": "?"}))
    (tmp_path / "two.json").write_text(json.dumps({"lines": [{"points": points}, {"points": points[:4]}]}))
    found = numbers(capsys, "recognise", tmp_path / "one.json", tmp_path / "two.json", "--model", exported)
    one, two, _ = found["lines"]
    assert [line["line"] for line in found["lines"]] == ["one#0", "two#0", "two#1"]
    assert {name: one[name] for name in ("text", "begin")} == {name: two[name] for name in ("text", "begin")}
    assert 0 <= one["confidence"] <= 1
    assert len(one["begin"]) == len(one["probability"]) == len(one["text"])
    with_language = ["--language", tuned, "--language-model", "word", "--model", exported]
    again = numbers(capsys, "recognise", tmp_path / "one.json", *with_language)["lines"][0]
    assert len(again["begin"]) == len(again["text"])
    (tmp_path / "words.txt").write_text("bb\nbc\n")
    for flags in (["--model", exported], with_language):
        read = numbers(capsys, "recognise", tmp_path / "one.json", "--lexicon", tmp_path / "words.txt", *flags)
        assert set(read["lines"][0]["text"].split()) <= {"bb", "bc"}
    assert main(["recognise", str(tmp_path / "one.json"), "--model", str(exported)]) == 0
    assert capsys.readouterr().out == one["text"] + "\n"


def test_ink_files_of_other_programs_are_read(tmp_path):
    (tmp_path / "a.inkml").write_text("<ink><trace>0 0, 5 5</trace><trace>9 9</trace></ink>")
    ((name, points),) = read_points(tmp_path / "a.inkml")
    assert name == "a"
    assert points.tolist() == [[0, 0, 0], [5, 5, 1], [9, 9, 1]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["recognise", "nothing.json"], "holds no points"),
        (["recognise", "nothing.txt"], "no known ink file"),
        (["recognise", "nothing.json", "--lexicon", "words.txt", "--beam", "0"], "--beam must be positive"),
        (["recognise", "nothing.json", "--beam", "5"], "--beam needs --language or --lexicon"),
        (
            ["recognise", "nothing.json", "--lexicon", "w", "--language-model", "word"],
            "--language-model needs --language",
        ),
        (["tune", "--run", "nowhere", "--data", "d"], "is not a run"),
        (["tune", "--run", "nowhere", "--data", "d", "--lines", "0"], "--lines must be positive"),
    ],
)
def test_mistakes_are_one_line(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(flags) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_a_run_of_another_system_cannot_be_tuned(tmp_path, capsys):
    from keras_seqgen.recipes import save_recipe

    save_recipe(override(find_recipe("char-lstm"), []), "char-lstm", tmp_path)
    assert main(["tune", "--run", str(tmp_path), "--data", "d"]) == 2
    assert "not of a recogniser" in capsys.readouterr().err


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "a.inkml").write_text("<ink><trace>0 0</trace></ink>")
    with pytest.raises(UserError, match="fewer than 2 points"):
        read_points(tmp_path / "a.inkml")


def test_no_command_imports_tensorflow_before_it_is_silenced():
    """What TensorFlow's C++ half says would stand above a mistake's one line."""
    code = "import sys, keras_seqgen.commands.recognition; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
