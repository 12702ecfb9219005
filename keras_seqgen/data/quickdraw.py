"""Quick, Draw! ndjson: one drawing per line, as [[x...], [y...], [t...]] per stroke, t only in the raw files."""

import json
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np

from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError


def read_quickdraw(lines: Iterable[tuple[str, bytes | None]]) -> Iterator[RawLine | BadRecord]:
    """The drawings of (name, line of JSON) pairs; blank lines are passed over, None stands for a line beyond the limit.

    The text is the word that was to be drawn; each drawing is a group of its own.
    """
    for name, line in lines:
        if line is None:
            yield BadRecord(name, "unreadable", "a line beyond the size limit")
        elif line.strip():
            try:
                yield _drawing(name, json.loads(line))
            except RecursionError:
                yield BadRecord(name, "unreadable", "JSON nested too deeply")
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
                yield BadRecord(name, "unreadable", f"{type(error).__name__}: {error}"[:300])


def _drawing(name: str, record: dict) -> RawLine:
    strokes, times = [], []
    for stroke in record["drawing"]:
        x, y = np.array(stroke[0], np.float64), np.array(stroke[1], np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise UserError("a stroke's x and y differ in number")
        if len(x):
            strokes.append(np.column_stack([x, y]))
            times.append(np.array(stroke[2], np.float64) / 1000 if len(stroke) > 2 else None)
    timed = all(
        time is not None and time.shape == stroke[:, 0].shape for time, stroke in zip(times, strokes, strict=True)
    )
    key = str(record.get("key_id") or name)
    word = unicodedata.normalize("NFC", str(record.get("word") or ""))
    return RawLine(key, key, "", word, Trace.from_strokes(strokes, times if timed else None))
