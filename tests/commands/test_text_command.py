"""`sample`, `score`, `export` and `evaluate --model` for language models, on a run of random weights."""

import io
import json
import math
import shutil
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_seqgen.cli import main
from keras_seqgen.commands import text
from keras_seqgen.commands.systems import system_of
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_score import TextScorer
from keras_seqgen.decoding.text_writer import TextWriter
from keras_seqgen.errors import UserError
from keras_seqgen.models.language import language_model
from keras_seqgen.recipes import find_recipe, override, save_recipe
from keras_seqgen.training.text_evaluation import evaluate_text


@pytest.fixture(scope="module")
def run(tiny_text, tmp_path_factory):
    """A run as `train` leaves it, of random weights."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    recipe = override(find_recipe("char-ptb"), ["units=16", "batch_size=3", "length=7"])
    save_recipe(recipe, "char-ptb", folder)
    vocabulary = Vocabulary.load(tiny_text / "vocabulary.json")
    vocabulary.save(folder / "vocabulary.json")
    keras.utils.set_random_seed(3)
    model = language_model(len(vocabulary), 16, 1, batch_size=3)
    for weight in model.trainable_weights:
        weight.assign(weight + np.random.default_rng(len(weight.shape)).normal(0, 0.5, weight.shape))
    model.save(folder / "best.keras")
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return text.export_run(run, None, tmp_path_factory.mktemp("saved_models") / "text-tiny", "# Card\n")


@pytest.fixture(scope="module")
def loaded(run):
    model = keras.models.load_model(run / "best.keras", compile=False)
    return model, Vocabulary.load(run / "vocabulary.json")


def options(**changes):
    defaults = {
        "folder": None,
        "model": None,
        "prime": "",
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "stop": "",
        "length": 40,
        "seed": 0,
        "count": 1,
        "replace": None,
        "json": False,
    }
    return SimpleNamespace(**{**defaults, **changes})


def test_a_text_is_shown_while_it_is_written(run, loaded, monkeypatch):
    class Terminal(io.StringIO):
        shown = ()

        def flush(self):
            self.shown = (*self.shown, self.getvalue())

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert text.sample(options(folder=str(run), prime="ab ", temperature=0.8, seed=5)) == 0
    expected = TextWriter(*loaded).sample("ab ", temperature=0.8, seed=5, length=40)[0]
    assert terminal.getvalue().rstrip("\n") == ("ab " + expected).rstrip("\n")
    assert terminal.getvalue().endswith("\n")
    assert len(set(terminal.shown)) >= 3, "in chunks of 16"


def test_run_and_export_write_the_same(run, exported, capsys):
    for which in ({"folder": str(run)}, {"model": str(exported.parent)}):
        text.sample(options(**which, count=3, seed=7, top_k=3, json=True))
    one, two = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert one["samples"] == two["samples"]
    assert [sample["seed"] for sample in one["samples"]] == [7, 8, 9]
    assert two["model"] == str(exported)
    assert len({sample["text"] for sample in one["samples"]}) == 3


def test_several_texts_are_told_apart(run, loaded, capsys):
    text.sample(options(folder=str(run), count=2, prime="c", length=5))
    a, b = TextWriter(*loaded).sample("c", seed=[0, 1], length=5)
    assert capsys.readouterr().out == f"--- seed 0\nc{a}\n--- seed 1\nc{b}\n"


def test_stop_at_the_end_of_a_line(run, capsys):
    text.sample(options(folder=str(run), stop="\\n", length=5000))
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prime": "aXb"}, r"--prime: .*'X' \(U\+0058\).* It has: '\\n abc'.*--replace CHARACTER says"),
        ({"temperature": 0.0}, "`temperature` must be a positive number: 1 draws .* 0.01 takes"),
        ({"temperature": -1.0}, "`temperature` must be a positive number"),
        ({"top_k": -1}, "`top_k`"),
        ({"top_p": 1.5}, "`top_p`"),
        ({"length": 0}, "`length` must be a whole number"),
        ({"stop": "z"}, "`stop` would never be drawn"),
        ({"count": 0}, "--count must be positive"),
        ({"folder": "missing"}, "missing is not a run"),
        ({"folder": None, "model": "missing"}, "missing holds no SavedModel"),
    ],
)
def test_mistakes_are_told_before_anything_is_shown(run, changes, message, capsys):
    with pytest.raises(UserError, match=message):
        text.sample(options(**{"folder": str(run), **changes}))
    assert not capsys.readouterr().out


def test_runs_that_cannot_be_sampled(run, loaded, tmp_path):
    save_recipe(find_recipe("handwriting-demo"), "handwriting-demo", tmp_path / "ink")
    with pytest.raises(UserError, match=r"is a run of handwriting .* not a language model"):
        text.sample(options(folder=str(tmp_path / "ink")))
    save_recipe(find_recipe("char-ptb"), "char-ptb", tmp_path / "young")
    with pytest.raises(UserError, match=r"no best.keras yet"):
        text.sample(options(folder=str(tmp_path / "young")))
    loaded[0].save(tmp_path / "young" / "best.keras")
    Vocabulary("abc").save(tmp_path / "young" / "vocabulary.json")
    with pytest.raises(UserError, match=r"predicts 5 tokens but the vocabulary has 3: take the vocabulary.json"):
        text.sample(options(folder=str(tmp_path / "young")))


def test_a_primer_of_characters_that_the_model_does_not_know(exported, run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    Vocabulary(["\n", "<unk>", "a", "b", "c"]).save(folder / "vocabulary.json")
    with pytest.raises(UserError, match=r"--prime: the model does not know 'X' 'Y'. --replace CHARACTER .*'<unk>'"):
        text.sample(options(folder=str(folder), prime="aYXb"))
    text.sample(options(folder=str(folder), prime="aYb", replace="c", json=True))
    assert json.loads(capsys.readouterr().out)["prime"] == "acb"


def test_numbers_without_a_training_split(run, tiny_text, tmp_path, capsys):
    for path in tiny_text.iterdir():
        if not path.name.startswith("train"):
            shutil.copy(path, tmp_path)
    recipe = override(find_recipe("char-ptb"), ["units=16", "batch_size=3", "length=7"])
    found = text.evaluate_run(str(run), recipe, str(tmp_path), "test", dynamic={"rate": 1e-3})
    assert found["bits_per_token"] > 0
    assert not any(name.startswith("n_gram_") for name in found)
    told = capsys.readouterr()
    assert "no n-gram model beside the network" in told.err
    assert told.out == ""  # which is for the numbers: Keras's progress goes elsewhere


def test_what_evaluate_cannot_use_is_told(run, exported, tiny_text, capsys):
    for words, message in (
        (["--model", exported, "--dynamic"], "an exported model does not learn"),
        (["--run", run, "--rows", "3"], "--rows is for --dynamic"),
        (["--run", run, "--rate", "0.1"], "--rate is for --dynamic"),
        (["--run", run, "--decay", "0.1"], "--decay is for --dynamic"),
        (["--run", run, "--lines", "50"], "--lines is for --legibility"),
        (["--run", run, "--bias", "0"], "--bias is for --legibility"),
        (["--run", run, "--legibility", "--rate", "1"], "--rate is not for --legibility"),
        (["--run", run, "--legibility", "--crf", "iterations=3"], "--crf is not for --legibility"),
        (["--model", exported, "--crf", "iterations=3"], "--crf is for a --run"),
        (["--run", run, "--decay", "0.1", "--dynamic"], "--decay is for --dynamic rms"),
        (["--run", run, "--decay", "2", "--dynamic", "rms"], "--decay must be from 0 to 1. Received: 2.0"),
    ):
        assert main(["evaluate", *map(str, words), "--data", str(tiny_text)]) == 2
        assert message in capsys.readouterr().err


def test_replace(run, capsys):
    for prime, replace in (("aXb", "c"), ("acb", None)):
        text.sample(options(folder=str(run), prime=prime, replace=replace, json=True))
    a, b = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert a == b
    assert a["prime"] == "acb"


def test_score(run, exported, loaded, tmp_path, capsys):
    lines = ["aa bb", "", "cab a"]
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for which in ({"folder": str(run)}, {"model": str(exported)}):
        text.score(options(**which, file=str(tmp_path / "lines.txt"), json=True))
    one, two = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    expected = TextScorer(*loaded).score(lines)
    for result in (one, two):
        assert [row["text"] for row in result["sentences"]] == lines
        for row, score in zip(result["sentences"], expected, strict=True):
            assert row["log_prob"] == pytest.approx(score.log_prob, rel=1e-5)
            assert row["perplexity"] == pytest.approx(math.exp(-score.log_prob / score.tokens), rel=1e-5)
        assert result["tokens"] == 5 + 1 + 0 + 1 + 5 + 1
        assert result["perplexity"] == pytest.approx(math.exp(-result["log_prob"] / 13))
    text.score(options(folder=str(run), file=str(tmp_path / "lines.txt")))
    out, err = capsys.readouterr()
    header, first, *_ = out.splitlines()
    assert header.split("\t") == ["log_prob", "per_token", "perplexity", "sentence"]
    assert first == f"{expected[0].log_prob:.4f}\t{expected[0].per_token:.4f}\t{expected[0].perplexity:.2f}\taa bb"
    assert err.startswith("3 sentences, 13 tokens, perplexity ")


def test_score_reads_the_form_that_the_vocabulary_has(run, tmp_path, capsys):
    decomposed = "cafe\u0301"
    (tmp_path / "lines.txt").write_text(decomposed, encoding="utf-8")
    for form, length in ((None, 5), ("NFC", 4)):
        characters = sorted({*"abcef \n\u0301\u00e9"})
        folder = tmp_path / str(form)
        save_recipe(override(find_recipe("char-ptb"), ["units=4"]), "char-ptb", folder)
        Vocabulary(characters, normalization=form).save(folder / "vocabulary.json")
        language_model(len(characters), 4, 1).save(folder / "best.keras")
        text.score(options(folder=str(folder), file=str(tmp_path / "lines.txt"), json=True))
        assert [len(row["text"]) for row in json.loads(capsys.readouterr().out)["sentences"]] == [length]


def test_score_refuses(run, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(UserError, match="is empty: it should have a sentence on each line"):
        text.score(options(folder=str(run), file=str(tmp_path / "empty.txt")))
    (tmp_path / "strange.txt").write_text("ab\nXY\n")
    with pytest.raises(UserError, match=r"sentence 2: .*'X'"):
        text.score(options(folder=str(run), file=str(tmp_path / "strange.txt")))
    with pytest.raises(UserError, match="cannot be read"):
        text.score(options(folder=str(run), file=str(tmp_path / "missing.txt")))


def test_an_export_has_the_numbers_of_its_run(run, exported, loaded, tiny_text, tmp_path):
    assert system_of(exported) == "text"
    recipe = override(find_recipe("char-ptb"), ["units=16", "batch_size=3", "length=7"])
    ours = text.evaluate_model(str(exported), str(tiny_text), "test")
    theirs = evaluate_text(loaded[0], recipe, tiny_text, "test", run)
    network = {name: value for name, value in ours.items() if not name.startswith("n_gram_")}
    assert network == {name: pytest.approx(value, rel=1e-5) for name, value in theirs.items()}
    baseline = {name: value for name, value in ours.items() if name not in network and name != "n_gram_seconds"}
    assert baseline["n_gram_train_tokens"] > 0
    of_run = text.evaluate_run(str(run), recipe, str(tiny_text), "test")
    assert {name: of_run[name] for name in baseline} == baseline
    Vocabulary("ab").save(tmp_path / "vocabulary.json")
    with pytest.raises(UserError, match="no split"):
        text.evaluate_model(str(exported), str(tmp_path), "test")
