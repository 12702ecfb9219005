"""Geometry of ink: points to offsets and back, the cleaning of recording errors, the unit of the offsets."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_seqgen.errors import UserError


@dataclass(frozen=True)
class Trace:
    """The pen's path as a device recorded it.

    points: float64 (N, 2), x and y, y downward, in the device's unit.
    pen: (N,), 1 on the last point of each stroke, else 0.
    time: float64 (N,) in seconds, or None where the device kept no time.
    """

    points: np.ndarray
    pen: np.ndarray
    time: np.ndarray | None = None

    @classmethod
    def from_strokes(cls, strokes, times=None) -> "Trace":
        """Joins strokes, each a sequence of (x, y) of at least one point, to one trace."""
        lengths = [len(stroke) for stroke in strokes if len(stroke)]
        if not lengths:
            return cls(np.zeros((0, 2)), np.zeros(0))
        points = np.concatenate([np.asarray(stroke, np.float64)[:, :2] for stroke in strokes if len(stroke)])
        pen = np.zeros(len(points))
        pen[np.cumsum(lengths) - 1] = 1
        return cls(points, pen, None if times is None else np.concatenate([np.asarray(t, np.float64) for t in times]))


def points_to_offsets(points, pen) -> np.ndarray:
    """N points (N, 2) with their pen flags (N,) -> float32 rows (N-1, 3) of (dx, dy, pen of the point arrived at)."""
    points, pen = np.asarray(points, np.float64), np.asarray(pen)
    if len(points) < 2:
        return np.zeros((0, 3), np.float32)
    return np.column_stack([np.diff(points, axis=0), pen[1:]]).astype(np.float32)


def offsets_to_points(strokes, origin=(0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    """T rows (dx, dy, pen) -> the T + 1 points (T+1, 2) that start at `origin`, and their pen flags (T+1,)."""
    strokes = np.asarray(strokes, np.float64)
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(strokes[:, :2], axis=0)]) + np.asarray(origin, np.float64)
    return points, np.concatenate([[0.0], strokes[:, 2]])


@dataclass(frozen=True)
class Cleaning:
    """What to repair in a recorded line: section 4 of Graves 2013 says "missing readings were interpolated" and
    "steps whose length was over a certain threshold were removed", and leaves the numbers open.

    The defaults suit IAM-OnDB (a sample every 1.5 hundredths of a second; a capital is some 200 to 300 units high).
    On its training lines the steps of ink have the median length 18 and the 99.9th percentile 104, pen-up moves 174
    and 1190. None or False switches a repair off; `Cleaning.none()` switches off all.

    interpolate_gaps: a step of ink that took n sample periods, 2 <= n <= this, and is as much longer than the steps
        beside it, gets the missing points, evenly spaced. Both signs are asked for because a time stamp alone is
        often late (a gap of 2 to 3 periods follows with a step of the usual length in half of the cases). A longer
        silence says nothing about the path. Time that stands still or runs backward says nothing either.
    max_ink_step: a longer step with the pen down is a lift that the board did not notice: the stroke ends before it.
    max_step: a longer step, pen up or down, is removed and the rest of the line moves up to close the hole. It is the
        paper's rule. Pen-up moves of 1000 to 2000 are no errors: the pen goes back to dot an i, or passes a wide
        hole, and without them the words fall upon each other. So the threshold is high: it removes 1 pen-up move in
        10,000, and bounds what a learned density sees at 50 standard deviations.
    """

    interpolate_gaps: float | None = 10.0
    max_ink_step: float | None = 200.0
    max_step: float | None = 2000.0

    @classmethod
    def none(cls) -> "Cleaning":
        """No repair at all."""
        return cls(None, None, None)


@dataclass(frozen=True)
class Repairs:
    """How often `clean` had to repair something."""

    interpolated: int = 0
    lifted: int = 0
    removed: int = 0


def clean(trace: Trace, cleaning: Cleaning = Cleaning()) -> tuple[np.ndarray, Repairs]:
    """A recorded trace -> offsets without recording errors.

    Args:
        trace: N points with pen flags and, for the interpolation, times.
        cleaning: Which errors to repair.

    Returns:
        float32 (T, 3) rows of (dx, dy, pen), and the number of points put in, of strokes ended, of steps removed.
    """
    rows = points_to_offsets(trace.points, trace.pen).astype(np.float64)
    if not len(rows):
        return rows.astype(np.float32), Repairs()
    ink = np.concatenate([np.asarray(trace.pen[:1]), rows[:-1, 2]]) == 0
    interpolated = 0
    if cleaning.interpolate_gaps and trace.time is not None:
        pieces = _missing_points(rows, ink, np.diff(trace.time), cleaning.interpolate_gaps)
        interpolated = int(pieces.sum() - len(pieces))
        last = np.cumsum(pieces) - 1
        pen = rows[:, 2]
        rows, ink = np.repeat(rows / pieces[:, None], pieces, axis=0), np.repeat(ink, pieces)
        rows[:, 2] = 0
        rows[last, 2] = pen
    lifted = 0
    if cleaning.max_ink_step:
        long = np.flatnonzero(ink & (np.hypot(rows[:, 0], rows[:, 1]) > cleaning.max_ink_step))
        rows[long[long > 0] - 1, 2] = 1
        lifted = len(long)
    removed = 0
    if cleaning.max_step:
        keep = np.hypot(rows[:, 0], rows[:, 1]) <= cleaning.max_step
        removed = int(len(keep) - keep.sum())
        rows = _remove(rows, keep) if removed else rows
    return rows.astype(np.float32), Repairs(interpolated, lifted, removed)


def _missing_points(rows: np.ndarray, ink: np.ndarray, gaps: np.ndarray, most: float) -> np.ndarray:
    """Into how many equal pieces (1 = leave it) each step is to be cut: as many as both its duration and its length,
    compared with the steps of ink beside it, call for."""
    ordinary = gaps[ink & (gaps > 0)]
    if not len(ordinary):
        return np.ones(len(rows), np.int64)
    ordinary = gaps[ink & (gaps >= 0) & (gaps <= 3 * np.median(ordinary))]
    period = max(float(ordinary.mean()), 1e-6)
    length = np.hypot(rows[:, 0], rows[:, 1])
    inner = np.concatenate([[0], np.where(ink, length, 0), [0]])
    count = np.concatenate([[0], ink, [0]])
    beside = (inner[:-2] + inner[2:]) / np.maximum(count[:-2] + count[2:], 1)
    known = ink & (count[:-2] + count[2:] > 0) & np.isfinite(gaps) & (gaps > 0) & (gaps <= most * period)
    ratio = length / np.maximum(beside, 1e-6 + 0.02 * length)
    wanted = np.rint(np.minimum(np.where(known, gaps, 0) / period, ratio))
    return np.where(known, np.maximum(wanted, 1), 1).astype(np.int64)


def _remove(rows: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The rows that are kept; a stroke that ended on a removed row ends on the row before it."""
    rows = rows.copy()
    before = np.maximum.accumulate(np.where(keep, np.arange(len(keep)), -1))
    ends = before[~keep & (rows[:, 2] == 1)]
    rows[ends[ends >= 0], 2] = 1
    return rows[keep]


