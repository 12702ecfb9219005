"""UNIPEN (Guyon 1994): a text file of dot-keywords; y upward in the file, downward here."""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np

from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError

LEVELS = ("LINE", "TEXT", "PHRASE", "SENTENCE", "WORD", "CHARACTER")  # the first that a file segments into is used
_KEYWORD = re.compile(r"^\.([A-Za-z_]+)[ \t]*", re.MULTILINE)


def read_unipen(data: bytes, name: str) -> Iterator[RawLine | BadRecord]:
    """The records of a UNIPEN file: its segments of the coarsest useful level, or the whole where it has none.

    `.INCLUDE` is not followed: a file from a stranger must not name others.

    Args:
        data: The file.
        name: The whole's name; segments get a number appended.

    Raises:
        UserError: where it has no pen data, or its numbers are not as `.COORD` says.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    components, segments, writer, columns = _parse(text)
    if not any(down for down, _ in components):
        raise UserError("no .PEN_DOWN with data in the file")
    for level in LEVELS:
        if level in segments:
            for number, (where, label) in enumerate(segments[level]):
                part = f"{name}#{number}"
                try:
                    yield RawLine(
                        part, writer or name, writer, label, _trace(components, _select(where, components), columns)
                    )
                except UserError as error:
                    yield BadRecord(part, "unreadable", str(error))
            return
    whole = [(number, 0, len(values)) for number, (_, values) in enumerate(components)]
    yield RawLine(name, writer or name, writer, "", _trace(components, whole, columns))


def _parse(text: str):
    """(pen down?, values (N, columns)) per component; level -> [(range, label)]; the writer; the columns."""
    columns = ["X", "Y"]
    components: list[tuple[bool, np.ndarray]] = []
    segments: dict[str, list[tuple[str, str]]] = {}
    writer = ""
    found = list(_KEYWORD.finditer(text))
    for match, following in zip(found, [*found[1:], None], strict=True):
        word = match.group(1).upper()
        body = text[match.end() : following.start() if following else len(text)]
        if word == "COORD":
            columns = body.upper().split()
            if "X" not in columns or "Y" not in columns:
                raise UserError(f".COORD names no X and Y: {body.strip()[:60]!r}")
        elif word == "WRITER_ID":
            writer = " ".join(body.split("\n")[0].split())
        elif word in ("PEN_DOWN", "PEN_UP"):
            components.append((word == "PEN_DOWN", _values(body, columns)))
        elif word == "SEGMENT":
            parts = re.match(r'\s*(\S+)\s+([\d:,\-]+)(?:[^"]*"((?:[^"\\]|\\.)*)")?', body, re.DOTALL)
            if parts:
                label = re.sub(r"\\(.)", r"\1", parts.group(3) or "")
                label = unicodedata.normalize("NFC", " ".join(label.split()))
                segments.setdefault(parts.group(1).upper(), []).append((parts.group(2), label))
    return components, segments, writer, columns


def _values(body: str, columns: list[str]) -> np.ndarray:
    try:
        return np.array(list(map(float, body.split())), np.float64).reshape(-1, len(columns))[
            :, [columns.index("X"), columns.index("Y"), columns.index("T") if "T" in columns else 0]
        ]
    except ValueError as error:
        raise UserError(f"pen data is not rows of {' '.join(columns)}: {error}") from error


def _select(where: str, components: list) -> list[tuple[int, int, int]]:
    """A segment's range such as `0-4`, `3:10-5:20`, `0,2-3` -> (component, first point, end) for each component."""
    chosen: list[tuple[int, int, int]] = []
    for part in where.split(","):
        match = re.fullmatch(r"(\d+)(?::(\d+))?(?:-(\d+)(?::(\d+))?)?", part)
        if not match:
            raise UserError(f"a segment's range is not understood: {where[:60]!r}")
        first = int(match[1])
        last = int(match[3]) if match[3] else first
        if last >= len(components) or last < first:
            raise UserError(f"a segment names components {part}; the file has {len(components)}")
        for number in range(first, last + 1):
            start = int(match[2]) if match[2] and number == first else 0
            size = len(components[number][1])
            end = min(int(match[4]) + 1, size) if match[4] and number == last else size
            chosen.append((number, start, end))
    return chosen


def _trace(components: list, chosen: list[tuple[int, int, int]], columns: list[str]) -> Trace:
    """The chosen parts that were written with the pen down; T is in milliseconds."""
    parts = [components[number][1][start:end] for number, start, end in chosen if components[number][0]]
    parts = [part for part in parts if len(part)]
    times = [part[:, 2] / 1000 for part in parts] if "T" in columns else None
    return Trace.from_strokes([part[:, :2] * (1, -1) for part in parts], times)
