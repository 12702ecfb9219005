"""What a reader of any ink format yields before cleaning: a `RawLine`, or a `BadRecord` that says what is wrong."""

from dataclasses import dataclass

import numpy as np

from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError

COORDINATE_LIMIT = 1e7  # a device's unit is never so small; sums of squares stay far from the end of float64


@dataclass(frozen=True)
class RawLine:
    """A line of ink as recorded.

    name: the record's name, unique within its source. group: lines of one group (a form, a writer, a drawing) never
    come apart into two splits. writer and text: "" where the source does not tell. split: "train", "valid" or "test"
    where the publisher has put the record into one.
    """

    name: str
    group: str
    writer: str
    text: str
    trace: Trace
    split: str = ""


@dataclass(frozen=True)
class BadRecord:
    """A record that cannot be used: its name, the kind of fault (few words, to count by) and the detail."""

    name: str
    kind: str
    detail: str


def check_trace(trace: Trace, max_points: int | None = None) -> Trace:
    """The trace itself.

    Raises:
        UserError: where it has fewer than 2 points, more than `max_points`, or a coordinate that is no usable number.
    """
    if len(trace.points) < 2:
        raise UserError("fewer than 2 points")
    if max_points and len(trace.points) > max_points:
        raise UserError(f"{len(trace.points)} points; the limit is {max_points}")
    if not np.all(np.isfinite(trace.points)) or np.abs(trace.points).max() > COORDINATE_LIMIT:
        raise UserError(f"a coordinate is not finite or beyond {COORDINATE_LIMIT:g}")
    return trace
