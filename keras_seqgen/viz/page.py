"""A page of ink: lines of strokes set one below the other, and the smooth curve through each stroke."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_seqgen.errors import UserError


@dataclass(frozen=True)
class Page:
    """Strokes with their places on a sheet; x to the right and y downward from its upper left corner, in raw units.

    texts: what each line says.
    lines: for each line its strokes, float64 (N, 2) each.
    width, height: of the sheet. pen: width of the pen's track.
    line_height: the middle of the heights of the lines' ink.
    """

    texts: tuple[str, ...]
    lines: tuple[tuple[np.ndarray, ...], ...]
    width: float
    height: float
    pen: float
    line_height: float


def split_strokes(strokes) -> list[np.ndarray]:
    """Rows (T, 3) of (dx, dy, pen) -> the pen's strokes, each (N, 2) absolute points; the line begins at (0, 0).

    >>> [stroke.tolist() for stroke in split_strokes([[1, 2, 1], [3, 0, 1]])]
    [[[0.0, 0.0], [1.0, 2.0]], [[4.0, 2.0]]]
    """
    rows = np.asarray(strokes, np.float64)
    if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows):
        raise UserError(f"`strokes` must be rows of (dx, dy, pen), at least one. Received: shape={rows.shape}")
    if not np.all(np.isfinite(rows)):
        raise UserError("`strokes` must be finite. Received: a value that is not a number or is infinite")
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(rows[:, :2], axis=0)])
    lifts = np.flatnonzero(rows[:, 2] > 0.5) + 2  # the pen flag of row t belongs to point t + 1
    return [stroke for stroke in np.split(points, lifts) if len(stroke)]


def lay_out(inks: Sequence, texts: Sequence[str] = (), *, margin: float = 0.3, gap: float = 0.5) -> Page:
    """Sets lines of ink flush left, one below the other.

    Args:
        inks: one (T, 3) array for each line.
        texts: what they say, as many, or none.
        margin: blank border, as a part of the middle line height.
        gap: blank space between two lines, likewise.

    Returns:
        The page, in the raw units of `inks`.

    Raises:
        UserError: there is nothing to draw, or a value is not finite.
    """
    if not len(inks) or (len(texts) and len(texts) != len(inks)):
        raise UserError(
            f"A page needs lines, each with its text or none. Received: {len(inks)} inks, {len(texts)} texts"
        )
    lines = [split_strokes(ink) for ink in inks]
    boxes = [(np.concatenate(line).min(axis=0), np.concatenate(line).max(axis=0)) for line in lines]
    widest = max(high[0] - low[0] for low, high in boxes)
    line_height = float(np.median([high[1] - low[1] for low, high in boxes])) or max(float(widest), 1.0) / 10
    border, top = margin * line_height, margin * line_height
    placed = []
    for line, (low, high) in zip(lines, boxes, strict=True):
        placed.append(tuple(stroke - low + (border, top) for stroke in line))
        top += high[1] - low[1] + gap * line_height
    height = top - gap * line_height + border
    titles = tuple(texts) or ("",) * len(inks)
    return Page(titles, tuple(placed), float(widest) + 2 * border, float(height), line_height / 36, line_height)


def bezier(points: np.ndarray) -> np.ndarray:
    """The centripetal Catmull-Rom curve through `points` as cubic Bezier segments.

    Segment i runs from p_i to p_(i+1). With a^2 = |p_i - p_(i-1)|, d^2 = |p_(i+1) - p_i| its first inner point is

        (a^2 p_(i+1) - d^2 p_(i-1) + (2 a^2 + 3 a d + d^2) p_i) / (3 a (a + d))

    and the second its mirror image; unlike the uniform curve this one has no loops where points lie unevenly (Yuksel,
    Schaefer, Keyser 2011).

    Args:
        points: (N, 2); a point that repeats the one before is left out.

    Returns:
        (S, 4, 2): start, two control points and end of each of the S segments; S = 0 for a dot.
    """
    points = points[np.concatenate([[True], np.any(np.diff(points, axis=0) != 0, axis=1)])]
    if len(points) < 2:
        return np.zeros((0, 4, 2))
    root = np.sqrt(np.hypot(*np.diff(points, axis=0).T))[:, None]
    out, into = points[:-1].copy(), points[1:].copy()
    before, here = root[:-1], root[1:]
    first, middle, last = points[:-2], points[1:-1], points[2:]
    weight = before**2 * last - here**2 * first + (2 * before**2 + 3 * before * here + here**2) * middle
    out[1:] = weight / (3 * before * (before + here))
    weight = here**2 * first - before**2 * last + (2 * here**2 + 3 * here * before + before**2) * middle
    into[:-1] = weight / (3 * here * (here + before))
    return np.stack([points[:-1], out, into, points[1:]], axis=1)


def flatten(segments: np.ndarray, pieces: int = 6) -> np.ndarray:
    """Bezier segments (S, 4, 2) -> points (S * pieces + 1, 2) on the curve."""
    t = np.arange(pieces)[:, None] / pieces
    weights = np.concatenate([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], axis=1)
    return np.concatenate([np.einsum("pk,skx->spx", weights, segments).reshape(-1, 2), segments[-1:, 3]])
