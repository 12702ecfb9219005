"""The pipeline for ink recognition from files to files."""

import json

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from ink_corpora import contents, dead_letters, stats, write_corpus, write_form
from ink_corpora import lines as ink_lines
from ink_corpora import prepare as prepare_handwriting
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.ink_features import FEATURES, ink_features
from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.recognition_schema import frames_needed, from_example
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines.__main__ import main as pipelines_main
from pipelines.ink_recognition import main


def prepare(*flags):
    return main([str(flag) for flag in flags])


def lines(folder, split):
    files = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    return [from_example(record) for record in tf.data.TFRecordDataset(files).as_numpy_iterator()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("iam"))


@pytest.fixture(scope="module", params=FEATURES)
def prepared(request, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    flags = ("--features", request.param, "--stride", 1, "--shards", 3)
    assert prepare("--input", corpus, "--output", out, *flags) == 0
    return request.param, out


def test_counts_in_are_out_and_dead_and_splits_are_the_official_ones(prepared):
    _, out = prepared
    assert stats(out)["records"] == {"in": 36, "out": 36, "dead": 0}
    assert [len(lines(out, split)) for split in ("train", "valid", "test")] == [33, 3, 0]
    assert {line.name[:7] for line in lines(out, "valid")} == {"a00-000"}


def test_recognition_has_its_own_official_split(tmp_path):
    root = write_corpus(tmp_path / "iam", forms=4)
    names = ["trainset", "testset_v", "testset_t", "testset_f"]
    for form, name in enumerate(names):
        (root / "splits" / f"{name}.txt").write_text(f"a00-{form:03d}\n")
    assert prepare("--input", root, "--output", tmp_path / "out", "--stride", 1) == 0
    found = {split: {line.name[:7] for line in lines(tmp_path / "out", split)} for split in ("train", "valid", "test")}
    assert found == {"train": {"a00-000"}, "valid": {"a00-001", "a00-002"}, "test": {"a00-003"}}


def test_frames_are_the_features_of_the_handwriting_pipelines_strokes(prepared, corpus, tmp_path):
    kind, out = prepared
    assert prepare_handwriting("--input", corpus, "--output", tmp_path) == 0
    strokes = {line.name: line.strokes for line in ink_lines(tmp_path, "train")}
    for line in lines(out, "train"):
        np.testing.assert_array_equal(line.frames, ink_features(strokes[line.name], kind).astype(np.float32))


def test_statistics_are_those_of_the_training_split_alone(prepared):
    kind, out = prepared
    rows = np.concatenate([line.frames for line in lines(out, "train")]).astype(np.float64)
    features = stats(out)["features"]
    assert (features["kind"], features["names"]) == (kind, list(FEATURES[kind]))
    np.testing.assert_allclose(features["mean"], rows.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(features["std"], np.where(rows.std(axis=0) > 1e-7, rows.std(axis=0), 1), rtol=1e-5)
    assert stats(out)["splits"]["train"]["frames"] == len(rows)


def test_vocabulary_and_schema(prepared):
    _, out = prepared
    vocabulary = Vocabulary.load(out / "vocabulary.json")
    assert vocabulary.tokens[0] == " "
    assert "".join(vocabulary.tokens) == " 0123456789efilno"
    schema = text_format.Parse((out / "schema.pbtxt").read_text(), schema_pb2.Schema())
    assert list(schema.string_domain[0].value) == list(vocabulary.tokens)
    assert {"name", "writer", "text", "frames", "length"} <= {feature.name for feature in schema.feature}


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_whatever_the_number_of_workers(corpus, prepared, tmp_path, workers):
    kind, out = prepared
    flags = ["--direct_num_workers", workers, "--direct_running_mode", "multi_threading"]
    flags += ["--features", kind, "--stride", 1, "--shards", 3]
    assert prepare("--input", corpus, "--output", tmp_path / "out", *flags) == 0
    assert contents(tmp_path / "out") == contents(out)


def test_each_fault_costs_one_dead_letter_with_source_and_reason(tmp_path):
    root = write_corpus(tmp_path / "iam", forms=3, lists=False)
    texts = ["cut", "no point", "a label that is much longer than the line of ink", "many   blanks", "oo"]
    paths = write_form(root, "b01-000", texts)
    paths[0].write_bytes(paths[0].read_bytes()[:200])
    paths[1].write_text("<WhiteboardCaptureSession/>")
    write_form(root, "b01-001", ["has", "", "a text missing"])
    flags = ["--features", "raw", "--stride", 2, "--hash-split", 100, 0, 0]
    assert prepare("--input", root, "--output", tmp_path / "out", *flags) == 0
    letters = dead_letters(tmp_path / "out")
    assert {letter["name"]: letter["reason"] for letter in letters} == {
        "b01-000-01": "unreadable",
        "b01-000-02": "unusable strokes",
        "b01-000-03": "label longer than its input",
        "b01-001-02": "no text",
    }
    assert all(letter["source"] and letter["path"] and letter["detail"] for letter in letters)
    assert stats(tmp_path / "out")["records"] == {"in": 9 + 5 + 3, "out": 9 + 2 + 2, "dead": 4}
    assert "many blanks" in {line.text for line in lines(tmp_path / "out", "train")}


def test_frames_needed_is_a_frame_a_character_and_one_between_twins():
    assert [frames_needed(text) for text in ("", "a", "ab", "aa", "hello", "aaa")] == [0, 1, 2, 3, 6, 5]


def test_the_embedded_corpus_through_the_command(tmp_path):
    from keras_seqgen.cli import main as cli

    flags = ["--format", "hershey", "--count", "12", "--output", str(tmp_path), "--hash-split", "50", "25", "25"]
    assert cli(["prepare", "ink-recognition", *flags]) == 0
    assert stats(tmp_path)["records"]["out"] == 12


def test_a_second_run_leaves_nothing_of_the_first(corpus, tmp_path):
    assert prepare("--input", corpus, "--output", tmp_path, "--stride", 1, "--shards", 5) == 0
    assert prepare("--input", corpus, "--output", tmp_path, "--stride", 1, "--shards", 1) == 0
    assert len(list(tmp_path.glob("train-*"))) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output", "out"], "--input is missing"),
        (["--input", "{corpus}", "--output", "out", "--stride", "0"], "--stride must be positive"),
        (["--input", "{corpus}", "--output", "out", "--features", "cooked"], "invalid choice: 'cooked'"),
        (["--input", "{corpus}", "--output", "out", "--cook"], "unknown option: --cook"),
        (["--format", "svg", "--input", "{corpus}", "--output", "out"], "no svg record was found"),
    ],
)
def test_a_users_mistake_is_told_with_exit_code_2(corpus, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert pipelines_main(["ink-recognition", *(flag.format(corpus=corpus) for flag in flags)]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_for_tests_alone_has_the_unit_of_its_lines(tmp_path):
    write_form(tmp_path / "iam", "a00-000", ["text", "more"])
    flags = ["--input", tmp_path / "iam", "--hash-split", 0, 0, 100]
    assert prepare(*flags, "--output", tmp_path / "test") == 0
    assert prepare(*flags[:-3], 100, 0, 0, "--output", tmp_path / "train") == 0
    found = stats(tmp_path / "test")
    assert found["features"] == stats(tmp_path / "train")["features"]
    assert list(found["splits"]) == ["test"]
    assert FrameUnit.load(tmp_path / "test" / "stats.json").names


def test_nothing_left_is_exit_code_1(tmp_path, capsys):
    write_form(tmp_path / "iam", "a00-000", ["text"])[0].write_bytes(b"")
    assert prepare("--input", tmp_path / "iam", "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 1
    assert "no line is left; the reasons are in" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "stats.json").read_text())["features"]["mean"] == []
