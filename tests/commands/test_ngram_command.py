import argparse
import gzip
import json
import lzma
import os
import struct

import numpy as np
import pytest

from keras_seqgen.commands.ngram import baseline, folder_baseline, ngram
from keras_seqgen.commands.sentences import read_sentences
from keras_seqgen.data import text_schema
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.ngram import estimate, read_arpa

LINES = ["the cat sat", "the dog sat on the cat", "", "a dog", "the cat ran"] * 3
DEFAULTS = {
    "texts": [],
    "output": None,
    "model": None,
    "order": None,
    "tokens": None,
    "vocabulary": None,
    "prune": None,
    "split": "train",
    "verbose": False,
    "json": False,
}


def run(what, *texts, **options):
    return ngram(argparse.Namespace(what=what, **{**DEFAULTS, "texts": [str(text) for text in texts], **options}))


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def model(text, tmp_path):
    run("estimate", text, output=str(tmp_path / "model.arpa"), order=3)
    return str(tmp_path / "model.arpa")


def prepared(folder, kind, train, test):
    """A folder as `prepare text` writes it: the smallest, two records per split."""
    folder.mkdir()
    end = "<eos>" if kind == "word" else "\n"
    split = {
        name: [token for line in lines for token in [*line, end]] for name, lines in (("train", train), ("test", test))
    }
    vocabulary = Vocabulary(sorted({*split["train"], *split["test"]}), kind)
    vocabulary.save(folder / "vocabulary.json")
    for name, tokens in split.items():
        ids = np.array([vocabulary.ids[token] for token in tokens])
        with open(folder / f"{name}-00000-of-00001.tfrecord", "wb") as file:
            for first, part in ((0, ids[:5]), (5, ids[5:])):
                record = text_schema.to_example(first, part, text_schema.id_type(len(vocabulary)))
                file.write(struct.pack("<Q4x", len(record)) + record + bytes(4))
    return folder


def test_a_text_becomes_a_model(text, tmp_path, capsys):
    output = tmp_path / "model.arpa.gz"
    run("estimate", text, output=str(output), order=3, json=True)
    out, err = capsys.readouterr()
    report = json.loads(out)
    expected = estimate(map(str.split, LINES), 3)
    model = read_arpa(output)
    assert report["ngrams"] == list(model.counts) == list(expected.counts)
    assert (report["tokens"], report["output"]) == ("word", str(output))
    assert report["fallback_orders"] == [1, 2, 3]
    assert "[1, 2, 3]" in err
    assert model.score(["the", "cat"]).tolist() == expected.score(["the", "cat"]).tolist()


def test_options_reach_the_estimator(text, tmp_path):
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("the cat\nowl")
    run("estimate", text, text, output=str(tmp_path / "a"), order=4, vocabulary=str(vocabulary), prune=[0, 0, 6])
    expected = estimate(map(str.split, LINES * 2), 4, vocabulary=["the", "cat", "owl"], prune=(0, 0, 6))
    assert read_arpa(tmp_path / "a").tokens == expected.tokens
    assert read_arpa(tmp_path / "a").counts == expected.counts
    Vocabulary(["<eos>", "<unk>", "cat", "the"], kind="word").save(tmp_path / "vocabulary.json")
    run("estimate", text, output=str(tmp_path / "b"), vocabulary=str(tmp_path / "vocabulary.json"))
    assert read_arpa(tmp_path / "b").tokens == ("<unk>", "<s>", "</s>", "cat", "the")


def test_scores_of_each_sentence(model, tmp_path, capsys):
    test = tmp_path / "test.txt"
    test.write_text("the cat ran\nan owl sat\n")
    capsys.readouterr()
    run("score", test, model=model)
    out, err = capsys.readouterr()
    expected = [read_arpa(model).score(line.split()).sum() for line in ("the cat ran", "an owl sat")]
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[1:] for row in rows] == [["0", "the cat ran"], ["2", "an owl sat"]]
    assert [float(row[0]) for row in rows] == pytest.approx(expected, abs=1e-6)
    assert "8 tokens, 2 unknown" in err

    run("score", test, model=model, json=True, verbose=True)
    report = json.loads(capsys.readouterr().out)
    assert [row["log10"] for row in report["sentences"]] == pytest.approx(expected)
    assert [one["token"] for one in report["sentences"][1]["scores"]] == ["an", "owl", "sat", "</s>"]
    assert [one["oov"] for one in report["sentences"][1]["scores"]] == [True, True, False, False]
    assert report["perplexity"] == pytest.approx(10 ** (-sum(expected) / 8))

    run("score", test, model=model, verbose=True)
    assert "\tunknown" in capsys.readouterr().out.splitlines()[6]


