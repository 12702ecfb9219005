"""The numbers of each frame of normalised ink: 27 descriptions of the point and of what is written around it.

As in `data.ink_normal_form`: u to the right, v upward, in core heights; `xp` is the array library.
"""

from keras_seqgen.data.ink_frames import Frames

VICINITY = 1.0  # core heights along the path, before and after a frame: what "vicinity" means below
DRIFT = 6.0  # core heights along the path, before and after: over so many u is averaged
BESIDE = 1.0  # core heights: half the width of the strip in which ascenders and descenders are counted
CELL = 0.5  # core heights: the side of a cell of the context map
LONGEST = 4.0  # a move from frame to frame, in core heights, is cut to this
CURLIEST = 6.0  # a curliness is cut to this

NAMES = (
    *("du", "dv", "pen", "hat", "speed", "x", "y"),
    *("direction_cos", "direction_sin", "curvature_cos", "curvature_sin"),
    *("aspect", "slope_cos", "slope_sin", "curliness", "linearity"),
    *("ascender", "descender"),
    *(f"map_{row}{column}" for row in (0, 1, 2) for column in (0, 1, 2)),
)


def describe(frames: Frames, xp):
    """The features of the frames that are in no delayed stroke.

    With p_t = (u_t, v_t), t' and t'' the frames before and after t in its stroke (t itself at the stroke's ends),
    V the frames of the stroke within VICINITY of t, and [a] the length of ink (number of frames times step) for which
    a holds, delayed strokes included:

        du, dv          p_t - p_{t-1}, whichever stroke t-1 is in; cut to +-LONGEST          core heights
        pen             1 on the last frame of a stroke, else 0
        hat             1 where a delayed stroke lies above or below u_t, else 0
        speed           of the pen                                                            core heights per sample
        x               u_t - mean of u over the frames within DRIFT of t                     core heights
        y               v_t                                                                   core heights
        direction       (p_t'' - p_t') / |p_t'' - p_t'|                                       cos, sin
        curvature       cos and sin of the angle from p_t - p_t' to p_t'' - p_t; 0, 0 at a stroke's ends
        aspect          (b - a) / (b + a), a = max u - min u over V, b = max v - min v
        slope           (p_n - p_m) / |p_n - p_m|, m and n the first and last frame of V      cos, sin
        curliness       length of the path through V / max(a, b)
        linearity       mean over V of the squared distance from the line through p_m, p_n    core heights^2
        ascender        log(1 + [v > 1 and |u - u_t| < BESIDE])                               log of core heights
        descender       log(1 + [v < 0 and |u - u_t| < BESIDE])
        map_rc          log(1 + [u in column c and v in row r of 3 x 3 cells of CELL around p_t])

    Where a length that divides is 0, the result is 0. There are as many frames as the strokes that are not delayed
    have; where all are delayed, none counts as delayed.

    Args:
        frames: F of them.
        xp: the array library.

    Returns:
        float64 (F', 27), in the order of `NAMES`.

    Source: Liwicki and Bunke 2006, section 4; Graves et al. 2009, section 4.1. Differs: du and dv are added; counts of
    points are lengths of ink, in logarithms, so that they depend on no sampling.
    """
    kept = described(frames, xp)
    delayed = 1 - xp.real(kept)
    u, v, speed = (xp.keep(x, kept) for x in (frames.u, frames.v, frames.speed))
    n = xp.count(u)
    number = xp.arange(n)
    # Numbers of frames among those that are kept; a stroke is kept whole.
    shift = xp.keep(xp.cumsum(xp.whole(delayed)), kept)
    first, last = xp.keep(frames.first, kept) - shift, xp.keep(frames.last, kept) - shift

    before, after = xp.maximum(number - 1, first), xp.minimum(number + 1, last)
    arrive_u, arrive_v = u - xp.take(u, before), v - xp.take(v, before)
    leave_u, leave_v = xp.take(u, after) - u, xp.take(v, after) - v
    previous = xp.maximum(number - 1, 0)
    columns = [
        xp.clip(u - xp.take(u, previous), -LONGEST, LONGEST),
        xp.clip(v - xp.take(v, previous), -LONGEST, LONGEST),
        xp.real(number == last),
        hats(u, frames.u, delayed, frames.step, xp),
        speed,
        u - moving_average(u, round(DRIFT / VICINITY) * reach(frames.step, xp), xp),
        v,
        *unit(arrive_u + leave_u, arrive_v + leave_v, xp),
        *unit(arrive_u * leave_u + arrive_v * leave_v, arrive_u * leave_v - arrive_v * leave_u, xp),
        *vicinity(u, v, number, first, last, reach(frames.step, xp), xp),
        *surroundings(u, v, frames, xp),
    ]
    return xp.stack(columns)


