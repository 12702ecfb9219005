"""Ink in a form that does not depend on how large, how slanted, how wide or how level it was written.

Coordinates are u to the right and v upward, in core heights: the base line, on which the letters stand, is v = 0, the
core line, to which small letters reach, is v = 1.

Each function takes `xp`, the array library: `data.ink_arrays` (NumPy) or `serving.ink_tensors` (a TensorFlow graph).
"""

from typing import Any, NamedTuple

ROUNDS = 3  # rotation and shear disturb each other by the ratio of height to length, squared, in each round
ELONGATED = 9.0  # variance along a line over that across; below it (a few letters) the direction says nothing
STEEPEST = 0.8  # radians: what is steeper is not a line of text
MOST_SLANT = 1.5  # dx / dy
REACH = 10.0  # letters, or rather lower extrema: over so much of a line the base line is averaged
SLACK = 0.3  # core heights: an extremum farther from the base line is a descender's
TRAVEL = 0.8  # core heights of horizontal travel between two crossings of the core's middle, of the usual hand
WIDEST = 3.0  # bound of the change of the ratio of width to height


class Ink(NamedTuple):
    """Points of the pen.

    u, v: float64 (N,). inked: float64 (N,), 1 where ink leads to the point from the one before it, else 0; the first
    point has 0.
    """

    u: Any
    v: Any
    inked: Any


def pen_path(strokes, xp) -> Ink:
    """Rows (dx, dy, pen) with y downward -> the T + 1 points that they lead through, from (0, 0), with v upward."""
    strokes = xp.real(strokes)
    zero = xp.real([0.0])
    u, y = (xp.concatenate([zero, xp.cumsum(strokes[:, axis])]) for axis in (0, 1))
    # A row's pen flag belongs to the point at its end; the starting point is within the first stroke.
    down = xp.concatenate([zero, xp.real([1.0]), 1.0 - xp.real(strokes[:-1, 2] > 0)])
    return Ink(u, -y, down[: xp.count(u)])


def normal_form(ink: Ink, xp) -> Ink:
    """Ink in core heights, level, upright and of the usual width.

        1. rotated by the angle of its principal axis, where it is elongated, and sheared by its slant; ROUNDS times
        2. v = (y - base(x)) / H
        3. u = x * width, so that the pen travels TRAVEL horizontally from one crossing of the core's middle to the next

    Ink that was moved, scaled, stretched in x (within bounds), turned (a line of text, by less than 45 degrees in all)
    or sheared has the same normal form, up to what the rounds leave.

    Args:
        ink: N >= 2 points in any unit, v upward.
        xp: the array library.

    Returns:
        `Ink` in core heights.

    Source: Jaeger, Manke, Reichert and Waibel 2001, "Online handwriting recognition: the NPen++ recognizer", section 3;
    Liwicki and Bunke 2006, "HMM-based on-line recognition of handwritten whiteboard notes", section 3. Differs: the
    skew is that of the principal axis, then of a robust moving average of the lower extrema (a whiteboard's lines
    bend); the slant is a weighted median, both so that what is undone is undone exactly.
    """
    x, y = ink.u - mean(ink.u, xp), ink.v - mean(ink.v, xp)
    for _ in range(ROUNDS):
        angle = skew(x, y, xp)
        x, y = xp.cos(angle) * x + xp.sin(angle) * y, xp.cos(angle) * y - xp.sin(angle) * x
        x = x - slant(x, y, ink.inked, xp) * y
    base, height = core(x, y, ink.inked, xp)
    v = (y - base) / height
    return Ink(x * width(x, v, ink.inked, height, xp), v, ink.inked)


def skew(x, y, xp):
    """The angle of the principal axis, radians, counter-clockwise: atan2(2 c_xy, c_xx - c_yy) / 2; else 0."""
    x, y = x - mean(x, xp), y - mean(y, xp)
    xx, xy, yy = mean(x * x, xp), mean(x * y, xp), mean(y * y, xp)
    apart = xp.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    angle = xp.arctan2(2 * xy, xx - yy) / 2
    usable = (xx + yy + apart > ELONGATED * (xx + yy - apart)) & (xp.absolute(angle) < STEEPEST)
    return xp.where(usable, angle, xp.real(0.0))


def slant(x, y, inked, xp):
    """dx / dy of the down strokes: the median over the steps of ink that go down, each weighted by its dy.

    A shear x + s y adds s to every slope and changes no weight, so it adds s to the median.
    """
    dx, dy = x[1:] - x[:-1], y[1:] - y[:-1]
    down = (inked[1:] > 0) & (dy < 0)
    weight = xp.where(down, -dy, xp.real(0.0))
    slope = xp.where(down, dx, xp.real(0.0)) / xp.where(down, dy, xp.real(1.0))
    order = xp.argsort(slope)
    sums = xp.cumsum(xp.take(weight, order))
    half = xp.total(weight) / 2
    place = xp.minimum(xp.total(xp.whole(sums < half)), xp.count(slope) - 1)
    middle = xp.take(slope, xp.take(order, place))
    return xp.where(half > 0, xp.clip(middle, -MOST_SLANT, MOST_SLANT), xp.real(0.0))


