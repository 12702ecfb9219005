"""The embedded corpus: lines of text in many random hands, drawn here: nothing to download, no licence attached.

Every line is a pure function of (index, seed). A *hand* is a writer: its slant, size, proportions, spacing, baseline,
steadiness, roundness, joins and pen speed. The pen slows down in curves and at the ends of a stroke, after the
two-thirds power law (Lacquaniti, Terzuolo, Viviani 1983), and is looked at once per unit of time, so points lie densely
where the direction changes, as they do on a digitising whiteboard.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from keras_seqgen.data import phrases
from keras_seqgen.data.hershey import SPACING, glyph
from keras_seqgen.data.schema import InkLine

STYLES = {"demo": phrases.demo_text, "full": phrases.full_text}
_HAND_STREAM = 1  # separates the random streams of hands from those of lines


@dataclass(frozen=True)
class Hand:
    """How one writer writes. Lengths are in font units (a small x is 14 high) before `size` scales them.

    Attributes:
        name: the writer, "hand-012".
        small, capitals: the font of small letters and of all other characters, "print" or "script".
        size: raw units per font unit.
        slant: horizontal shift per unit of height.
        aspect: width of a letter over its normal width.
        spacing, word_spacing: gap added between letters; width of a space over its normal width.
        slope, wave: slope of the baseline; height of its waves.
        warp, tremor: height of the slow spatial distortion and of the trembling along the stroke.
        unevenness: how much letters differ in height, tilt and position.
        rounding, retrace, bowl_first: see `hershey.glyph`.
        joins: probability that the pen stays down from one letter to the next where they are near.
        pace: the way the pen runs straight ahead in one unit of time. A letter has about 75 / pace points.
        exponent: speed is proportional to curvature ** -exponent; 1/3 is the two-thirds power law.
    """

    name: str
    small: str = "print"
    capitals: str = "print"
    size: float = 8.0
    slant: float = 0.0
    aspect: float = 1.0
    spacing: float = 0.0
    word_spacing: float = 1.0
    slope: float = 0.0
    wave: float = 0.0
    warp: float = 0.0
    tremor: float = 0.0
    unevenness: float = 0.0
    rounding: float = 0.8
    retrace: float = 12.0
    bowl_first: bool = True
    joins: float = 0.0
    pace: float = 3.0
    exponent: float = 1 / 3


def random_hand(number: int, seed: int = 0, style: str = "full") -> Hand:
    """Returns writer `number`: plain print with a quick pen for "demo", also script and joined writing for "full"."""
    rng = np.random.default_rng([seed, _HAND_STREAM, number])
    full = style == "full"
    script = rng.random() < 0.35 and full
    return Hand(
        name=f"hand-{number:03d}",
        small="script" if script else "print",
        capitals="script" if script and rng.random() < 0.5 else "print",
        size=float(rng.uniform(6.0, 10.0)),
        slant=float(np.clip(rng.normal(0.0 if script else 0.12, 0.18), -0.25, 0.55)),
        aspect=float(rng.uniform(0.7, 1.15) if full else rng.uniform(0.8, 1.05)),
        spacing=float(rng.uniform(-0.5, 2.0) - 1.0 * (not script)),
        word_spacing=float(rng.uniform(0.7, 1.2)),
        slope=float(rng.normal(0.0, 0.012)),
        wave=float(rng.uniform(0.0, 1.0)),
        warp=float(rng.uniform(0.3, 1.4)),
        tremor=float(rng.uniform(0.0, 0.2)),
        unevenness=float(rng.uniform(0.2, 1.0)),
        rounding=float(rng.uniform(0.5, 1.3)),
        retrace=float(rng.choice([0.0, 12.0, 20.0], p=[0.2, 0.6, 0.2]) if full else 12.0),
        bowl_first=bool(rng.random() < 0.85 or not full),
        joins=float(0.97 if script else rng.choice([0.0, 0.3, 0.7], p=[0.6, 0.2, 0.2]) if full else 0.0),
        pace=float(rng.uniform(3.2, 4.6) if full else rng.uniform(4.4, 6.0)),
        exponent=float(rng.uniform(0.25, 0.4)),
    )


def draw(text: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Writes `text` in `hand`.

    Args:
        text: printable ASCII with at least two points of ink.
        rng: where the unevenness of this one line comes from.

    Returns:
        float32 (T, 3) rows (dx, dy, pen) in raw units, y downward; pen is 1 on the last point of a stroke.
    """
    strokes = _letters(text, hand, rng)
    points = np.concatenate(strokes)
    ends = np.cumsum([len(stroke) for stroke in strokes]) - 1
    points = _warp(points, hand, rng)
    points[:, 0] -= hand.slant * points[:, 1]
    points, pen = _watch(points, ends, hand)
    steps = np.diff(points * hand.size, axis=0)
    return np.column_stack([steps, pen[1:]]).astype(np.float32)


def embedded_line(index: int, seed: int = 0, *, hands: int = 200, style: str = "full") -> InkLine:
    """Returns line `index` of the embedded corpus, a pure function of its arguments.

    Args:
        index: 0, 1, 2, ...: the corpus has no end.
        seed: another seed is another corpus, with other hands.
        hands: number of writers.
        style: "demo" (a few small-letter words, about 14 points a letter) or "full" (all printable ASCII, about 19).

    Example:

    >>> line = embedded_line(0, style="demo")
    >>> line.strokes.shape[1]
    3
    """
    rng = np.random.default_rng([seed, 0, index])
    hand = _hand(int(rng.integers(hands)), seed, style)
    text = STYLES[style](rng)
    return InkLine(f"embedded-{style}-{seed}-{index:06d}", hand.name, text, draw(text, hand, rng))


