"""Normalised ink as frames at even steps along the pen's path, without delayed strokes.

As in `data.ink_normal_form`: u to the right, v upward, in core heights; `xp` is the array library.
"""

from typing import Any, NamedTuple

from keras_seqgen.data.ink_normal_form import Ink

HIGH = 0.6  # core heights: a delayed stroke lies above this
NARROW = 2.5  # core heights: and is no wider than this
BESIDE = 0.3  # core heights: and ends at most so far to the right of what was written before it
FASTEST = 3.0  # core heights per sample; a greater speed is taken for this one
MOST_FRAMES = 2000  # of a line; a longer path is sampled in longer steps
LEAST_GAP = 1.0  # length of path that stands between two strokes: any positive number


class Frames(NamedTuple):
    """Points at even steps along each stroke.

    u, v: (F,). speed: (F,), core heights per sample of the device. first, last: (F,) int64, the numbers of the first
    and last frame of the frame's stroke. delayed: (F,), 1 in a delayed stroke, else 0. step: the distance from frame to
    frame, core heights, before it is rounded so that the stroke ends on a frame. point: (F,) int64, the number of the
    point at or before the frame.
    """

    u: Any
    v: Any
    speed: Any
    first: Any
    last: Any
    delayed: Any
    step: Any
    point: Any


def frames_of(ink: Ink, step: float, xp) -> Frames:
    """Frames of every stroke, in the order of writing.

    A stroke of length l gets round(l / step) + 1 frames, evenly spaced from its first point to its last; a dot has one.

    Args:
        ink: in core heights.
        step: core heights.
        xp: the array library.

    Returns:
        `Frames`.
    """
    zero = xp.real([0.0])
    du, dv = ink.u[1:] - ink.u[:-1], ink.v[1:] - ink.v[:-1]
    drawn = ink.inked[1:]
    length = drawn * xp.sqrt(du * du + dv * dv)
    path = xp.concatenate([zero, xp.cumsum(length + (1 - drawn) * LEAST_GAP)])
    stroke = xp.concatenate([xp.whole([0]), xp.cumsum(xp.whole(1 - drawn))])
    strokes = xp.total(xp.whole(1 - drawn)) + 1
    begin, end = xp.by_group(path, stroke, strokes)
    step = xp.maximum(xp.real(step), xp.total(length) / MOST_FRAMES)

    counts = xp.whole(xp.floor((end - begin) / step + 0.5)) + 1
    of = xp.repeat(xp.arange(strokes), counts)
    before = xp.cumsum(counts) - counts
    first = xp.take(before, of)
    last = first + xp.take(counts, of) - 1
    number = xp.arange(xp.count(of)) - first
    share = xp.real(number) / xp.maximum(xp.real(last - first), 1.0)
    at = xp.take(begin, of) + share * xp.take(end - begin, of)

    # The place of each frame between two points; the last point has a twin behind it.
    left = xp.minimum(xp.maximum(xp.search(path, at) - 1, 0), xp.count(path) - 1)
    right = xp.minimum(left + 1, xp.count(path) - 1)
    room = xp.take(path, right) - xp.take(path, left)
    part = xp.clip((at - xp.take(path, left)) / xp.maximum(room, 1e-12), 0.0, 1.0)

    def between(x):
        return (1 - part) * xp.take(x, left) + part * xp.take(x, right)

    delayed = xp.real(delayed_strokes(ink.u, ink.v, stroke, strokes, xp))
    speed = between(xp.minimum(speeds(length, drawn, xp), FASTEST))
    return Frames(between(ink.u), between(ink.v), speed, first, last, xp.take(delayed, of), step, left)


def speeds(length, drawn, xp):
    """(N,) core heights per sample: the mean length of the steps of ink beside each point; 0 beside none."""
    zero = xp.real([0.0])
    sums = xp.concatenate([zero, length]) + xp.concatenate([length, zero])
    return sums / xp.maximum(xp.concatenate([zero, drawn]) + xp.concatenate([drawn, zero]), 1.0)


def delayed_strokes(u, v, stroke, strokes, xp):
    """(S,) boolean: dots, crosses and accents, written above what is there already.

        lowest v > HIGH,  width < NARROW,  its right end < BESIDE + the rightmost u of all strokes before it

    Source: Liwicki and Bunke 2006, section 3. Differs: their rule also asks for a move to the right behind it.
    """
    (low, _), (left, right) = (xp.by_group(x, stroke, strokes) for x in (v, u))
    number = xp.arange(strokes)
    earlier = xp.where(number[None, :] < number[:, None], right[None, :], xp.real(-1e30))
    return (low > HIGH) & (right - left < NARROW) & (right < BESIDE + xp.greatest(earlier, axis=1))
