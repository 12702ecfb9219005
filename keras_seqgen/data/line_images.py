"""The picture of a line of print -> frames for a recogniser: the line found, straightened and brought to one size.

`serving.line_tensors` is the same in TensorFlow.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from keras_seqgen.errors import UserError

HEIGHT = 48  # rows of a frame
SPAN = 4.5  # spreads above the centre line, and below it, that a frame shows
WINDOW = 2.0  # spreads within which ink counts for the centre line: a neighbouring line's feet are further away
SMOOTH = 8.0  # spreads along the line over which the centre line is smoothed
PRIOR = 0.05  # of the mean ink: how much each column pulls the centre line towards the straight line
ROUNDS = 4
LEAST_SPREAD = 0.03  # of the picture's height: a line of full stops is not enlarged without end
LEAST_CONTRAST = 1 / 16  # of the range from black to white: less is the paper's own grain
LEAST_BLUR = 0.2  # of a pixel: less is no smoothing
FAINT = 0.25  # darkness below which a pixel does not tell where the line is
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "GIF")  # what Pillow may try on a stranger's file


@dataclass(frozen=True)
class LineForm:
    """How pictures of lines become frames: what a prepared folder and a model must have in common.

    height: rows of a frame. normalise: whether the line is found and straightened; without it the picture is rescaled
    as it is. right_to_left: whether the writing runs so.
    """

    height: int = HEIGHT
    normalise: bool = True
    right_to_left: bool = False

    def __post_init__(self):
        if self.height < 1:
            raise ValueError(f"`height` must be a positive integer. Received: height={self.height}")

    @property
    def kind(self) -> str:
        """One word for it, "line", "line-rtl", "plain-line" or "plain-line-rtl": `kind` of a `FrameUnit`."""
        return f"{'' if self.normalise else 'plain-'}line{'-rtl' if self.right_to_left else ''}"

    @property
    def names(self) -> list[str]:
        """A name for each number of a frame, from the top."""
        return [f"row{row:02d}" for row in range(self.height)]

    @classmethod
    def from_kind(cls, kind: str, height: int) -> "LineForm":
        """The inverse of `kind`.

        Raises:
            ValueError: it is no kind of picture.
        """
        form = cls(height, not kind.startswith("plain-"), kind.endswith("-rtl"))
        if form.kind != kind:
            raise ValueError(f"`kind` must be of a line's picture, such as 'line-rtl'. Received: kind={kind!r}")
        return form


def decode_grey(encoded: bytes, max_pixels: int | None = None) -> np.ndarray:
    """An image file -> float32 (h, w), 0 black to 1 white.

    Colours become their luma; what is transparent shows white paper; 16-bit greys keep their steps.

    Args:
        encoded: PNG, JPEG, TIFF, BMP, WebP, PPM or GIF (its first picture).
        max_pixels: a picture with more is refused before it is unpacked.

    Raises:
        UserError: it is larger.
        OSError, ValueError and what else Pillow's codecs raise: it is no picture, or a broken one.
    """
    picture: Image.Image = Image.open(io.BytesIO(encoded), formats=_FORMATS)
    if max_pixels and picture.width * picture.height > max_pixels:
        raise UserError(f"the picture has {picture.width}x{picture.height} pixels; the limit is {max_pixels}")
    picture.load()
    if picture.mode.startswith("I"):
        return np.clip(np.asarray(picture).astype(np.float32) / 65535, 0, 1)
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return np.asarray(picture.convert("L")).astype(np.float32) / 255


def ink_darkness(grey: np.ndarray) -> np.ndarray:
    """Grey values -> how much ink each pixel has, whatever the paper's tone, the scan's contrast, and which is darker.

        paper    = median of all pixels
        ink      = the k-th pixel from the end of the grey scale that is further from the paper, k = h^2 / 100
        darkness = clip((paper - grey) / (paper - ink), 0, 1)

    A dot has about k pixels, so that a single faulty pixel does not set the scale and a single dot can.

    Args:
        grey: (h, w), 0..1.

    Returns:
        float32 (h, w), 0 paper to 1 ink; all 0 where `paper` and `ink` differ by less than 1/16.
    """
    h = len(grey)
    pixels = np.sort(grey, axis=None)
    k = min(max(h * h // 100, 1), len(pixels)) - 1
    paper = float(np.median(pixels))
    ink = max(float(pixels[k]), float(pixels[-1 - k]), key=lambda value: abs(value - paper))
    if abs(paper - ink) < LEAST_CONTRAST:
        return np.zeros(grey.shape, np.float32)
    return np.clip((paper - grey) / (paper - ink), 0, 1).astype(np.float32)


def find_line(darkness: np.ndarray) -> tuple[np.ndarray, float]:
    """Where in the picture the line runs, and how large its letters are.

    With m(y, x) the darkness, where it is not faint, and s(x) = a + b x the straight line fitted to it:

        w(y, x)   = m(y, x) exp(-((y - c(x)) / (2 spread))^2 / 2)
        c(x)      = s(x) + G[sum_y w (y - s)](x) / (G[sum_y w](x) + 0.05 mean_x sum_y w)
        spread    = sum m |y - c(x)| / sum m

    repeated, s fitted to w from the second round on. G is a Gaussian along x of the deviation 8 spread, some five
    letters. Lower-case letters of height x without ascenders have a spread of about x/4, and c runs midway between
    baseline and x-height; ascenders, descenders and dots move both by a share that a script has in common.

    Since everything is measured in spreads and about s, a line that is scaled, sheared or moved has the same letters
    about its centre line.

    Args:
        darkness: (h, w), 0..1.

    Returns:
        c: float64 (w,), in rows; the middle of the topmost row is 0.
        spread: in rows, at least 3 % of the picture's height.

    Source: after the line normaliser of OCRopus (Breuel, Ul-Hasan, Al-Azawi and Shafait 2013, "High-performance OCR
    for printed English and Fraktur using LSTM networks", section 3). Differs: that one takes the row of the greatest
    smoothed darkness, in units of the picture's height; this one the mean under a window that narrows to the line, so
    that neither the margins nor the feet of the line above change it.
    """
    h, w = darkness.shape
    ink = np.where(darkness > FAINT, darkness, 0).astype(np.float64)
    least = LEAST_SPREAD * h
    total = ink.sum()
    if not total:
        return np.full(w, (h - 1) / 2), h / (2 * SPAN)
    y, x = np.arange(h, dtype=np.float64)[:, None], np.arange(w) - (w - 1) / 2
    weights = ink
    for _ in range(ROUNDS):
        mass, moment = weights.sum(axis=0), (y * weights).sum(axis=0)
        straight = _straight_line(x, mass, moment)
        if weights is ink:
            center, spread = straight, max((ink * np.abs(y - straight)).sum() / total, least)
        else:
            both = np.stack([moment - straight * mass, mass])
            residual, smooth = gaussian_filter(both, SMOOTH * spread, axis=1)
            center = straight + residual / (smooth + PRIOR * mass.mean())
            spread = max((ink * np.abs(y - center)).sum() / total, least)
        weights = ink * np.exp(-0.5 * np.square((y - center) / (WINDOW * spread)))
    return center, float(spread)


def line_frames(grey: np.ndarray, form: LineForm | None = None) -> np.ndarray:
    """A picture of a line -> its frames, column by column in the order of reading.

    Row i of frame t is the darkness at, with scale = height / (2 * 4.5 * spread) of `find_line`,

        x = (t + 1/2) w / T - 1/2               from the right edge instead for writing from right to left
        y = c(x) + (i + 1/2 - height / 2) / scale

    or, not normalised, scale = height / h and c(x) = (h - 1) / 2. It is interpolated between the four nearest pixels,
    of a picture smoothed first where it shrinks; beyond the picture is paper.

    Writing from right to left gives its frames from right to left, as if the picture were flipped, because CTC emits
    the characters in the order of the frames: the transcription can then stay in logical order, the order in which it
    is read and typed. Numbers, which run from left to right within it, come out in logical order only as far as the
    network looks ahead by their length; a bidirectional one does.

    Args:
        grey: (h, w), 0..1, as from `decode_grey`; h, w >= 1.
        form: a `LineForm`.

    Returns:
        float32 (T, height), 0 paper to 1 ink; T = max(round(w * scale), 1). All 0 without any ink.

    Raises:
        ValueError: `grey` is no picture.

    Example:

        >>> frames = line_frames(decode_grey(Path("line.png").read_bytes()), LineForm(right_to_left=True))
        >>> frames.shape
        (1013, 48)
    """
    form = form or LineForm()
    if grey.ndim != 2 or not grey.size:
        raise ValueError(f"`grey` must be a picture, (h, w). Received: shape={grey.shape}")
    darkness = ink_darkness(grey)
    h, w = grey.shape
    center, spread = find_line(darkness) if form.normalise else (np.full(w, (h - 1) / 2), h / (2 * SPAN))
    scale = form.height / (2 * SPAN * spread)
    frames = _resample(darkness, center, scale, form.height)
    return frames[::-1] if form.right_to_left else frames


def gaussian_filter(values: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """`values` smoothed along an axis by a Gaussian that is cut off at 3 sigma; zeros are beyond the ends."""
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    kernel /= kernel.sum()
    n = values.shape[axis]
    length = n + 2 * reach
    # By Fourier transform: the kernel is as long as the line is high, often much longer.
    spectrum = np.fft.rfft(values, length, axis=axis)
    shape = [1] * values.ndim
    shape[axis] = -1
    smooth = np.fft.irfft(spectrum * np.fft.rfft(kernel, length).reshape(shape), length, axis=axis)
    return np.take(smooth, np.arange(reach, reach + n), axis=axis)


def _straight_line(x: np.ndarray, mass: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """The least squares line through the ink: y at each x."""
    total = mass.sum()
    mean = (x * mass).sum() / total
    level = moment.sum() / total
    about = x - mean
    width = (np.square(about) * mass).sum()
    # Ink in one column has no slope, and in few columns none that reaches beyond them.
    slope = (about * moment).sum() / width if width > total else 0.0
    return level + slope * about


def _resample(darkness: np.ndarray, center: np.ndarray, scale: float, height: int) -> np.ndarray:
    """(h, w) -> (T, height): see `line_frames`."""
    h, w = darkness.shape
    if scale < 1:
        blur = 0.5 * math.sqrt(1 / scale**2 - 1)  # what a frame's pixel covers, less what one of the picture's covers
        if blur > LEAST_BLUR:
            darkness = gaussian_filter(gaussian_filter(darkness, blur, axis=0), blur, axis=1)
    T = max(round(w * scale), 1)
    x = np.clip((np.arange(T) + 0.5) * w / T - 0.5, 0, w - 1)
    left = np.minimum(x.astype(int), max(w - 2, 0))
    right = np.minimum(left + 1, w - 1)
    across = (x - left)[:, None]
    middle = center[left] + across[:, 0] * (center[right] - center[left])
    y = middle[:, None] + (np.arange(height) + 0.5 - height / 2) / scale  # (T, height)
    # A row of paper above and below, where everything further out ends, too.
    y = np.clip(y + 1, 0, h + 1)
    padded = np.pad(darkness, ((1, 1), (0, 0)))
    above = np.minimum(y.astype(int), h)
    down = y - above

    def column(place):
        place = place[:, None]
        return (1 - down) * padded[above, place] + down * padded[above + 1, place]

    frames = (1 - across) * column(left) + across * column(right)
    return np.clip(frames, 0, 1).astype(np.float32)
