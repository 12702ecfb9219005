"""The sentences of files of text and of prepared texts, as lists of tokens."""

import bz2
import contextlib
import gzip
import lzma
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_seqgen.data.text_stream import TokenStream
from keras_seqgen.data.vocabulary import END, NormalForm, Vocabulary
from keras_seqgen.errors import UserError

_OPENERS = {b"\x1f\x8b": gzip.open, b"\xfd7": lzma.open, b"BZ": bz2.open}


def read_sentences(
    path: str | Path, kind: str, split: str = "train", normalization: NormalForm | None = "NFC"
) -> Iterator[list[str]]:
    """The lines of a text as lists of tokens.

    Args:
        path: A file (plain, gz, xz or bz2; UTF-8), "-" for standard input, or a folder that `prepare text` wrote.
        kind: "word": what stands between blanks; "character": each character.
        split: Of a folder.
        normalization: The Unicode form that a file's lines are brought to; `None` leaves them as they are.

    Raises:
        UserError: it cannot be read, is not UTF-8, or is a folder of another kind of tokens.
    """
    if Path(path).is_dir():
        stream = TokenStream(path, split)
        if stream.vocabulary.kind != kind:
            raise UserError(f"{path} is a text of {stream.vocabulary.kind}s: --tokens {kind} does not fit it")
        yield from stream_sentences(stream)
        return
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                text = text if normalization is None else unicodedata.normalize(normalization, text)
                yield text.split() if kind == "word" else list(text.rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}, line {number}: it is not UTF-8 ({error.reason})") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise UserError(f"{path} cannot be read{f' after line {number}' if number else ''}: {error}") from error


@contextlib.contextmanager
def _open(path: str | Path) -> Iterator[Any]:
    """A stream of the file's bytes, unpacked. A pipe can be opened once only, and what was read of it is gone."""
    with contextlib.ExitStack() as files:
        stdin = str(path) == "-"
        file = files.enter_context(open(sys.stdin.fileno() if stdin else path, "rb", closefd=not stdin))
        opener: Any = _OPENERS.get(file.peek(2)[:2])
        yield files.enter_context(opener(file, "rb")) if opener else file


def stream_sentences(stream: TokenStream, most: int | None = None) -> Iterator[list[str]]:
    """The lines of a prepared split."""
    ids = stream[:most]
    names = np.array(["", *stream.vocabulary.tokens], object)
    end = stream.vocabulary.ids.get(line_end(stream.vocabulary))
    begin = 0
    for stop in (*np.flatnonzero(ids == end).tolist(), len(ids)):
        if stop > begin or stop < len(ids):
            yield names[ids[begin:stop]].tolist()
        begin = stop + 1


def line_end(vocabulary: Vocabulary) -> str:
    """The token that ends a line."""
    return END if vocabulary.kind == "word" else "\n"