def embedded_lines(count: int, seed: int = 0, *, hands: int = 200, style: str = "full") -> Iterator[InkLine]:
    """Yields lines 0 to count - 1 of the embedded corpus; arguments as in `embedded_line`."""
    return (embedded_line(index, seed, hands=hands, style=style) for index in range(count))


_hand = lru_cache(maxsize=1024)(random_hand)


def _letters(text: str, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """Sets the letters along the x axis, each a little uneven, and joins neighbours now and then."""
    strokes: list[np.ndarray] = []
    x, joinable = 0.0, False
    scale, shift, tilt = (rng.normal(0.0, hand.unevenness, (3, len(text))).T * (0.04, 0.5, 0.03)).T
    join = rng.random(len(text)) < hand.joins
    for i, character in enumerate(text):
        font = hand.small if character.islower() else hand.capitals if character.isupper() else "print"
        ink, width = glyph(font, character, hand.rounding, hand.retrace, hand.bowl_first)
        matrix = (1.0 + scale[i]) * np.array([[hand.aspect, tilt[i]], [-tilt[i] * hand.aspect, 1.0]])
        placed = [stroke @ matrix + (x, shift[i]) for stroke in ink]
        if placed and joinable and join[i] and character.isalpha():
            link = _join(strokes[-1], placed[0])
            if link is not None:
                strokes[-1] = np.concatenate([strokes[-1], link, placed.pop(0)])
        strokes += placed
        joinable = len(ink) == 1 and character.isalpha()
        x += (hand.word_spacing if character == " " else 1.0) * hand.aspect * width + hand.spacing
    return strokes


def _join(before: np.ndarray, after: np.ndarray, reach: float = 9.0) -> np.ndarray | None:
    """A curve that leaves one letter and enters the next in their own directions, None where they are too far apart."""
    start, end = before[-1], after[0]
    gap = float(np.hypot(*(end - start)))
    if gap > reach or end[0] < start[0] - 1:
        return None
    count = max(int(gap / SPACING), 1)
    out = _unit(before[-1] - before[-min(4, len(before))]) * gap
    into = _unit(after[min(3, len(after) - 1)] - after[0]) * gap
    t = np.linspace(0.0, 1.0, count + 1)[1:-1, None]
    return (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * out
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * into
    )


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.hypot(*vector)), 1e-9)


def _warp(points: np.ndarray, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Slope and waves of the baseline, a smooth distortion of the whole plane, and trembling along the strokes."""
    moved = points.copy()
    slope = hand.slope + rng.normal(0.0, 0.006)
    length = rng.uniform(120.0, 400.0)
    moved[:, 1] += slope * points[:, 0] + hand.wave * np.sin(
        points[:, 0] * (2 * np.pi / length) + rng.uniform(0, 2 * np.pi)
    )
    for axis in (0, 1):
        for wavelength in (60.0, 31.0, 17.0):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            along = points @ np.array([np.cos(angle), np.sin(angle)])
            moved[:, axis] += hand.warp * wavelength / 60.0 * np.sin(along * (2 * np.pi / wavelength) + phase)
    knots = rng.normal(0.0, hand.tremor, (len(points) // 6 + 3, 2))
    at = np.arange(len(points)) / 6
    whole, part = at.astype(int), (at % 1)[:, None]
    part = part * part * (3 - 2 * part)
    return moved + knots[whole] * (1 - part) + knots[whole + 1] * part


def _watch(points: np.ndarray, ends: np.ndarray, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """Moves the pen along dense points and notes where it is at equal times.

    Args:
        points: (N, 2) dense points of all strokes one after the other.
        ends: index of the last point of each stroke.

    Returns:
        Points (M, 2) and pen flags (M,): the ends of each stroke are always there, the times between them equal.
    """
    starts = np.concatenate([[0], ends[:-1] + 1])
    steps = np.diff(points, axis=0)
    steps[ends[:-1]] = 0.0  # the pen is in the air
    way = np.hypot(*steps.T)
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    bend = np.zeros(len(points))
    bend[1:-1] = np.abs(np.diff(heading)) / SPACING
    bend[ends] = bend[starts] = 1.0  # it starts and stops slowly
    bend = np.convolve(bend, np.full(5, 0.2), "same")
    speed = hand.pace * (1.0 + bend / 0.04) ** -hand.exponent  # bends wider than radius 25 count as straight
    time = np.concatenate([[0.0], np.cumsum(way / (0.5 * (speed[1:] + speed[:-1])))])
    ticks = np.maximum(np.rint(time[ends] - time[starts]).astype(int), 1)
    first = np.cumsum(ticks + 1) - (ticks + 1)
    within = np.arange(int((ticks + 1).sum())) - np.repeat(first, ticks + 1)
    clock = time + np.repeat(np.arange(len(ends)), ends - starts + 1)  # strokes one unit of time apart
    when = np.repeat(clock[starts], ticks + 1) + within * np.repeat((clock[ends] - clock[starts]) / ticks, ticks + 1)
    seen = np.stack([np.interp(when, clock, points[:, axis]) for axis in (0, 1)], axis=1)
    pen = np.zeros(len(seen))
    pen[first + ticks] = 1.0
    return seen, pen
