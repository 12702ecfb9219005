"""Pieces -> the picture of one line, worn as copies and scans are, and which piece each of its columns belongs to."""

import numpy as np
from PIL import Image

from keras_seqgen.data.line_images import LineForm, gaussian_filter, line_frames
from keras_seqgen.data.script_pieces import INK, ROWS, Piece, trimmed

CANVAS = ROWS + 24  # rows of a line: pieces stand higher or lower, larger or smaller
WIDE = ROWS  # columns without ink inside a piece from which on they are background
_GAP = 0.35, 2.5  # between two pieces, in heights
_MARGIN = 0.1, 2.0  # at the ends


def splice(pieces: list[Piece], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Puts pieces on a line, one after another, each moved, stretched and given scraps of other lines a little.

    Args:
        pieces: from left to right; two neighbours are of different classes.
        rng: draws gaps, sizes and places.

    Returns:
        darkness: float32 (CANVAS, w), 0 paper to 1 ink.
        owners: int32 (w,): n in the columns of the n-th piece, counted from 1, from its first ink to its last, without
            stretches of 48 columns or more that have no ink; 0 elsewhere, which is background.
    """
    scraps = [piece.darkness for piece in pieces]
    parts: list[np.ndarray] = []
    owners: list[np.ndarray] = []

    def add(darkness, columns):
        parts.append(darkness)
        owners.append(columns)

    add(*_paper(_MARGIN, rng))
    for n, piece in enumerate(pieces, start=1):
        if n > 1:
            add(*_paper(_GAP, rng))
        darkness = _moved(piece.darkness, rng)
        columns = np.where(_near_ink(darkness), n, 0)
        for upper in (True, False):
            if rng.random() < 0.3:
                _add_scrap(darkness, scraps[rng.integers(len(scraps))], upper, rng)
        add(darkness, columns)
    add(*_paper(_MARGIN, rng))
    return np.concatenate(parts, axis=1), np.concatenate(owners).astype(np.int32)


def wear(darkness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What copying and scanning do to a line, the same to all that is on it.

        b = G[darkness] + n G'[white noise]                          soft and ragged contours
        scanned in black and white:   1 where b > threshold          thinner or thicker strokes
        in greys:                     b + white noise

    then specks of ink and of paper.

    Args:
        darkness: (h, w), 0..1.
        rng: draws the widths of G (0.3 to 1.2 columns) and of G' (0.7 to 1.6), n, the threshold, and whether the scan
            has greys (3 of 10).

    Returns:
        float32 (h, w), 0..1.
    """
    h, w = darkness.shape
    worn = _blurred(darkness, rng.uniform(0.3, 1.2))
    ragged = _blurred(rng.normal(size=(h, w)), rng.uniform(0.7, 1.6))
    worn = worn + rng.uniform(0.0, 0.12) * ragged / max(ragged.std(), 1e-6)
    if rng.random() < 0.7:
        worn = (worn > rng.uniform(0.3, 0.5)).astype(np.float64)
    else:
        worn = np.clip(worn, 0, 1) + rng.normal(0, rng.uniform(0, 0.08), (h, w))
    for ink in (1.0, 0.0):
        for _ in range(rng.poisson(rng.choice([0, 2e-5, 2e-4]) * h * w)):
            y, x, size = rng.integers(h), rng.integers(w), int(rng.integers(1, 4))
            worn[y : y + size, x : x + size] = ink
    return np.clip(worn, 0, 1).astype(np.float32)


def frames_and_owners(darkness: np.ndarray, owners: np.ndarray, form: LineForm) -> tuple[np.ndarray, np.ndarray]:
    """A line's picture and the owners of its columns -> its frames, as serving computes them, and their owners.

    Args:
        darkness: (h, w), 0..1; becomes a picture of 256 greys. owners: (w,). form: how pictures become frames.

    Returns:
        frames: float32 (T, form.height), owners: int32 (T,); frame t has the owner of the column at (t + 1/2) w / T.
    """
    grey = np.round(255 * (1 - darkness)).astype(np.float32) / 255
    frames = line_frames(grey, form)
    T, w = len(frames), len(owners)
    columns = np.minimum(((np.arange(T) + 0.5) * w / T).astype(int), w - 1)
    return frames, owners[columns][:: -1 if form.right_to_left else 1]


def _paper(heights: tuple[float, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    w = int(ROWS * rng.uniform(*heights))
    return np.zeros((CANVAS, w), np.float32), np.zeros(w, np.int32)


def _moved(darkness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(ROWS, w) -> (CANVAS, w'), 0.8 to 1.25 times as large, up to a fifth wider or narrower, 3 rows up or down."""
    size = np.exp(rng.uniform(-0.22, 0.22))
    height = min(round(ROWS * size), CANVAS - 8)
    width = max(round(darkness.shape[1] * size * np.exp(rng.uniform(-0.18, 0.18))), 1)
    page = Image.fromarray(np.round(255 * darkness).astype(np.uint8))
    small = np.asarray(page.resize((width, height), Image.Resampling.BILINEAR)).astype(np.float32) / 255
    top = (CANVAS - height) // 2 + int(rng.integers(-3, 4))
    return trimmed(np.pad(small, ((top, CANVAS - height - top), (0, 0))))


def _near_ink(darkness: np.ndarray) -> np.ndarray:
    """(h, w), ink in its first and last column -> (w,): false in wide stretches without ink."""
    near = np.ones(darkness.shape[1], bool)
    ink = np.flatnonzero(darkness.max(axis=0, initial=0) > INK)
    for n in np.flatnonzero(np.diff(ink) > WIDE):
        near[ink[n] + 1 : ink[n + 1]] = False
    return near


def _add_scrap(darkness: np.ndarray, other: np.ndarray, upper: bool, rng: np.random.Generator) -> None:
    """Feet of the line above, or heads of the line below, at the edge of what a frame shows; changes `darkness`."""
    h, w = int(rng.integers(2, 6)), min(darkness.shape[1], other.shape[1])
    middle = ROWS // 2
    edge = (CANVAS - ROWS) // 2
    if upper:
        rows, scrap = slice(edge, edge + h), other[middle + 8 - h : middle + 8, :w]
    else:
        rows, scrap = slice(CANVAS - edge - h, CANVAS - edge), other[middle - 8 : middle - 8 + h, :w]
    darkness[rows, :w] = np.maximum(darkness[rows, :w], scrap)


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(gaussian_filter(values, sigma, axis=0), sigma, axis=1)
