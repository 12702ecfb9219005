"""Pieces of a line: words of one script brought to one size, and garbage of many kinds.

Whatever its source, a piece passes the line normaliser first, so that size and place on the line tell nothing of it.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from keras_seqgen.data.line_images import LineForm, gaussian_filter, line_frames
from keras_seqgen.data.script_classes import ARABIC, GARBAGE, LATIN

ROWS = 48  # of a piece: 9 spreads of `line_images.find_line`, about 3.5 heights of a small letter
INK = 0.3  # darkness above which a column has ink
SHORTEST, LONGEST = 1.5, 7.0  # a piece, in its own height
FLIPPED = 3.0  # the shortest flipped piece: three letters upside down are often three other letters
_SPACE = 7  # columns without ink at which a text may be cut: letters stand closer, words further apart


@dataclass(frozen=True)
class Piece:
    """A piece of a line.

    label: its class, of `data.script_classes`. source: "print", "render", "flip", "noise" or "figure". darkness:
    float32 (ROWS, w), 0 paper to 1 ink.
    """

    label: int
    source: str
    darkness: np.ndarray


def normalised(grey: np.ndarray) -> np.ndarray:
    """A picture of a line (h, w), 0 black to 1 white -> its darkness (ROWS, T) at the size that all pieces have."""
    return np.ascontiguousarray(line_frames(grey, LineForm(ROWS)).T)


def bent(darkness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Text as another face or another press would have it: letters of other widths, leaning, heavier or lighter.

        moved(y, x) = darkness(y, u(x) + s (y - middle)),   u' ~ exp(b z(x)),   u from 0 to w as x from 0 to w'
        bent = min(max((G[moved] - c) / 0.3 + 1 / 2, 0), 1),   G a Gaussian blur

    Args:
        darkness: (h, w), 0..1.
        rng: draws w' (0.7 to 1.4 w), the smooth noise z and b (0 to 0.35), the lean s (-0.15 to 0.35 columns a row),
            the width of G (0.5 to 1.3) and c (0.2 to 0.55).

    Returns:
        float32 (h, w'), 0..1.
    """
    h, w = darkness.shape
    if not w:
        return darkness
    width = max(round(w * np.exp(rng.uniform(-0.35, 0.35))), 2)
    z = gaussian_filter(rng.normal(size=(1, width)), rng.uniform(6, 30), axis=1)[0]
    steps = np.exp(rng.uniform(0, 0.35) * z / max(z.std(), 1e-6))
    columns = (np.cumsum(steps) - steps / 2) * (w / steps.sum()) - 0.5
    lean = rng.uniform(-0.15, 0.35)
    rows = np.arange(h)[:, None]
    x = np.clip(columns + lean * (rows - (h - 1) / 2), 0, w - 1)
    left = np.minimum(x.astype(int), max(w - 2, 0))
    part = x - left
    moved = (1 - part) * darkness[rows, left] + part * darkness[rows, np.minimum(left + 1, w - 1)]
    size = rng.uniform(0.5, 1.3)
    blurred = gaussian_filter(gaussian_filter(moved, size, axis=0), size, axis=1)
    return np.clip((blurred - rng.uniform(0.2, 0.55)) / 0.3 + 0.5, 0, 1).astype(np.float32)