def described(frames: Frames, xp):
    """(F,) boolean: which frames have features."""
    return (frames.delayed < 1) | (xp.least(frames.delayed) > 0)


def reach(step, xp):
    """How many frames VICINITY is, at least 1."""
    return xp.maximum(xp.whole(xp.floor(VICINITY / step + 0.5)), 1)


def hats(u, all_u, delayed, step, xp):
    """(F',) 1 where |u_t - u_d| <= max(step, 0.2) for a frame d of a delayed stroke, else 0."""
    above = xp.concatenate([xp.keep(all_u, delayed > 0), xp.real([1e30])])  # one far away, so that there is any
    return xp.real(xp.least(xp.absolute(u[:, None] - above[None, :]), axis=1) <= xp.maximum(step, 0.2))


def moving_average(x, around, xp):
    """(F,) means over the frames t - around .. t + around that there are."""
    sums = xp.concatenate([xp.real([0.0]), xp.cumsum(x)])
    number, n = xp.arange(xp.count(x)), xp.count(x)
    low, high = xp.maximum(number - around, 0), xp.minimum(number + around + 1, n)
    return (xp.take(sums, high) - xp.take(sums, low)) / xp.real(high - low)


def unit(a, b, xp):
    """(a, b) / |(a, b)|; (0, 0) for vectors shorter than 1e-9."""
    length = xp.sqrt(a * a + b * b)
    divisor = xp.where(length > 1e-9, length, xp.real(1e30))
    return a / divisor, b / divisor


def ratio(a, b, xp):
    """a / b; 0 where b is below 1e-9."""
    return xp.where(b > 1e-9, a, xp.real(0.0)) / xp.maximum(b, 1e-9)


def vicinity(u, v, number, first, last, around, xp):
    """aspect, slope (cos, sin), curliness and linearity, (F',) each."""
    offsets = xp.arange(2 * around + 1) - around
    low, high = xp.maximum(number - around, first), xp.minimum(number + around, last)
    around_each = number[:, None] + offsets[None, :]
    inside = xp.real((around_each >= low[:, None]) & (around_each <= high[:, None]))
    places = xp.minimum(xp.maximum(around_each, low[:, None]), high[:, None])
    us, vs = xp.take(u, places), xp.take(v, places)
    wide = xp.greatest(us, axis=1) - xp.least(us, axis=1)
    tall = xp.greatest(vs, axis=1) - xp.least(vs, axis=1)
    moves = xp.sqrt((us[:, 1:] - us[:, :-1]) ** 2 + (vs[:, 1:] - vs[:, :-1]) ** 2)
    cos, sin = unit(xp.take(u, high) - xp.take(u, low), xp.take(v, high) - xp.take(v, low), xp)
    across = (vs - xp.take(v, low)[:, None]) * cos[:, None] - (us - xp.take(u, low)[:, None]) * sin[:, None]
    return [
        ratio(tall - wide, tall + wide, xp),
        cos,
        sin,
        xp.minimum(ratio(xp.total(moves, axis=1), xp.maximum(wide, tall), xp), CURLIEST),
        xp.total(inside * across * across, axis=1) / xp.total(inside, axis=1),
    ]


def surroundings(u, v, frames, xp):
    """ascender, descender and the nine cells of the context map, row by row from below, (F',) each."""
    du = frames.u[None, :] - u[:, None]
    dv = frames.v[None, :] - v[:, None]
    near = xp.real(xp.absolute(du) < BESIDE)
    lengths = [xp.weighed(near, xp.real(mask)) for mask in (frames.v > 1, frames.v < 0)]
    row, column = xp.floor(dv / CELL + 1.5), xp.floor(du / CELL + 1.5)
    rows, columns = ([xp.real(cell == number) for number in (0, 1, 2)] for cell in (row, column))
    lengths += [xp.paired(r, c) for r in rows for c in columns]
    return [xp.log1p(length * frames.step) for length in lengths]
