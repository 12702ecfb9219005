"""The pipeline for lines of print from files to files."""

import json
import unicodedata
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw

from keras_seqgen.data.line_images import LineForm, decode_grey, line_frames
from keras_seqgen.data.recognition_batches import FrameUnit, recognition_batches
from keras_seqgen.data.recognition_schema import from_example
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines.__main__ import main as pipelines_main
from pipelines.labelled_frames import pooled
from pipelines.text_lines import main
from pipelines.text_lines_sources import list_lines, runs_right_to_left

SPLITS = ("train", "valid", "test")
ARABIC = ["سنة ١٤", "كتاب", "في الأرض  بركة", "قال: نعم"]


def prepare(*flags):
    return main([str(flag) for flag in flags])


def lines(folder, split):
    files = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    return {line.name: line for line in map(from_example, tf.data.TFRecordDataset(files).as_numpy_iterator())}


def everything(folder):
    return {name: line for split in SPLITS for name, line in lines(folder, split).items()}


def stats(folder):
    return json.loads((folder / "stats.json").read_text())


def dead_letters(folder):
    return [json.loads(row) for path in sorted(folder.glob("dead_*")) for row in path.read_text().splitlines()]


def picture(number, width=300):
    """A picture of a line of strokes."""
    rng = np.random.default_rng(number)
    page = Image.new("L", (width, 44), 255)
    draw = ImageDraw.Draw(page)
    for x in range(6, width - 12, 9):
        draw.line((x, 14 - 8 * int(rng.random() < 0.3), x + int(rng.integers(0, 6)), 28), fill=0, width=2)
    return page


def write_pairs(root, texts, ending=".png", start=0):
    root.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts, start=start):
        picture(number).save(root / f"{number:04d}{ending}")
        (root / f"{number:04d}.gt.txt").write_text(text, encoding="utf-8")
    return root