def cut_words(darkness: np.ndarray, rng: np.random.Generator, shortest: float = SHORTEST) -> np.ndarray:
    """A stretch of a line from one space to another, without the paper at its ends.

    Args:
        darkness: (ROWS, w).
        rng: draws its place and its length, which is even in shortest..LONGEST heights as far as spaces allow.
        shortest: in heights.

    Returns:
        (ROWS, w'), w' >= 0.
    """
    ink = np.flatnonzero(darkness.max(axis=0, initial=0) > INK)
    if not len(ink):
        return darkness[:, :0]
    left, right = ink[0], ink[-1] + 1
    spaces = np.flatnonzero(np.diff(ink) > _SPACE)
    cuts = np.unique([left, *((ink[spaces] + ink[spaces + 1]) // 2), right])
    length = ROWS * rng.uniform(shortest, LONGEST)
    begin = cuts[np.abs(cuts - rng.uniform(left, max(right - length, left + 1))).argmin()]
    later = cuts[cuts >= begin + ROWS * shortest]
    end = later[np.abs(later - begin - length).argmin()] if len(later) else right
    return trimmed(darkness[:, begin : min(end, begin + round(LONGEST * ROWS))])


def trimmed(darkness: np.ndarray) -> np.ndarray:
    """(h, w) from the first column with ink to the last; no column where there is no ink."""
    ink = np.flatnonzero(darkness.max(axis=0, initial=0) > INK)
    return darkness[:, ink[0] : ink[-1] + 1] if len(ink) else darkness[:, :0]


def flip(piece: Piece, rng: np.random.Generator) -> Piece:
    """A text upside down, mirrored, or both: garbage."""
    down, across = ((True, False), (True, False), (False, True), (True, True))[rng.integers(4)]
    darkness = piece.darkness[:: -1 if down else 1, :: -1 if across else 1]
    return replace(piece, label=GARBAGE, source="flip", darkness=darkness)


def noise(rng: np.random.Generator) -> Piece:
    """Blots, grain or streaks."""
    w = int(ROWS * rng.uniform(SHORTEST, LONGEST))
    field = rng.normal(size=(ROWS, w))
    sizes = rng.uniform(0.4, 4.0, 2) if rng.random() < 0.7 else rng.permutation([0.5, rng.uniform(4, 12)])
    for axis, size in enumerate(sizes):
        field = gaussian_filter(field, size, axis)
    field /= max(field.std(), 1e-6)
    band = np.abs(np.arange(ROWS) - ROWS / 2) < ROWS * rng.uniform(0.15, 0.5)
    inked = (field > rng.uniform(0.3, 1.4)) * band[:, None]
    return Piece(GARBAGE, "noise", trimmed(inked.astype(np.float32)))


def figure(rng: np.random.Generator) -> Piece:
    """Strokes of a drawing: lines, curves, boxes, ellipses, hatching, bars."""
    w = int(ROWS * rng.uniform(SHORTEST, LONGEST))
    page = Image.new("L", (w, ROWS), 0)
    draw = ImageDraw.Draw(page)
    thick = int(rng.integers(1, 4))

    def places(n):
        return [(int(x), int(y)) for x, y in zip(rng.uniform(0, w, n), rng.uniform(4, ROWS - 4, n), strict=True)]

    def box():
        (a, b), (c, d) = places(2)
        return min(a, c), min(b, d), max(a, c) + 2, max(b, d) + 2

    kind = rng.integers(6)
    for _ in range(int(rng.integers(3, 4 + w // 24))):
        if kind == 0:
            draw.line(places(2), 255, thick)
        elif kind == 1:
            draw.line(sorted(places(5)), 255, thick, joint="curve")
        elif kind == 2:
            draw.rectangle(box(), outline=255, width=thick, fill=255 if rng.random() < 0.2 else None)
        elif kind == 3:
            draw.ellipse(box(), outline=255, width=thick, fill=255 if rng.random() < 0.2 else None)
        elif kind == 4:
            draw.arc(box(), rng.uniform(0, 360), rng.uniform(0, 360), 255, thick)
    if kind == 5:
        step, lean = int(rng.integers(3, 12)), int(rng.integers(-20, 21))
        for x in range(0, w, step):
            draw.line((x, ROWS - 8, x + lean, 8), 255, thick)
    if rng.random() < 0.4:
        y = int(rng.integers(6, ROWS - 6))
        draw.line((0, y, w, y), 255, thick)
    return Piece(GARBAGE, "figure", trimmed(np.asarray(page).astype(np.float32) / 255))


def text_piece(label: int, source: str, line: np.ndarray, rng: np.random.Generator, shortest: float = SHORTEST):
    """Words of a normalised line (ROWS, w) as a `Piece`, label ARABIC or LATIN."""
    if label not in (ARABIC, LATIN):
        raise ValueError(f"`label` must be a script's class. Received: label={label}")
    return Piece(label, source, cut_words(line, rng, shortest))
