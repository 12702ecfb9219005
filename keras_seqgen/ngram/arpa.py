"""ARPA files, plain or gzipped: the text form in which n-gram models are exchanged."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from keras_seqgen.errors import UserError
from keras_seqgen.ngram.model import Level, NGramModel
from keras_seqgen.ngram.scorer import BOS, EOS, UNKNOWN

_CHUNK = 100_000  # lines that are split at once
_MISSING_UNKNOWN = -100.0  # log10 probability of <unk> where a file has none, as in kenlm
_ESCAPED = re.compile("[\0\t\n\v\f\r ]")  # what would end a token in the file
_ESCAPE = re.compile(r"<U\+00([012][0-9A-F])>")


def write_arpa(model: NGramModel, path: str | Path) -> None:
    """Writes a model; a name that ends in .gz is gzipped.

    Numbers have as many digits as tell a float32 from its neighbours, as in kenlm: what is read back is the same model.
    A blank cannot stand in a token of an ARPA file; as a token of its own, as among characters, it is written
    `<U+0020>` (and so are a tab, a line end ...), and `read_arpa` turns it back.

    Raises:
        UserError: a token cannot be written, or the file cannot.

    Source: ngram-format(5) of SRILM.
    """
    tokens = [_escape(token) for token in model.tokens]
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with ExitStack() as files:
            plain = files.enter_context(open(part, "wb"))
            file: IO[bytes] | gzip.GzipFile = plain
            if path.suffix == ".gz":  # no name, no time: the same model gives the same bytes
                file = files.enter_context(gzip.GzipFile("", "wb", 6, plain, mtime=0))
            file.write(b"\\data\\\n")
            file.writelines(b"ngram %d=%d\n" % pair for pair in enumerate(model.counts, start=1))
            names: list[bytes] = []
            for order in range(1, model.order + 1):
                level = model.level(order)
                file.write(b"\n\\%d-grams:\n" % order)
                last = [tokens[number] for number in level.word.tolist()]
                if order == 1:
                    names = last
                else:
                    names = [b"%s %s" % (names[n], word) for n, word in zip(level.prefix.tolist(), last, strict=True)]
                log_probs = level.log_prob.astype("S16").tolist()
                if order < model.order:
                    backoffs = level.backoff.astype("S16").tolist()
                    file.writelines(b"%s\t%s\t%s\n" % line for line in zip(log_probs, names, backoffs, strict=True))
                else:
                    file.writelines(b"%s\t%s\n" % line for line in zip(log_probs, names, strict=True))
            file.write(b"\n\\end\\\n")
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from error
    finally:
        with suppress(OSError):  # there is no such folder, which was told
            part.unlink()


def _escape(token: str) -> bytes:
    if _unescape(token) != token or (len(token) > 1 and _ESCAPED.search(token)):
        raise UserError(f"the token {token!r} cannot be written into an ARPA file, where blanks separate tokens")
    try:
        return _ESCAPED.sub(lambda match: f"<U+{ord(match[0]):04X}>", token).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the token {token!r} cannot be written into an ARPA file: {error.reason}") from error


def _unescape(token: str) -> str:
    match = _ESCAPE.fullmatch(token)
    return chr(int(match[1], 16)) if match and _ESCAPED.match(chr(int(match[1], 16))) else token


def read_arpa(path: str | Path) -> NGramModel:
    """Reads a model; gzip is told from the first bytes.

    A file without `<unk>` gets one of log10 probability -100. A back-off weight that is left out is 1. The suffixes of
    an n-gram may be missing, as after pruning by others; its context may not.

    Raises:
        UserError: naming the file and the line, where it is not an ARPA file, is cut short or contradicts itself.

    Source: ngram-format(5) of SRILM.
    """
    reader = _Reader(path)
    try:
        with ExitStack() as files:
            file: IO[bytes] | gzip.GzipFile = files.enter_context(open(path, "rb"))
            if file.read(2) == b"\x1f\x8b":
                file = files.enter_context(gzip.open(path, "rb"))
            file.seek(0)
            return reader.model(file)
    except (OSError, EOFError, zlib.error) as error:
        where = f" after line {reader.number}" if reader.number else ""
        raise UserError(f"{path} cannot be read{where}: {error}") from error


class _Reader:
    """Goes through a file and knows where it is."""

    def __init__(self, path: str | Path):
        self.path, self.number = path, 0
        self.lines: Iterator[bytes] = iter(())
        self.ids = {name.encode(): number for number, name in enumerate((UNKNOWN, BOS, EOS))}  # by the written token
        self.keys: list[np.ndarray] = []  # of the n-grams of each order, sorted: prefix * V + last token

    def fail(self, message: str, number: int | None = None) -> NoReturn:
        raise UserError(f"{self.path}, line {number or self.number}: {message}")

    def line(self) -> bytes:
        """The next line that is not blank."""
        for line in self.lines:
            self.number += 1
            if line.strip():
                return line.strip()
        self.fail("the file ends without \\end\\: it is cut short, or not an ARPA file")

    def model(self, file: Iterable[bytes]) -> NGramModel:
        self.lines = iter(file)
        line = self.line()
        if line != b"\\data\\":
            self.fail(f"an ARPA file begins with \\data\\, not with {_shown(line)}")
        counts: list[int] = []
        while match := re.fullmatch(rb"ngram +(\d+) *= *(\d+)", line := self.line()):
            if int(match[1]) != len(counts) + 1:
                self.fail(f"the number of {len(counts) + 1}-grams is expected, not {_shown(line)}")
            counts.append(int(match[2]))
        if not counts:
            self.fail(f"the number of 1-grams is expected (ngram 1=...), not {_shown(line)}")
        levels = []
        for order, count in enumerate(counts, start=1):
            if line != b"\\%d-grams:" % order:
                self.fail(f"\\{order}-grams: is expected, not {_shown(line)}")
            levels.append(self.level(order, count, order == len(counts)))
            line = self.line()
            if not line.startswith(b"\\"):
                self.fail(f"there are more {order}-grams than the {count} announced at the top")
        if line != b"\\end\\":
            self.fail(f"\\end\\ is expected, not {_shown(line)}")
        return NGramModel([_unescape(name.decode()) for name in self.ids], levels)

    def level(self, order: int, count: int, longest: bool) -> Level:
        """The n-grams of an order, sorted."""
        begin = self.number + 1
        log_prob, backoff, ids = self.section(order, count)
        if longest and backoff.any():
            self.fail(
                f"{order}-grams are the longest and have no back-off weights", begin + int(np.argmax(backoff != 0))
            )
        if order == 1:
            for number, name in enumerate((UNKNOWN, BOS, EOS)):
                if number not in ids and name != UNKNOWN:
                    self.fail(f"{name} is not among the 1-grams")
            if 0 not in ids:
                ids = np.append(ids, [[0]], axis=0)
                log_prob, backoff = np.append(log_prob, _MISSING_UNKNOWN), np.append(backoff, 0.0)
        prefix = ids[:, 0] if order > 1 else np.zeros(len(ids), np.int64)
        for keys, token in zip(self.keys[1:], ids.T[1:-1], strict=True):
            prefix = self.find(keys, prefix * len(self.ids) + token, begin)
        key = prefix * len(self.ids) + ids[:, -1]
        rank = np.argsort(key, kind="stable")
        self.keys.append(key[rank])
        again = np.flatnonzero(np.diff(self.keys[-1]) == 0)
        if len(again):
            self.fail(f"this {order}-gram stands in the file twice", begin + int(rank[again[0] + 1]))
        return Level(prefix[rank], ids[rank, -1], log_prob[rank], backoff[rank])

    def find(self, keys: np.ndarray, wanted: np.ndarray, begin: int) -> np.ndarray:
        """The places of the contexts of the n-grams that begin in a line."""
        at = np.searchsorted(keys, wanted)
        missing = np.flatnonzero(np.append(keys, -1)[at] != wanted)
        if len(missing):
            self.fail("the context of this n-gram is not in the file", begin + int(missing[0]))
        return at

    def section(self, order: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log10 probabilities (count,), log10 back-off weights (count,), numbers of the tokens (count, order)."""
        parts = [(np.empty(0), np.empty(0), np.empty((0, order), np.int64))]
        for begin in range(0, count, _CHUNK):
            rows = [line.split() for line in islice(self.lines, min(_CHUNK, count - begin))]
            try:
                if order == 1:
                    b" ".join(row[1] for row in rows).decode()
                    for row in rows:
                        self.ids.setdefault(row[1], len(self.ids))
                log_prob = np.array([float(row[0]) for row in rows])
                backoff = np.array([float(row[order + 1]) if len(row) > order + 1 else 0.0 for row in rows])
                numbers = (self.ids[token] for row in rows for token in row[1 : order + 1])
                parts.append((log_prob, backoff, np.fromiter(numbers, np.int64).reshape(-1, order)))
                valid = len(rows) == min(_CHUNK, count - begin) and {*map(len, rows)} <= {order + 1, order + 2}
                valid = valid and bool((log_prob <= 0).all() and (backoff < np.inf).all())
            except (ValueError, KeyError, IndexError):
                valid = False
            if not valid:
                self.explain(rows, order)
            self.number += len(rows)
        log_prob, backoff, ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        return log_prob, backoff, ids

    def explain(self, rows: list[list[bytes]], order: int) -> NoReturn:
        """Fails with the first mistake in some lines of a section, or with the end of the file after them."""
        for row in rows:
            self.number += 1
            if not row or row[0].startswith(b"\\"):
                self.fail(f"there are fewer {order}-grams than announced at the top")
            shown = _shown(b" ".join(row))
            if len(row) not in (order + 1, order + 2):
                self.fail(f"a number, {order} tokens and at most another number are expected, not {shown}")
            for what, text in zip(("probability", "back-off weight"), (row[0], *row[order + 1 :]), strict=False):
                if not _is_log10(text, 0.0 if what == "probability" else 1e30):
                    self.fail(f"{_shown(text)} is not the log10 of a {what}")
            for token in row[1 : order + 1]:
                try:
                    token.decode()
                except UnicodeDecodeError as error:
                    self.fail(f"{_shown(token)} is not UTF-8: {error.reason}")
                if order > 1 and token not in self.ids:
                    self.fail(f"{_shown(token)} is not among the 1-grams")
        self.number += 1
        self.fail("the file ends here: it is cut short")


def _is_log10(text: bytes, most: float) -> bool:
    try:
        return float(text) <= most
    except ValueError:
        return False


def _shown(text: bytes) -> str:
    return repr(text[:60].decode("utf-8", "replace"))
