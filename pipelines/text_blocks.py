"""Bytes -> text: UTF-8 checked, Unicode normalised, lines brought to the form that is asked for."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from keras_seqgen.data.vocabulary import NormalForm
from pipelines.text_sources import Piece, read_blocks

FORMATS = {
    "text": "as it is",
    "lines": "a sentence per line: blanks at both ends go, those between words become one space",
    "ptb-characters": "a sentence per line as `a _ b a n k`: a blank after each character, `_` for a space",
}
_FAULTY = 0.1  # a document with a greater share of bytes that are not of a text is none


@dataclass(frozen=True)
class Form:
    """What becomes of the bytes of a document.

    kind: "character", "byte" or "word". format: a key of FORMATS. normalization: "NFC", "NFKC" or None.
    ends: whether the end of a line is a token.
    """

    kind: str = "character"
    format: str = "text"
    normalization: NormalForm | None = None
    ends: bool = True

    def check(self, head: bytes) -> str:
        """What is wrong with the first bytes of a document, "" for nothing."""
        if self.kind == "byte":
            return ""
        text, dead = decode(head, 0)
        faulty = head.count(0) + sum(len(data) for _, data in dead)
        if faulty > max(_FAULTY * len(head), 3):  # the head may end within a character
            return f"not UTF-8 text: {faulty} of its first {len(head)} bytes are not; --bytes takes them as they are"
        if self.format == "ptb-characters":
            long = next((word for word in text.split()[:-1] if len(word) > 1), "")
            return f"not in the form `a _ b a n k`: it has {long!r}" if long else ""
        return ""


@dataclass(frozen=True)
class Block:
    """A block of text.

    text: str, or bytes where the tokens are. size: of the bytes it was read from, dead ones among them.
    lines: ends of lines. dead: (offset in the file, bytes) of what is no UTF-8 and was left out.
    """

    text: str | bytes
    size: int
    lines: int
    dead: list[tuple[int, bytes]]

    def characters(self) -> int:
        """Unicode characters; in bytes, those that begin one."""
        if isinstance(self.text, str):
            return len(self.text)
        return int(np.count_nonzero((np.frombuffer(self.text, np.uint8) & 0xC0) != 0x80))

    def utf8_size(self) -> int:
        return len(self.text.encode("utf-8") if isinstance(self.text, str) else self.text)


def read_text(piece: Piece, form: Form) -> Iterator[Block]:
    """The text of a piece, block by block."""
    for offset, data in read_blocks(piece, by_line=form.kind != "byte"):
        last = offset + len(data) == piece.document.size
        if form.kind == "byte":
            yield Block(data, len(data), data.count(b"\n") + (last and bool(data.rpartition(b"\n")[2].strip())), [])
            continue
        text, dead = decode(data, offset)
        if offset == 0:
            text = text.removeprefix("\ufeff")
        if form.normalization:
            text = unicodedata.normalize(form.normalization, text)
        open_end = last and bool(text.rpartition("\n")[2].strip())
        lines = text.count("\n") + open_end
        if open_end and (form.format != "text" or form.kind == "word"):
            text += "\n"
        text = _to_format(text, form.format)
        if not form.ends and form.kind == "character":
            text = text.replace("\n", " ")
        yield Block(text, len(data), lines, dead)


def decode(data: bytes, offset: int) -> tuple[str, list[tuple[int, bytes]]]:
    """The text of some bytes without those that are no UTF-8, and those, with their offsets in the file."""
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    bad = (codes >= 0xDC80) & (codes <= 0xDCFF)  # how surrogateescape writes a byte that is no part of a character
    widths = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    widths[bad] = 1
    starts = np.cumsum(widths) - widths
    numbers = np.flatnonzero(bad)
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    dead = [(offset + int(starts[run[0]]), data[starts[run[0]] : starts[run[0]] + len(run)]) for run in runs]
    return codes[~bad].tobytes().decode("utf-32-le"), dead


def _to_format(text: str, name: str) -> str:
    if name == "text":
        return text
    *lines, rest = text.split("\n")
    if name == "ptb-characters":
        return "\n".join(["".join(line.split()).replace("_", " ") for line in [*lines, rest]])
    # A rest is a line too long for one block: what follows its last blank comes with the next.
    tail = " ".join(rest.split()) + (" " if rest.rstrip() and rest[-1:].isspace() else "")
    return "\n".join([*(" ".join(line.split()) for line in lines), tail])
