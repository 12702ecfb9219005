"""What users get wrong on a pipeline's command line: a line that tells it, and exit code 2."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_seqgen.errors import UserError
from pipelines.__main__ import PIPELINES, main
from pipelines.image_sources import list_voc
from pipelines.splits import read_lists, read_names, stable_hash
from pipelines.text_blocks import Form
from pipelines.text_sources import list_documents, measure


def told(capsys, *words):
    """The one line that a mistake is told in."""
    assert main([str(word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("stray", [["corpus.txt"], ["-o", "out"], ["--direct_num_workers", "2", "corpus.txt"]])
def test_a_word_that_belongs_to_no_option_is_not_passed_over(name, stray, capsys):
    assert f"{stray[-1]!r} belongs to no option" in told(capsys, name, "--output", "out", *stray)


def test_options_of_beam_go_on_being_known(tmp_path, capsys):
    flags = ["--direct_num_workers=1", "--direct_running_mode", "in_memory", "--runner", "FnApiRunner"]
    assert "--input is missing" in told(capsys, "segmentation", "--output", tmp_path, "--labels", "2", *flags)


def test_lists_with_a_mark_of_the_byte_order_and_lists_that_are_no_text(tmp_path):
    (tmp_path / "list").write_bytes("\ufeffone\r\n\n  two words \u2028 \n".encode())
    assert read_names(str(tmp_path / "list")) == ["one", "two words"]
    assert read_lists({"train": [str(tmp_path / "list")]}, []).members == {"one": "train", "two words": "train"}
    (tmp_path / "list").write_bytes(b"\xff\xfeone")
    with pytest.raises(UserError, match="list is not a text"):
        read_lists({"train": [str(tmp_path / "list")]}, [])


def test_a_file_name_that_is_no_text_is_named():
    with pytest.raises(UserError, match=r"'x\\udcff.txt' is not UTF-8: rename"):
        stable_hash("x\udcff.txt")


def test_text_is_read_once_however_often_a_file_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/b [1].txt"):
        (tmp_path / name).write_text("some text\n")
    found = list_documents(["a.txt", "./a.txt", "sub", "sub/b [1].txt", "*.txt", str(tmp_path)])
    assert [(document.number, document.path) for document in found] == [(0, "a.txt"), (1, "sub/b [1].txt")]
    assert [measure(document, Form().check).fault for document in found] == ["", ""]
    assert "named for two splits" in told(capsys, "text", "--output", "o", "--train", "a.txt", "--test", tmp_path)


def test_an_empty_folder_of_text_is_told(tmp_path):
    with pytest.raises(UserError, match="no file was found"):
        list_documents([str(tmp_path)])


@pytest.mark.parametrize("words", [["handwriting", "--format", "svg"], ["speech"], ["text-lines"]])
def test_an_input_within_another_would_count_twice(words, tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/x.svg").write_text("<svg/>")
    flags = ["--output", tmp_path / "out", "--input", tmp_path, tmp_path / "sub"]
    assert "would count twice" in told(capsys, *words, *flags)


def test_a_book_under_another_spelling_is_the_same_book(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book").mkdir()
    Image.new("L", (60, 20)).save("book/1.png")
    books = ["--train-arabic", "book", "--valid-arabic", "book", "--test-arabic"]
    for other in ("./book/", str(tmp_path / "book")):
        books[3] = other
        flags = ["--output", "out", "--lines", "1", "1", "0", *books[:4]]
        assert "a book belongs to one" in told(capsys, "script-detection", *flags)


def test_a_damaged_member_of_an_archive_is_no_reason_to_stop(tmp_path, capsys):
    Image.fromarray(np.tile(np.uint8([255, 0, 255]), (20, 30))).save(tmp_path / "1.png")
    with zipfile.ZipFile(tmp_path / "book.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "1.png", "1.png")
        archive.writestr("1.gt.txt", "hello world " * 30)
    content = bytearray((tmp_path / "book.zip").read_bytes())
    begin = content.index(b"1.gt.txt") + len("1.gt.txt")
    content[begin + 4 : begin + 9] = b"\xff" * 5
    (tmp_path / "book.zip").write_bytes(content)
    flags = ["--input", tmp_path / "book.zip", "--output", tmp_path / "out", "--shards", "1"]
    assert main(["text-lines", *map(str, flags)]) == 1
    assert "1 records in = 0 out + 1 dead letters" in capsys.readouterr().err


def test_names_in_vocs_lists_may_have_blanks(tmp_path):
    for folder, ending in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        (tmp_path / folder).mkdir()
        for name in ("a 1", "b"):
            (tmp_path / folder / f"{name}.{ending}").write_bytes(b"")
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a 1\r\nb\n")
    assert [(pair.name, pair.split) for pair in list_voc(str(tmp_path))] == [("a 1", "train"), ("b", "train")]
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("b\n")
    with pytest.raises(UserError, match="b is in the lists of both train and valid: take it out"):
        list(list_voc(str(tmp_path)))