@dataclass(frozen=True)
class StrokeStatistics:
    """Mean and standard deviation of the training split's offsets: the unit in which a model sees ink.

    mean, std: float32 (2,), over all rows of the cleaned training lines; the pen flag is left as it is.
    """

    mean: np.ndarray
    std: np.ndarray

    def normalise(self, strokes):
        """Raw rows (..., 3) -> rows whose dx and dy have mean 0 and standard deviation 1, float32."""
        strokes = np.asarray(strokes, np.float32)
        return np.concatenate([(strokes[..., :2] - self.mean) / self.std, strokes[..., 2:]], axis=-1)

    def denormalise(self, strokes):
        """The inverse of `normalise`."""
        strokes = np.asarray(strokes, np.float32)
        return np.concatenate([strokes[..., :2] * self.std + self.mean, strokes[..., 2:]], axis=-1)

    @classmethod
    def load(cls, path: str | Path) -> "StrokeStatistics":
        """Reads `offsets.mean` and `offsets.std` of a `stats.json`.

        Raises:
            UserError: where the file is not there or holds no positive, finite statistics.
        """
        try:
            offsets = json.loads(Path(path).read_text(encoding="utf-8"))["offsets"]
            mean, std = np.array(offsets["mean"], np.float32), np.array(offsets["std"], np.float32)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} holds no statistics of strokes: {error}") from error
        if mean.shape != (2,) or std.shape != (2,) or not np.all(np.isfinite(mean)) or not np.all(std > 0):
            raise UserError(f"{path} holds no usable statistics of strokes: mean={mean}, std={std}")
        return cls(mean, std)