def test_characters(text, tmp_path, capsys):
    """A model whose tokens are single characters scores characters without being told."""
    run("estimate", text, output=str(tmp_path / "a"), order=4, tokens="character")
    capsys.readouterr()
    run("score", text, model=str(tmp_path / "a"), json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["tokens"] == sum(len(line) + 1 for line in LINES)
    assert report["sentences"][0]["log10"] == pytest.approx(read_arpa(tmp_path / "a").score("the cat sat").sum())


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_compressed_texts(tmp_path, pack):
    path = tmp_path / "text"
    path.write_bytes(pack("\ufeffe\u0301tat b\r\n\nc".encode()))
    assert list(read_sentences(path, "word")) == [["état", "b"], [], ["c"]]
    assert list(read_sentences(path, "character")) == [list("état b"), [], ["c"]]


@pytest.mark.parametrize("kind", ["word", "character"])
def test_a_prepared_folder(tmp_path, kind, capsys):
    lines = [line.split() if kind == "word" else list(line) for line in LINES]
    folder = prepared(tmp_path / "data", kind, lines, lines[:4])
    assert list(read_sentences(folder, kind)) == lines
    run("estimate", folder, output=str(tmp_path / "a"), order=2)
    assert read_arpa(tmp_path / "a").counts == estimate(lines, 2).counts
    numbers = folder_baseline(folder, "test", order=2)
    expected = estimate(lines, 2).perplexity(lines[:4])
    assert numbers["perplexity"] == pytest.approx(expected["perplexity"])
    assert (numbers["tokens"], numbers["oov"], numbers["order"]) == (expected["tokens"], 0, 2)
    assert numbers["train_tokens"] == sum(len(line) + 1 for line in lines)
    few = folder_baseline(folder, "test", order=2, most=20)
    assert few["train_tokens"] == 20
    assert few["perplexity"] > numbers["perplexity"]


def test_the_baseline_has_the_networks_vocabulary():
    numbers = baseline([["a", "b"], ["b"]], [["b", "c"]], 2, vocabulary="abc")
    assert numbers["oov"] == 0
    assert numbers["bits_per_token"] == pytest.approx(np.log2(numbers["perplexity"]))


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("estimate", {}, "-o is missing"),
        ("estimate", {"output": "a", "order": 0}, "--order must be positive"),
        ("estimate", {"output": "a", "order": 2, "prune": [1, 1]}, "--prune must begin with 0"),
        ("estimate", {"output": "a", "order": 2, "prune": [0, 1, 1]}, "at most 2 numbers"),
        ("score", {}, "--model is missing"),
        ("score", {"model": "nowhere.arpa"}, "nowhere.arpa"),
    ],
)
def test_mistakes(text, what, options, words):
    with pytest.raises(UserError, match=words):
        run(what, text, **options)


def test_texts_that_cannot_be_read(tmp_path, model):
    (tmp_path / "latin").write_bytes(b"fine\ncaf\xe9\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short.xz").write_bytes(lzma.compress(b"a b\n" * 1000)[:-20])
    for path, words in (
        ("nowhere", "nowhere cannot be read"),
        ("latin", "latin, line 2: it is not UTF-8"),
        ("short.xz", "short.xz cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            list(read_sentences(tmp_path / path, "word"))
    with pytest.raises(UserError, match="no sentence"):
        run("estimate", tmp_path / "empty", output=str(tmp_path / "a"))
    with pytest.raises(UserError, match="empty"):
        run("score", tmp_path / "empty", model=model)
    with pytest.raises(UserError, match="words: --tokens character"):
        list(read_sentences(prepared(tmp_path / "data", "word", [["a"] * 9], [["a"] * 9]), "character"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_pipe_is_read_from_its_first_byte(pack):
    reading, writing = os.pipe()
    os.write(writing, pack(b"one two\nthree\n"))
    os.close(writing)
    try:
        assert list(read_sentences(f"/dev/fd/{reading}", "word")) == [["one", "two"], ["three"]]
    finally:
        os.close(reading)
