"""The handwriting pipeline from files to files."""

import hashlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import text_format
from ink_corpora import contents, dead_letters, line_xml, lines, prepare, stats, write_corpus, write_form
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.batches import handwriting_batches
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines.splits import stable_hash

TWICE = ["--train-files", "trainset.txt", "--valid-files", "trainset.txt"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("iam"))


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    assert prepare("--input", corpus, "--output", out, "--shards", 3) == 0
    return out


def test_every_line_arrives_in_its_official_split(prepared):
    train, valid, test = (lines(prepared, split) for split in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (33, 3, 0)
    assert {line.name[:7] for line in valid} == {"a00-000"}
    assert {line.text for line in valid} == {"line 0 of 0", "line 1 of 0", "line 2 of 0"}
    assert all(line.strokes[-1, 2] == 1 and np.all(np.isfinite(line.strokes)) for line in train)
    assert stats(prepared)["records"] == {"in": 36, "out": 36, "dead": 0}


def test_statistics_are_those_of_the_training_split_alone(prepared):
    rows = np.concatenate([line.strokes for line in lines(prepared, "train")]).astype(np.float64)
    offsets = stats(prepared)["offsets"]
    np.testing.assert_allclose(offsets["mean"], rows[:, :2].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(offsets["std"], rows[:, :2].std(axis=0), rtol=1e-9)


def test_the_folder_feeds_a_training(prepared):
    inputs, targets, weight = next(iter(handwriting_batches(prepared, "train", 4, seed=0, repeat=True)))
    assert inputs["strokes"].shape == targets.shape
    vocabulary = Vocabulary.load(prepared / "vocabulary.json")
    assert vocabulary.decode(inputs["text"].numpy()[0]).startswith("line ")
    assert weight.numpy().min() >= 0


def test_vocabulary_and_schema(prepared):
    vocabulary = Vocabulary.load(prepared / "vocabulary.json")
    assert "".join(vocabulary.tokens) == " 0123456789efilno"
    schema = text_format.Parse((prepared / "schema.pbtxt").read_text(), schema_pb2.Schema())
    assert list(schema.string_domain[0].value) == list(vocabulary.tokens)
    assert {"name", "writer", "text", "strokes", "length"} <= {feature.name for feature in schema.feature}
    presence = {feature.name: feature.presence.min_fraction for feature in schema.feature}
    assert (presence["text"], presence["writer"]) == (1.0, 0.0)


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_whatever_the_number_of_workers(corpus, prepared, tmp_path, workers):
    flags = ["--direct_num_workers", workers, "--direct_running_mode", "multi_threading"]
    assert prepare("--input", corpus, "--output", tmp_path / "out", "--shards", 3, *flags) == 0
    assert contents(tmp_path / "out") == contents(prepared)


@pytest.mark.slow
def test_same_bytes_from_several_processes(corpus, prepared, tmp_path):
    flags = ["--direct_num_workers", 2, "--direct_running_mode", "multi_processing"]
    command = [sys.executable, "-m", "pipelines", "handwriting", "--input", corpus, "--output", tmp_path, "--shards", 3]
    subprocess.run([str(word) for word in [*command, *flags]], check=True, timeout=200)
    assert contents(tmp_path) == contents(prepared)


def test_records_do_not_depend_on_where_the_input_lies(corpus, prepared, tmp_path):
    shutil.copytree(corpus, tmp_path / "elsewhere")
    assert prepare("--input", tmp_path / "elsewhere", "--output", tmp_path / "out", "--shards", 3) == 0
    assert contents(tmp_path / "out") == contents(prepared)


def test_a_second_run_leaves_nothing_of_the_first(corpus, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert prepare("--input", corpus, "--output", tmp_path, "--shards", 5) == 0
    assert prepare("--input", corpus, "--output", tmp_path, "--shards", 1) == 0
    assert len(list(tmp_path.glob("train-*"))) == 1
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_each_fault_costs_one_dead_letter_with_source_and_reason(tmp_path):
    root = write_corpus(tmp_path / "iam", forms=3, lists=False)
    good = 9
    paths = write_form(root, "b01-000", ["empty", "cut", "laughs", "nan", "no point", "binary", "one point", "good"])
    paths[0].write_bytes(b"")
    paths[1].write_bytes(paths[1].read_bytes()[:200])
    paths[2].write_text('<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>')
    paths[3].write_text(re.sub(r'x="\d+"', 'x="nan"', line_xml(np.random.default_rng(0)), count=1))
    paths[4].write_text("<WhiteboardCaptureSession/>")
    paths[5].write_bytes(bytes(range(256)))
    paths[6].write_text('<W><Stroke><Point x="1" y="1" time="0"/></Stroke></W>')
    write_form(root, "b01-001", ["as many", "lines as", "texts"])[2].unlink()
    write_form(root, "b01-002", ["has", "", "a text missing"])
    write_form(root, "b01-003", ["no transcription"])
    (root / "ascii/b01/b01-003/b01-003.txt").unlink()
    assert prepare("--input", root, "--output", tmp_path / "out", "--shards", 2, "--hash-split", 100, 0, 0) == 0
    letters = dead_letters(tmp_path / "out")
    reasons = {letter["name"]: letter["reason"] for letter in letters}
    assert reasons == {
        **{f"b01-000-{n:02d}": "unreadable" for n in (1, 2, 3, 6)},
        **{f"b01-000-{n:02d}": "unusable strokes" for n in (4, 5, 7)},
        **{f"b01-001-{n:02d}": "no trusted text" for n in (1, 2)},
        "b01-002-02": "no text",
        "b01-003-01": "no trusted text",
    }
    assert all(letter["source"] and letter["path"] and letter["detail"] for letter in letters)
    assert stats(tmp_path / "out")["records"] == {"in": good + 8 + 2 + 3 + 1, "out": good + 1 + 2, "dead": 11}


def test_lines_that_no_list_names_are_dead_letters(corpus, tmp_path):
    (tmp_path / "mine.txt").write_text("a00-001\na00-002-02\n")
    assert prepare("--input", corpus, "--output", tmp_path / "out", "--train-files", tmp_path / "mine.txt") == 0
    assert {line.name for line in lines(tmp_path / "out", "train")} == {f"a00-001-{n:02d}" for n in (1, 2, 3)} | {
        "a00-002-02"
    }
    assert stats(tmp_path / "out")["dead_letters"] == {"in no split": 32}


def test_hash_split_keeps_forms_together_and_does_not_move(tmp_path):
    root = write_corpus(tmp_path / "iam", forms=40, lists=False)
    assert prepare("--input", root, "--output", tmp_path / "out", "--hash-split", 60, 20, 20) == 0
    groups = {split: {line.name[:7] for line in lines(tmp_path / "out", split)} for split in ("train", "valid", "test")}
    assert sum(map(len, groups.values())) == 40
    assert len(set.union(*groups.values())) == 40
    assert groups["valid"] == {form for form in set.union(*groups.values()) if 60 <= stable_hash(form) % 100 < 80}
    assert stable_hash("a00-000") == int(hashlib.sha256(b"a00-000").hexdigest()[:16], 16)  # in any process, any year


def test_cleaning_can_be_switched_off(tmp_path):
    root = tmp_path / "iam"
    path = write_form(root, "a00-000", ["text"])[0]
    path.write_text(path.read_text().replace('x="10', 'x="90', 5))
    flags = ["--input", root, "--hash-split", 100, 0, 0, "--output"]
    assert prepare(*flags, tmp_path / "clean") == 0
    assert prepare(*flags, tmp_path / "raw", "--no-clean") == 0
    assert prepare(*flags, tmp_path / "some", "--max-step", 0) == 0
    assert stats(tmp_path / "clean")["splits"]["train"]["repairs"].get("removed")
    assert stats(tmp_path / "raw")["splits"]["train"]["repairs"] == {}
    assert "removed" not in stats(tmp_path / "some")["splits"]["train"]["repairs"]


def test_nothing_to_train_on_is_exit_code_1(tmp_path, capsys):
    write_form(tmp_path / "iam", "a00-000", ["text"])[0].write_bytes(b"")
    assert prepare("--input", tmp_path / "iam", "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 1
    assert "no line is left to train on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output", "out"], "--input is missing"),
        (["--input", "x"], "--output is missing"),
        (["--input", "missing", "--output", "out"], "does not exist"),
        (["--input", "{corpus}", "--output", "out", "--shards", "0"], "--shards must be positive"),
        (["--input", "{corpus}", "--output", "out", "--train-files", "nope.txt"], "nope.txt is not found"),
        (["--input", "{corpus}", "--output", "out", *TWICE], "lists of both"),
        (["--input", "{corpus}", "--output", "out", "--hash-split", "50", "20", "20"], "add up to 100"),
        (["--input", "{corpus}", "--output", "out", "--shard", "3"], "unknown option: --shard"),
        (["--input", "{corpus}", "--output", "out", "--validate-against", "nope.pbtxt"], "cannot read nope.pbtxt"),
        (["--format", "svg", "--input", "{corpus}", "--output", "out"], "no svg record was found"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line_and_exit_code_2(corpus, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert prepare(*(flag.format(corpus=corpus) for flag in flags)) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len([line for line in error.splitlines() if not line.startswith("shard ")]) == 1


def test_help_has_examples(capsys):
    assert prepare("--help") == 0
    text = capsys.readouterr().out
    assert "--validate-against" in text
    assert "examples:" in text


def test_the_real_sample(data, tmp_path):
    shutil.unpack_archive(data / "iam_ondb" / "raw_sample.tar.xz", tmp_path / "iam", filter="data")
    shutil.copytree(data / "iam_ondb" / "splits", tmp_path / "iam" / "splits")
    assert prepare("--input", tmp_path / "iam", "--output", tmp_path / "out") == 0
    numbers = stats(tmp_path / "out")
    assert numbers["dead_letters"] == {"no trusted text": 9}
    assert numbers["records"]["out"] == numbers["records"]["in"] - 9 > 200
    assert {line.text for line in lines(tmp_path / "out", "train")} >= {"A MOVE to stop Mr . Gaitskell"}
