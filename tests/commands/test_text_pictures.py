import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_seqgen.commands.text_pictures import show
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.activations import read_tokens
from keras_seqgen.errors import UserError
from keras_seqgen.models.language import language_model, with_batch_size

TEXT = 'say "on (and) on":\n    yes # no\n\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a language model, with carried state as `train` leaves it, of random weights."""
    folder = tmp_path_factory.mktemp("pictures") / "net"
    folder.mkdir()
    vocabulary = Vocabulary.from_texts([TEXT])
    vocabulary.save(folder / "vocabulary.json")
    keras.utils.set_random_seed(5)
    model = language_model(len(vocabulary), 8, 1, cell="lstm", batch_size=4)
    model.trainable_weights[0].assign(model.trainable_weights[0] * 4)
    model.save(folder / "best.keras")
    (folder / "text.py").write_text(TEXT * 100)
    return folder


def ask(run, what, output, **options):
    defaults = {"text": [str(run / "text.py")], "data": None, "split": "valid", "start": 0, "count": None, "cell": None}
    defaults |= {"property": None, "replace": None, "seed": 0, "json": True}
    return show(SimpleNamespace(what=what, run_folder=str(run), output=str(output), **{**defaults, **options}))


def test_guesses(run, tmp_path, capsys):
    assert ask(run, "guesses", tmp_path / "g.svg", start=5, count=40) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == f"{tmp_path / 'g.svg'}\n"
    assert "".join(result["tokens"]) == (TEXT * 100)[5:45]
    vocabulary = Vocabulary.load(run / "vocabulary.json")
    model = with_batch_size(keras.models.load_model(run / "best.keras", compile=False), None)
    ids = vocabulary.encode(TEXT * 2)[:45]
    logits = keras.ops.convert_to_numpy(model({"tokens": np.pad(ids[:-1], (1, 0))[None]}))[0, 5:]
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    for row, guesses in zip(p, result["guesses"], strict=True):
        assert [guess for guess, _ in guesses] == [vocabulary.tokens[k] for k in np.argsort(-row)[:5]]
        assert [chance for _, chance in guesses] == pytest.approx(sorted(row, reverse=True)[:5], abs=1e-4)
    assert result["bits_per_token"] == pytest.approx(-np.log2(p[np.arange(40), ids[5:] - 1]).mean(), rel=1e-5)


def test_activations(run, tmp_path, capsys):
    ask(run, "activations", tmp_path / "a.png", start=3000, count=30, cell=["c1.3", "h1.3"])
    result = json.loads(capsys.readouterr().out)
    assert list(result["cells"]) == ["c1.3", "h1.3"]
    c, h = map(np.array, result["cells"].values())
    assert len(c) == len(result["tokens"]) == 30
    assert (np.abs(h) <= np.abs(c) + 1e-4).all()  # h = o tanh(c), 0 < o < 1
    assert (np.sign(h) == np.sign(c))[np.abs(h) > 1e-3].all()
    model = keras.models.load_model(run / "best.keras", compile=False)
    states = read_tokens(model, Vocabulary.load(run / "vocabulary.json").encode(TEXT * 100)[None, :3030], ["c1"]).states
    assert c == pytest.approx(np.tanh(states[0, 3000:, 3]), abs=1e-4)
    assert np.abs(states[0, 3000:, 3]).max() > 1
    ask(run, "activations", tmp_path / "b.png", start=2990, count=40, cell=["c1.3"])  # context: the same states
    assert json.loads(capsys.readouterr().out)["cells"]["c1.3"][10:] == pytest.approx(c, abs=1e-4)


def test_cells(run, tmp_path, capsys):
    assert ask(run, "cells", tmp_path / "c.png") == 0
    result = json.loads(capsys.readouterr().out)
    assert {"quotes", "line-position", "python-comment"} <= set(result["properties"])
    assert "python-docstring" not in result["properties"]  # there is none in the text
    for row in result["properties"].values():
        assert row["cell"].startswith("c1.")
        assert 0 <= row["low"] <= row["auc"] <= row["high"] <= 1
        assert 0 <= row["untrained"]["auc"] <= 1
    rows = result["properties"].values()
    assert any(row["auc"] != row["untrained"]["auc"] for row in rows)
    assert (tmp_path / "c.png").stat().st_size > 10_000

    ask(run, "cells", "-", property=["quotes"], json=False)
    table = capsys.readouterr().out
    assert f"quotes            {result['properties']['quotes']['cell']}" in table
    assert "indentation" not in table
    assert "\x1b[" in table


def test_prepared_data(run, tmp_path, capsys):
    pytest.importorskip("apache_beam")
    from pipelines.__main__ import main

    (tmp_path / "text.txt").write_text(TEXT * 100)
    options = ["--input", tmp_path / "text.txt", "--vocabulary", run / "vocabulary.json", "--output", tmp_path / "data"]
    assert main(["text", *map(str, options), "--split", "order", "50", "50", "0"]) == 0
    capsys.readouterr()
    data = {"text": None, "data": str(tmp_path / "data"), "count": 20}
    ask(run, "guesses", tmp_path / "g.png", **data)
    assert "".join(json.loads(capsys.readouterr().out)["tokens"]) in TEXT * 2
    Vocabulary("ab").save(tmp_path / "data" / "vocabulary.json")
    with pytest.raises(UserError, match="another vocabulary"):
        ask(run, "guesses", tmp_path / "g.png", **data)


@pytest.mark.parametrize(
    ("what", "options", "message"),
    [
        ("guesses", {"output": "g.gif"}, r"\.png, \.svg"),
        ("guesses", {"output": "-"}, "--json and `-o -`"),
        ("guesses", {"count": 0}, "--count must be positive"),
        ("guesses", {"start": -1}, "--start"),
        ("guesses", {"start": 10_000}, "smaller --start"),
        ("guesses", {"text": None}, "--text, or prepared data"),
        ("guesses", {"text": ["nowhere.txt"]}, "nowhere.txt cannot be read"),
        ("guesses", {"run_folder": None}, "--run is missing"),
        ("guesses", {"run_folder": "nowhere"}, "no best.keras"),
        ("activations", {}, "--cell is missing"),
        ("activations", {"cell": ["c1.8"]}, r"no cell c1.8; there are h1.0 to h1.7, c1.0 to c1.7"),
        ("cells", {"count": 1000}, "at least 2000 tokens"),
        ("cells", {"property": ["rhyme"]}, "no property `rhyme`"),
    ],
)
def test_mistakes_are_named(run, tmp_path, what, options, message):
    options = {"output": str(tmp_path / "a.png"), "run_folder": str(run), **options}
    names = {"text": [str(run / "text.py")], "data": None, "split": "valid", "start": 0, "count": None, "cell": None}
    rest = {"property": None, "replace": None, "seed": 0, "json": True}
    with pytest.raises(UserError, match=message):
        show(SimpleNamespace(what=what, **{**names, **rest, **options}))
    assert not list(tmp_path.iterdir())


def test_texts_that_the_model_cannot_read(run, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("na\u00efve")
    with pytest.raises(UserError, match=r"U\+00EF"):
        ask(run, "guesses", tmp_path / "g.png", text=[str(tmp_path / "a.txt")])
    ask(run, "guesses", tmp_path / "g.png", text=[str(tmp_path / "a.txt")], replace="o")
    assert "".join(json.loads(capsys.readouterr().out)["tokens"]) == "naooe"
    (tmp_path / "b.txt").write_bytes(b"no\xff")
    with pytest.raises(UserError, match="its byte 2"):
        ask(run, "guesses", tmp_path / "g.png", text=[str(tmp_path / "b.txt")])