def core(x, y, inked, xp):
    """The base line at each point (N,), and the height of the core.

        base(x) = sum_i w_i K((x - x_i) / r) y_i / sum_i w_i K(...),    K(z) = exp(-z^2 / 2)
        w_i = 1 / (1 + ((y_i - base(x_i)) / (SLACK H))^2)^2
        H = the median of y_j - base(x_j) over the upper extrema j that lie above SLACK H
        r = REACH sum |dx| / n

    i runs over the n lower extrema of the ink; the weights w, which leave out the descenders, are found in four rounds.
    sum |dx| / n, the pen's horizontal travel from one lower extremum to the next, knows how wide the hand writes.
    """
    low, high = (keep_extrema(x, y, inked, sign, xp) for sign in (-1.0, 1.0))
    middle = median(low[1], mean(y, xp), xp)
    spread = xp.sqrt(mean((y - mean(y, xp)) ** 2, xp))
    guess = median(high[1], middle + spread, xp) - middle
    guess = xp.where(guess > 0.2 * spread, guess, 2 * spread)
    guess = xp.where(guess > 0, guess, xp.real(1.0))
    travel = xp.total(inked[1:] * xp.absolute(x[1:] - x[:-1]))
    reach = xp.maximum(REACH * travel / xp.maximum(xp.real(xp.count(low[0])), 1.0), 1e-6 * guess)
    # A point of next to no weight stands in where the ink has no extremum.
    bx, by = xp.concatenate([low[0], x[:1]]), xp.concatenate([low[1], xp.real([0.0]) + middle])
    own = xp.concatenate([0 * low[0] + 1, xp.real([1e-9])])
    weight = own
    for _ in range(4):
        near = average(bx, bx, by, weight, reach, xp)
        weight = own / (1 + ((by - near) / (SLACK * guess)) ** 2) ** 2
    above = high[1] - average(high[0], bx, by, weight, reach, xp)
    height = median(xp.keep(above, above > SLACK * guess), guess, xp)
    return average(x, bx, by, weight, reach, xp), height


def average(at, x, y, weight, reach, xp):
    """Means of y (n,), weighted by `weight` and by the Gaussian of the distance of x (n,) from each of `at` (m,).

    Far from every x it is the nearest ones' y: exponents are taken relative to the greatest.
    """
    exponent = -(((at[:, None] - x[None, :]) / reach) ** 2) / 2
    kernel = weight[None, :] * xp.exp(exponent - xp.greatest(exponent, axis=1)[:, None])
    return xp.total(kernel * y[None, :], axis=1) / xp.total(kernel, axis=1)


def keep_extrema(x, y, inked, sign, xp):
    """(x, y) of the points of ink where sign * y is greater than just before and not less than just after.

    The end of a stroke has nothing after it, its beginning nothing before it; a stroke of one point has no extremum.
    """
    smooth = y
    for _ in range(2):
        smooth = smoothed(smooth, inked, xp)
    step = sign * (smooth[1:] - smooth[:-1])
    ink, nothing = inked[1:] > 0, xp.whole([0]) > 0
    rises = xp.concatenate([nothing, ink & (step > 0)]) | ~xp.concatenate([nothing, ink])
    falls = xp.concatenate([ink & (step <= 0), nothing]) | ~xp.concatenate([ink, nothing])
    drawn = xp.concatenate([nothing, ink]) | xp.concatenate([ink, nothing])
    mask = rises & falls & drawn
    return xp.keep(x, mask), xp.keep(y, mask)


def smoothed(y, inked, xp):
    """(y_{i-1} + 2 y_i + y_{i+1}) / 4 within a stroke; its ends stay."""
    zero = xp.real([0.0])
    inner = inked * xp.concatenate([inked[1:], zero])
    before, after = xp.concatenate([zero, y[:-1]]), xp.concatenate([y[1:], zero])
    return y + inner * (before - 2 * y + after) / 4


def width(x, v, inked, height, xp):
    """What x is to be multiplied by: TRAVEL C / sum |dx|, C steps of ink crossing v = 1/2, within WIDEST of 1 / H."""
    crossings = xp.total(inked[1:] * xp.real((v[1:] > 0.5) != (v[:-1] > 0.5)))
    travel = xp.total(inked[1:] * xp.absolute(x[1:] - x[:-1])) / height
    ratio = TRAVEL * crossings / xp.maximum(travel, 1e-9)
    return xp.where(crossings > 2, xp.clip(ratio, 1 / WIDEST, WIDEST), xp.real(1.0)) / height


def mean(x, xp):
    """The mean of (N,)."""
    return xp.total(x) / xp.real(xp.count(x))


def median(x, otherwise, xp):
    """The middle one of (N,), the lower of two; `otherwise` where there is none."""
    n = xp.count(x)
    place = xp.where(n > 0, (n - 1) // 2, n)
    return xp.take(xp.concatenate([xp.sort(x), xp.real([0.0]) + otherwise]), place)
