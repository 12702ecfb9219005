"""The pipeline for script detection from books to files."""

import io
import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.recognition_schema import from_example
from keras_seqgen.data.script_batches import script_batches
from keras_seqgen.data.script_classes import ARABIC, GARBAGE, LATIN, LETTERS, segments_of, text_to_labels
from keras_seqgen.data.script_render import render_text
from keras_seqgen.data.script_shaping import shape_arabic
from pipelines.__main__ import main as pipelines_main
from pipelines.script_detection import main
from pipelines.script_sources import latin_words

SPLITS = ("train", "valid", "test")
SENTENCES = ("وكان قدوم رسول الله في رمضان وفيها قدم", "رجع إلى الطائف صعد إلى علية له وأشرف منها", "سنة ١٤")
SOURCE_CLASSES = {"print": {ARABIC, LATIN}, "render": {ARABIC, LATIN}, "flip": {GARBAGE}, "noise": {GARBAGE}}
SOURCE_CLASSES["figure"] = {GARBAGE}


def png(grey):
    stream = io.BytesIO()
    Image.fromarray(np.round(255 * grey).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def write_book(path, sentences=SENTENCES, broken=()):
    """An archive of printed lines with their transcriptions."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, sentence in enumerate(sentences):
            picture = png(render_text(shape_arabic(sentence), "DejaVuSans", 38 + number))
            archive.writestr(f"{number:06d}.png", picture[:60] if number in broken else picture)
        rows = [f"{number:06d}.png\t{sentence}\n" for number, sentence in enumerate(sentences)]
        archive.writestr("lines.tsv", "".join(rows))
    return path


def write_latin(folder):
    """A folder of pictures without transcriptions."""
    folder.mkdir()
    for number in range(3):
        text = f"printed line number {number} of a journal"
        (folder / f"{number}.png").write_bytes(png(render_text(text, "cmr10", 40)))
    return folder


def prepare(*flags):
    return main([str(flag) for flag in flags])


def records(folder, split):
    files = sorted(str(path) for path in folder.glob(f"{split}-*.tfrecord"))
    return {line.name: line for line in map(from_example, tf.data.TFRecordDataset(files).as_numpy_iterator())}


def stats(folder):
    return json.loads((folder / "stats.json").read_text())


def dead_letters(folder):
    return [json.loads(row) for path in sorted(folder.glob("dead_*")) for row in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """The flags that name books for each split."""
    root = tmp_path_factory.mktemp("books")
    flags = [word for split in SPLITS for word in (f"--{split}-arabic", write_book(root / f"{split}.zip"))]
    return [*flags, "--train-latin", write_latin(root / "journal"), "--shards", 2]


@pytest.fixture(scope="module")
def prepared(books, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scripts")
    assert prepare(*books, "--lines", 30, 4, 5, "--output", folder) == 0
    return folder


def test_every_line_goes_out_with_a_class_for_each_frame(prepared):
    assert stats(prepared)["records"] == {"in": 39, "out": 39, "dead": 0}
    assert [len(records(prepared, split)) for split in SPLITS] == [30, 4, 5]
    found = records(prepared, "train")
    assert set(found) == {f"train/{n:06d}" for n in range(30)}
    classes, sources = set(), set()
    for line in found.values():
        labels = text_to_labels(line.text)
        assert line.frames.shape == (len(labels), 32)
        segments = segments_of(labels)
        names = line.writer.split()
        assert len(segments) == len(names) >= 1
        assert labels[0] == labels[-1] == 0, "a line begins and ends with background"
        for segment, name in zip(segments, names, strict=True):
            assert segment.label in SOURCE_CLASSES[name]
            inked = (line.frames[segment.begin : segment.end].max(axis=1) > 0.3).mean()
            assert inked > (0.2 if name in ("noise", "figure") else 0.3), (
                "blots and hairlines leave more paper than text"
            )
        classes |= set(labels.tolist())
        sources |= {(segment.label, name) for segment, name in zip(segments, names, strict=True)}
    assert classes == {0, 1, 2, 3}
    assert {(ARABIC, "print"), (ARABIC, "render"), (LATIN, "print"), (LATIN, "render"), (GARBAGE, "flip")} <= sources
    assert (LATIN, "print") not in {
        (segment.label, name)
        for line in records(prepared, "test").values()
        for segment, name in zip(segments_of(text_to_labels(line.text)), line.writer.split(), strict=True)
    }, "the test has no printed Latin of its own"


def test_the_files_that_training_reads(prepared):
    unit = FrameUnit.load(prepared / "stats.json")
    assert (unit.kind, len(set(unit.mean.tolist()))) == ("line", 1)
    assert stats(prepared)["features"]["classes"] == dict(
        zip(LETTERS, ("background", "arabic", "garbage", "latin"), strict=True)
    )
    assert sum(len(inputs["length"]) for inputs, _, _ in script_batches(prepared, "train", 8, stride=4)) == 30
    assert "alphabet" in (prepared / "schema.pbtxt").read_text()


def test_texts_of_training_alone_are_bent(books, tmp_path, monkeypatch):
    bent = []
    monkeypatch.setattr("pipelines.script_records.bent", lambda darkness, rng: bent.append(1) or darkness)
    assert prepare(*books, "--lines", 0, 4, 5, "--output", tmp_path / "others") == 0
    assert not bent
    assert prepare(*books, "--lines", 6, 0, 0, "--output", tmp_path / "train") == 0
    assert bent


def test_the_same_again_gives_the_same_bytes_and_another_seed_does_not(prepared, books, tmp_path):
    for name, flags in (("again", []), ("seed", ["--seed", 2])):
        assert prepare(*books, "--lines", 30, 4, 5, "--output", tmp_path / name, *flags) == 0
    again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert again == {path.name: path.read_bytes() for path in prepared.iterdir()}
    other, first = records(tmp_path / "seed", "valid"), records(prepared, "valid")
    assert other.keys() == first.keys()
    assert all(not np.array_equal(other[name].frames, first[name].frames) for name in first)


def test_faults_cost_dead_letters_with_the_reason(books, tmp_path):
    book = write_book(tmp_path / "cut.zip", broken=[0, 1, 2])
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr("more/lines.tsv", "gone.png\ttext\n")
    flags = [*books[2:-4], "--shards", 2, "--rendered-arabic", 0, "--lines", 12, 2, 0, "--output", tmp_path / "out"]
    assert prepare("--train-arabic", book, *flags) == 0
    letters = dead_letters(tmp_path / "out")
    assert {letter["reason"] for letter in letters} == {"unreadable image", "no image"}
    assert all(letter["detail"] and "object at 0x" not in letter["detail"] for letter in letters)
    assert any("cut/00000" in letter["detail"] and str(book) in letter["detail"] for letter in letters)
    assert [letter["name"] for letter in letters if letter["reason"] == "no image"] == ["cut/more/gone"]
    counts = stats(tmp_path / "out")["records"]
    assert counts["in"] == 15 == counts["out"] + counts["dead"]
    left = records(tmp_path / "out", "train").values()
    assert all(ARABIC not in text_to_labels(line.text) for line in left), "what is left has no Arabic"
    short = write_book(tmp_path / "short.zip", ["١"])
    assert prepare("--train-arabic", short, *flags[:-1], tmp_path / "none") in (0, 1)
    assert "no ink" in {letter["reason"] for letter in dead_letters(tmp_path / "none")}


def test_words_of_a_text_belong_to_one_split(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(f"Word{n} other{n} *star{n}" for n in range(300)), encoding="utf-8")
    words = latin_words(str(path))
    every = [word for split in SPLITS for word in words[split]]
    assert len(every) == len(set(every)) == 600, "each once, without what is no word"
    assert 0.7 < len(words["train"]) / 600 < 0.9
    assert min(map(len, latin_words("").values())) > 1_000


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--output is missing"),
        (["--output", "out", "--lines", "0", "0", "0"], "--lines and --seed must not be negative"),
        (["--output", "out", "--shards", "0"], "--shards must be positive"),
        (["--output", "out", "--rendered-arabic", "2"], "--rendered-arabic must lie in 0..1"),
        (["--output", "out"], "--train-arabic must name books"),
        (["--output", "out", "--train-arabic", "nowhere.zip"], "no file was found at nowhere.zip"),
        (["--output", "out", "--train-arabic", "{a}", "--valid-arabic", "{a}"], "a book belongs to one"),
        (["--output", "out", "--train-arabic", "{a}", "--latin-text", "{short}"], "a longer text is needed"),
        (["--output", "out", "--train-arabic", "{a}", "--latin-text", "{a}"], "is no text in UTF-8"),
    ],
)
def test_a_users_mistake_is_told_with_exit_code_2(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    names = {"a": write_book(tmp_path / "a.zip"), "short": tmp_path / "short.txt"}
    names["short"].write_text("three words only")
    assert pipelines_main(["script-detection", *(flag.format(**names) for flag in flags)]) == 2
    assert message in capsys.readouterr().err


def test_real_books_through_the_command(data, tmp_path):
    from keras_seqgen.cli import main as cli

    books = data / "ocr_lines" / "arabic"
    flags = ["--test-arabic", str(books / "book_IbnQutayba.Adab.zip"), "--lines", "0", "0", "12"]
    flags += ["--test-latin", str(data / "ocr_lines" / "uw3_calamari" / "test")]
    assert cli(["prepare", "script-detection", *flags, "--output", str(tmp_path)]) == 0
    assert stats(tmp_path)["records"] == {"in": 12, "out": 12, "dead": 0}