def write_book(path, texts, folder=""):
    """An archive as the Arabic books are."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(len(texts)):
            with archive.open(f"{folder}{number:06d}.png", "w") as stream:
                picture(number).save(stream, "PNG")
        rows = "".join(f"{number:06d}.png\t{text}\n" for number, text in enumerate(texts))
        archive.writestr(f"{folder}lines.tsv", rows)
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("lines")
    write_pairs(root / "mine", [f"line {n}" for n in range(40)], ".bin.png")
    write_book(root / "book.zip", [f"book {n}" for n in range(20)], folder="inner/")
    flags = ("--input", root / "mine", root / "book.zip", "--shards", 3, "--hash-split", 60, 20, 20)
    assert prepare(*flags, "--output", root / "out") == 0
    return root, flags


def test_every_line_of_folders_and_archives_goes_out_once(prepared):
    root, _ = prepared
    assert stats(root / "out")["records"] == {"in": 60, "out": 60, "dead": 0}
    found = everything(root / "out")
    assert {name: line.text for name, line in found.items()} == {
        **{f"mine/{n:04d}": f"line {n}" for n in range(40)},
        **{f"book/inner/{n:06d}": f"book {n}" for n in range(20)},
    }
    assert {line.writer for line in found.values()} == {"mine", "book"}
    assert all(10 <= len(lines(root / "out", split)) <= 45 or split != "train" for split in SPLITS)
    assert all(lines(root / "out", split) for split in SPLITS)


def test_frames_are_the_function_that_serving_has(prepared):
    root, _ = prepared
    found = everything(root / "out")
    for number in (0, 7):
        grey = decode_grey((root / "mine" / f"{number:04d}.bin.png").read_bytes())
        np.testing.assert_array_equal(found[f"mine/{number:04d}"].frames, line_frames(grey))
    with zipfile.ZipFile(root / "book.zip") as archive:
        grey = decode_grey(archive.read("inner/000003.png"))
    np.testing.assert_array_equal(found["book/inner/000003"].frames, line_frames(grey))


def test_all_rows_have_the_unit_of_the_training_pictures(prepared):
    root, _ = prepared
    pixels = np.concatenate([line.frames for line in lines(root / "out", "train").values()]).astype(np.float64)
    features = stats(root / "out")["features"]
    assert features["kind"] == "line"
    assert len(features["names"]) == len(features["mean"]) == 48
    np.testing.assert_allclose(features["mean"], pixels.mean(), rtol=1e-5)
    np.testing.assert_allclose(features["std"], pixels.std(), rtol=1e-5)
    assert pooled([], []) == {"mean": [], "std": []}


def test_the_recognisers_batches_read_the_folder(prepared):
    root, _ = prepared
    unit = FrameUnit.load(root / "out" / "stats.json")
    assert LineForm.from_kind(unit.kind, len(unit.names)) == LineForm()
    vocabulary = Vocabulary.load(root / "out" / "vocabulary.json")
    by_text = {line.text: line for line in lines(root / "out", "train").values()}
    seen = 0
    for inputs, labels in recognition_batches(root / "out", "train", 8, seed=1).as_numpy_iterator():
        for frames, length, ids in zip(inputs["frames"], inputs["length"], labels, strict=True):
            line = by_text[vocabulary.decode(ids)]
            assert length == len(line.frames)
            np.testing.assert_allclose(frames[:length], unit.normalise(line.frames), rtol=1e-5, atol=1e-5)
            seen += 1
    assert seen == len(by_text)


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_whatever_the_number_of_workers(prepared, tmp_path, workers):
    root, flags = prepared
    parallel = ("--direct_num_workers", workers, "--direct_running_mode", "multi_threading")
    assert prepare(*flags, "--output", tmp_path, *parallel) == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        p.name: p.read_bytes() for p in (root / "out").iterdir()
    }


def test_right_to_left_is_found_by_the_letters_and_keeps_the_logical_order(tmp_path):
    write_book(tmp_path / "kitab.zip", ARABIC)
    flags = ("--input", tmp_path / "kitab.zip", "--stride", 1, "--hash-split", 100, 0, 0)
    for direction in ("auto", "rtl", "ltr"):
        assert prepare(*flags, "--output", tmp_path / direction, "--direction", direction) == 0
    assert stats(tmp_path / "auto")["features"]["kind"] == "line-rtl"
    assert stats(tmp_path / "ltr")["features"]["kind"] == "line"
    found, left = everything(tmp_path / "auto"), everything(tmp_path / "ltr")
    assert [line.text for _, line in sorted(found.items())] == [
        " ".join(unicodedata.normalize("NFC", t).split()) for t in ARABIC
    ]
    for name, line in found.items():
        np.testing.assert_array_equal(line.frames, everything(tmp_path / "rtl")[name].frames)
        np.testing.assert_array_equal(line.frames[::-1], left[name].frames)


def test_the_direction_is_that_of_most_letters():
    assert runs_right_to_left(ARABIC)
    assert runs_right_to_left(["123", "שלום a"])
    assert not runs_right_to_left(["123 (4)", "abc ب"])
    assert not runs_right_to_left([])


def test_each_fault_costs_one_dead_letter_with_path_and_reason(tmp_path):
    root = write_pairs(tmp_path / "mine", ["good", "also  good\n"])
    write_pairs(root / "sub", ["broken", "", "\ufeff \u00a0\n", "x" * 400, "latin", "blank", "alone", "big"])
    sub = root / "sub"
    (sub / "0000.png").write_bytes((sub / "0000.png").read_bytes()[:100])
    (sub / "0004.gt.txt").write_bytes("é".encode("latin-1"))
    Image.new("L", (60, 40), 255).save(sub / "0005.png")
    (sub / "0006.png").unlink()
    picture(1, 4_000).save(sub / "0007.png")
    picture(1).save(sub / "0008.png")
    (tmp_path / "cut.zip").write_bytes(write_book(tmp_path / "whole.zip", ["a"]).read_bytes()[:90])
    with zipfile.ZipFile(tmp_path / "list.zip", "w") as archive:
        for name in ("a.png", "extra.png"):
            with archive.open(name, "w") as stream:
                picture(1).save(stream, "PNG")
        archive.writestr("lines.tsv", "a.png\tfine\nb.png\tgone\nno tab\na.png\tagain\n")
    write_pairs(tmp_path / "bad" / "sub", ["kept"])
    (tmp_path / "bad" / "lines.tsv").write_bytes(b"\xff\xfe\x00")
    inputs = [root, tmp_path / "cut.zip", tmp_path / "list.zip", tmp_path / "bad"]
    flags = ("--hash-split", 100, 0, 0, "--max-frames", 2000, "--output", tmp_path / "out")
    assert prepare("--input", *inputs, *flags) == 0
    letters = dead_letters(tmp_path / "out")
    assert {letter["name"]: letter["reason"] for letter in letters} == {
        "mine/sub/0000": "unreadable image",
        "mine/sub/0001": "no text",
        "mine/sub/0002": "no text",
        "mine/sub/0003": "label longer than its input",
        "mine/sub/0004": "unreadable text",
        "mine/sub/0005": "no ink",
        "mine/sub/0006": "no image",
        "mine/sub/0007": "too long",
        "mine/sub/0008": "no text",
        "cut": "unreadable archive",
        "list/b": "no image",
        "list/no tab": "no image",
        "list/a#4": "named twice",
        "list/extra": "no text",
        "bad/lines.tsv": "unreadable lines.tsv",
    }
    assert all(letter["path"] and letter["detail"] and "object at 0x" not in letter["detail"] for letter in letters)
    assert stats(tmp_path / "out")["records"] == {"in": 19, "out": 4, "dead": 15}
    assert {line.text for line in everything(tmp_path / "out").values()} == {"good", "also good", "fine", "kept"}


def test_folders_called_train_and_test_are_the_splits(tmp_path):
    for number, folder in enumerate(("train", "val", "test")):
        write_pairs(tmp_path / "set" / folder, [f"{folder} {n}" for n in range(number + 1)], start=10 * number)
    assert prepare("--input", tmp_path / "set", "--output", tmp_path / "out") == 0
    assert [len(lines(tmp_path / "out", split)) for split in SPLITS] == [1, 2, 3]


@pytest.mark.parametrize(("by", "kept"), [("line", 30), ("folder", 6), ("book", 2)])
def test_a_hash_split_keeps_groups_together(tmp_path, by, kept):
    for number, folder in enumerate(("a/x", "a/y", "a/z", "b/x", "b/y", "b/z")):
        write_pairs(tmp_path / folder, ["some text"] * 5, start=5 * number)
    groups = {}
    for root in (tmp_path / "a", tmp_path / "b"):
        for line in list_lines(str(root), by):
            groups.setdefault(line.group, []).append(line.name)
    assert len(groups) == kept
    assert sum(map(len, groups.values())) == 30


def test_a_book_by_a_list_and_a_folder_for_tests_alone(tmp_path):
    write_book(tmp_path / "one.zip", ["some text"] * 3)
    write_book(tmp_path / "two.zip", ["some text"] * 2)
    for split, book in (("train", "one"), ("test", "two")):
        (tmp_path / f"{split}.txt").write_text(f"{book}\n")
    books = ("--input", tmp_path / "one.zip", tmp_path / "two.zip", "--split-by", "book")
    lists = ("--train-files", tmp_path / "train.txt", "--test-files", tmp_path / "test.txt")
    assert prepare(*books, *lists, "--output", tmp_path / "out") == 0
    assert [len(lines(tmp_path / "out", split)) for split in SPLITS] == [3, 0, 2]
    assert prepare("--input", tmp_path / "two.zip", "--hash-split", 0, 0, 100, "--output", tmp_path / "alone") == 0
    assert len(FrameUnit.load(tmp_path / "alone" / "stats.json").mean) == 48
    assert len(list(recognition_batches(tmp_path / "alone", "test", 2))) == 1


def test_the_normaliser_can_be_switched_off(tmp_path):
    write_pairs(tmp_path / "in", ["text"] * 4)
    flags = ("--input", tmp_path / "in", "--hash-split", 100, 0, 0, "--height", 22)
    assert prepare(*flags, "--output", tmp_path / "out", "--no-normalise") == 0
    assert stats(tmp_path / "out")["features"]["kind"] == "plain-line"
    assert {line.frames.shape for line in everything(tmp_path / "out").values()} == {(150, 22)}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output", "out"], "--input is missing"),
        (["--input", "{root}"], "--output is missing"),
        (["--input", "nowhere", "--output", "out"], "no file was found at nowhere"),
        (["--input", "nowhere.zip", "--output", "out"], "no file was found at nowhere.zip"),
        (["--input", "{root}/mine", "{root}/other/mine", "--output", "out"], "two inputs are called mine"),
        (["--input", "{root}/mine", "--output", "out", "--height", "0"], "--height must be positive"),
        (["--input", "{root}/mine", "--output", "out", "--direction", "up"], "invalid choice: 'up'"),
        (["--input", "{root}/mine", "--output", "out", "--hash-split", "1", "2", "3"], "add up to 100"),
        (["--input", "{root}/empty", "--output", "out"], "no record was found"),
    ],
)
def test_a_users_mistake_is_told_with_exit_code_2(tmp_path, monkeypatch, capsys, flags, message):
    write_pairs(tmp_path / "mine", ["text"])
    write_pairs(tmp_path / "other" / "mine", ["text"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.md").write_text("nothing")
    monkeypatch.chdir(tmp_path)
    assert pipelines_main(["text-lines", *(flag.format(root=tmp_path) for flag in flags)]) == 2
    assert message in capsys.readouterr().err


def test_nothing_left_is_exit_code_1(tmp_path, capsys):
    write_pairs(tmp_path / "in", [""])
    assert prepare("--input", tmp_path / "in", "--output", tmp_path / "out") == 1
    assert "nothing is left" in capsys.readouterr().err


def test_the_uw3_sample_through_the_command(data, tmp_path):
    from keras_seqgen.cli import main as cli

    root = data / "ocr_lines" / "uw3_calamari"
    assert cli(["prepare", "text-lines", "--input", str(root), "--output", str(tmp_path)]) == 0
    assert stats(tmp_path)["records"] == {"in": 70, "out": 70, "dead": 0}
    assert [len(lines(tmp_path, split)) for split in SPLITS] == [50, 0, 20]
