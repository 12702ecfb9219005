"""Blocks of a document: nothing lost, nothing twice, cut where a line ends; bytes to text as Python decodes them."""

import gzip
import itertools

import numpy as np
import pytest

from pipelines import text_blocks, text_sources
from pipelines.text_blocks import Form, decode, read_text
from pipelines.text_sources import Document, Piece, read_blocks
from pipelines.text_splits import TextSplit

LIMIT = 12


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(text_sources, "BLOCK", 20)
    monkeypatch.setattr(text_sources, "LIMIT", LIMIT)


def document(path, data: bytes) -> Document:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return Document(0, path.name, str(path), size=len(data))


def texts(rng) -> bytes:
    """Long and short lines, words longer than a block, characters of one to four bytes, bytes that are none."""
    parts = ["\n", " ", "a", "word ", "é", "中", "😀", "x" * 30, "y\n", "\r\n"]
    text = "".join(rng.choice(parts, rng.integers(1, 60))).encode()
    return text + bytes(rng.integers(128, 256, rng.integers(0, 9), np.uint8)) if rng.random() < 0.3 else text


@pytest.mark.parametrize("ending", ["txt", "gz"])
def test_pieces_share_no_byte_and_lose_none(tmp_path, ending):
    rng = np.random.default_rng(0)
    for trial in range(150):
        data = texts(rng)
        source = document(tmp_path / f"{trial}.{ending}", data)
        edges = sorted({0, len(data), *(int(e) for e in rng.integers(0, len(data) + 1, 4))})
        pieces = [Piece(0, "train", source, a, b) for a, b in itertools.pairwise(edges)]
        blocks = [block for piece in pieces for block in read_blocks(piece, by_line=True)]
        assert b"".join(block for _, block in blocks) == data
        assert [offset for offset, _ in blocks] == np.cumsum([0, *(len(b) for _, b in blocks)])[:-1].tolist()
        for offset, block in blocks[:-1]:
            end = offset + len(block)
            assert data[end] & 0xC0 != 0x80 or end not in _character_ends(data), "cut within a character"
        exact = [b"".join(block for _, block in read_blocks(piece, by_line=False)) for piece in pieces]
        assert exact == [data[a:b] for a, b in itertools.pairwise(edges)]


def _character_ends(data: bytes) -> set[int]:
    """The places within what is a character of several bytes."""
    inside, at = set(), 0
    for character in data.decode("utf-8", "surrogateescape"):
        width = len(character.encode("utf-8", "surrogateescape"))
        inside |= set(range(at + 1, at + width))
        at += width
    return inside


def test_a_cut_is_at_the_end_of_a_line_where_one_is_near(tmp_path):
    data = b"".join(b"%d line\n" % n for n in range(50))
    source = document(tmp_path / "x.txt", data)
    blocks = list(read_blocks(Piece(0, "train", source, 0, len(data)), by_line=True))
    assert len(blocks) > 10
    assert all(block.endswith(b"\n") for _, block in blocks)
    assert max(len(block) for _, block in blocks) <= 20 + LIMIT + 1
    whole = list(read_blocks(Piece(0, "train", source, 21, 42), by_line=True))  # 21 and 42 are ends of lines
    assert b"".join(block for _, block in whole) == data[21:42]
    words = list(read_blocks(Piece(0, "train", document(tmp_path / "y", b"seven words " * 20), 0, 240), by_line=True))
    assert all(block.endswith(b" ") for _, block in words)


def test_a_step_of_blocks_is_a_step_of_pieces(tmp_path, monkeypatch):
    """A plain file in stretches of a block each gives the blocks of the packed file, which is one piece."""
    monkeypatch.setattr("pipelines.text_splits.BLOCK", 20)
    data = texts(np.random.default_rng(5)) * 9
    plain, packed = document(tmp_path / "x", data), document(tmp_path / "x.gz", data)
    found = [
        [(piece.split, *block) for piece in TextSplit("order", (70, 20, 10)).pieces([source])
         for block in read_blocks(piece, by_line=True)]
        for source in (plain, packed)
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len({split for split, _, _ in found[0]}) == 3


def test_decoding_keeps_what_python_keeps_and_reports_the_rest():
    rng = np.random.default_rng(1)
    for _ in range(300):
        data = bytearray("aé中😀\n".encode() * 5)
        for at in rng.integers(0, len(data), rng.integers(0, 6)):
            data[at] = rng.integers(0, 256)
        text, dead = decode(bytes(data), 1000)
        assert text == data.decode("utf-8", "ignore")
        left = bytearray(data)
        for offset, bad in reversed(dead):
            assert left[offset - 1000 : offset - 1000 + len(bad)] == bad
            del left[offset - 1000 : offset - 1000 + len(bad)]
        assert left.decode("utf-8") == text


def joined(tmp_path, data: bytes, form: Form) -> str:
    source = document(tmp_path / "x", data)
    return "".join(str(block.text) for block in read_text(Piece(0, "train", source, 0, len(data)), form))


def test_lines_are_sentences_whatever_their_blanks(tmp_path):
    rng = np.random.default_rng(2)
    for _ in range(100):
        lines = [" ".join(rng.choice(["a", "bc", "déf"], rng.integers(0, 12))) for _ in range(6)]
        loose = "\n".join(
            " " * rng.integers(0, 3) + line.replace(" ", "  ") + " \t"[: rng.integers(0, 3)] for line in lines
        )
        wanted = "".join(line + "\n" for line in lines)
        assert joined(tmp_path, (loose + "\n").encode(), Form(format="lines")) == wanted
        spelt = "\n".join(" ".join(line.replace(" ", "_")) for line in lines) + "\n"
        assert joined(tmp_path, spelt.encode(), Form(format="ptb-characters")) == wanted
        assert joined(tmp_path, spelt.encode(), Form(format="ptb-characters", ends=False)) == wanted.replace("\n", " ")


def test_a_line_longer_than_a_block_stays_one_line(tmp_path):
    line = " ".join(["word"] * 40)
    assert joined(tmp_path, f" {line}  \n".encode(), Form(format="lines")) == line + "\n"


def test_the_mark_of_utf8_is_no_character(tmp_path):
    assert joined(tmp_path, b"\xef\xbb\xbfab\n\xef\xbb\xbf", Form()) == "ab\n\ufeff"


def test_a_last_line_without_an_end_gets_one_where_ends_are_counted(tmp_path):
    assert joined(tmp_path, b"a\nb", Form()) == "a\nb"
    assert joined(tmp_path, b"a\nb", Form("word")) == "a\nb\n"
    assert joined(tmp_path, b"a\n \t", Form(format="lines")) == "a\n"
    assert joined(tmp_path, b"a\nb", Form(format="lines")) == "a\nb\n"
    assert text_blocks.Form("byte").check(b"\0\xff") == ""
