"""Letters of the single-stroke Hershey fonts as a pen would draw them.

The fonts hold each letter as straight segments in an engraver's order. Here a letter becomes a few dense, smooth pen
strokes: bowls before stems, the pen kept on the paper where it can run back along a stroke it has just drawn, corners
rounded. Unit: the font's own, in which a small x is 14 high and a capital 21; y downward, the baseline at 0, x from the
letter's left margin.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from HersheyFonts import HersheyFonts

FONTS = {"print": "futural", "script": "cursive"}
SPACING = 0.5  # distance of the dense points along a stroke, font units
_BASELINE = 9.0
_TOUCH = 1.6  # two points nearer than this are one place on the paper
_BOWL_FIRST = frozenset("adgq")
_DOTTED = frozenset("ij")  # the fonts dot them first
_RAISED, _RAISE = frozenset(".,:;"), 3.0  # the fonts let these float above the baseline
_SHADED = frozenset("{}")  # three parallel strokes, of which the middle one is the whole sign


class Glyph(NamedTuple):
    """One letter: dense strokes [(N, 2), ...] in drawing order, and the width from its left margin to its right."""

    strokes: tuple[np.ndarray, ...]
    width: float


@cache
def _font(style: str) -> dict:
    font = HersheyFonts(load_default_font=FONTS[style])
    return {
        character: ([np.asarray(stroke, float) for stroke in glyph.strokes], glyph.left_offset, glyph.char_width)
        for character, glyph in font.all_glyphs.items()
        if " " <= character <= "~"
    }


@cache
def glyph(style: str, character: str, rounding: float = 0.8, retrace: float = 12.0, bowl_first: bool = True) -> Glyph:
    """Returns the pen strokes of `character`.

    Args:
        style: "print" or "script".
        character: one printable ASCII character; the space has no strokes.
        rounding: standard deviation of the smoothing along a stroke, font units; 0 keeps the corners.
        retrace: the longest way that the pen runs back along a drawn stroke rather than being lifted; 0 lifts it.
        bowl_first: whether a, d, g and q begin with their bowl.

    Raises:
        KeyError: `character` is not printable ASCII.
    """
    strokes, left, width = _font(style)[character]
    below = _BASELINE - _RAISE if character in _RAISED else _BASELINE
    strokes = [_densify(stroke) - (left, below) for stroke in strokes]
    strokes = [max(strokes, key=len)] if character in _SHADED else _drop_doubles(strokes)
    if character in _DOTTED or (bowl_first and style == "print" and character in _BOWL_FIRST):
        strokes = strokes[1:] + strokes[:1]
    linked: list[np.ndarray] = []
    for stroke in strokes:
        way = _way(linked[-1], stroke, retrace) if linked else None
        if way is None:
            linked.append(stroke)
        else:
            linked[-1] = np.concatenate([linked[-1], way, stroke[1:]])
    return Glyph(tuple(_smooth(_densify(stroke), rounding) for stroke in linked), float(width))


def _densify(points: np.ndarray) -> np.ndarray:
    """Points of a polyline at about `SPACING` along it, its ends kept."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(int(np.ceil(along[-1] / SPACING)), 1) + 1)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _smooth(points: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian smoothing along a stroke, continued past its ends by point reflection so that the ends stay."""
    reach = min(int(np.ceil(3 * deviation / SPACING)), len(points) - 1)
    if deviation <= 0 or reach < 1:
        return points
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * SPACING / deviation) ** 2)
    weights /= weights.sum()
    padded = np.concatenate([2 * points[0] - points[reach:0:-1], points, 2 * points[-1] - points[-2 : -reach - 2 : -1]])
    return np.stack([np.convolve(padded[:, axis], weights, "valid") for axis in (0, 1)], axis=1)


def _drop_doubles(strokes: list[np.ndarray]) -> list[np.ndarray]:
    """Leaves out a stroke that runs within `_TOUCH` of an earlier one as long: the fonts thicken brackets so."""
    kept: list[np.ndarray] = []
    for stroke in strokes:
        if not any(len(other) + 2 >= len(stroke) > 20 and _distance(stroke, other).max() < _TOUCH for other in kept):
            kept.append(stroke)
    return kept


def _distance(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """The distance of each of `points` to its nearest point of `stroke`."""
    return np.hypot(*(points[:, None] - stroke[None]).transpose(2, 0, 1)).min(axis=1)


def _way(drawn: np.ndarray, following: np.ndarray, retrace: float) -> np.ndarray | None:
    """The points from the end of `drawn` to the start of `following` over ink that is there or will be.

    None where the pen must be lifted.
    """
    longest = int(retrace / SPACING)
    back = np.hypot(*(drawn - following[0]).T)
    if back.min() < _TOUCH and len(drawn) - 1 - back.argmin() <= longest:
        return np.concatenate([drawn[: int(back.argmin()) : -1][1:], following[:1]])
    ahead = np.hypot(*(following - drawn[-1]).T)
    if ahead.min() < _TOUCH and ahead.argmin() <= longest:
        return following[int(ahead.argmin()) :: -1]
    return None
