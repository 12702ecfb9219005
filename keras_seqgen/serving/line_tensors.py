"""`data.line_images` in TensorFlow, for exported models: an image file of a line -> its frames, in float64 as there."""

import numpy as np
import tensorflow as tf

from keras_seqgen.data.line_images import (
    FAINT,
    LEAST_BLUR,
    LEAST_CONTRAST,
    LEAST_SPREAD,
    PRIOR,
    ROUNDS,
    SMOOTH,
    SPAN,
    WINDOW,
    LineForm,
)


def decode_grey(encoded):
    """An image file -> float32 (h, w), 0 black to 1 white, as `data.line_images.decode_grey` has it.

    Args:
        encoded: string scalar: PNG, JPEG, BMP or GIF (its first picture). TensorFlow reads greys of 16 bits as 8.

    Raises:
        InvalidArgumentError: it is no such file.
    """
    pixels = tf.cast(tf.io.decode_image(encoded, expand_animations=False), tf.int32)
    pixels = tf.ensure_shape(pixels, [None, None, None])
    channels = tf.shape(pixels)[2]
    # Two channels are grey and alpha, four are colours and alpha.
    alpha = tf.where(channels % 2 == 0, pixels[..., -1:], 255)
    colours = tf.gather(pixels, tf.where(channels <= 2, [0, 0, 0], [0, 1, 2]), axis=2)
    colours = tf.cast(tf.round((colours * alpha + 255 * (255 - alpha)) / 255), tf.int32)
    luma = tf.reduce_sum(colours * tf.constant([19595, 38470, 7471]), axis=-1)  # ITU-R 601, in 65536ths
    return tf.cast((luma + 0x8000) // 65536, tf.float32) / 255


def ink_darkness(grey):
    """float32 (h, w), 0..1 -> float32 (h, w), 0 paper to 1 ink: `data.line_images.ink_darkness`."""
    pixels = tf.sort(tf.reshape(grey, [-1]))
    n, h = tf.shape(pixels)[0], tf.shape(grey)[0]
    k = tf.clip_by_value(h * h // 100, 1, n) - 1
    paper = tf.cast((pixels[(n - 1) // 2] + pixels[n // 2]) / 2, tf.float64)
    low, high = tf.cast(pixels[k], tf.float64), tf.cast(pixels[n - 1 - k], tf.float64)
    ink = tf.where(tf.abs(high - paper) > tf.abs(low - paper), high, low)
    plain = tf.abs(paper - ink) < LEAST_CONTRAST
    contrast = tf.where(plain, tf.ones([], tf.float64), paper - ink)
    darkness = tf.clip_by_value((paper - tf.cast(grey, tf.float64)) / contrast, 0.0, 1.0)
    return tf.cast(tf.where(plain, tf.zeros_like(darkness), darkness), tf.float32)


def find_line(darkness):
    """float32 (h, w) -> centre line float64 (w,), and spread, float64 scalar: `data.line_images.find_line`."""
    h, w = (tf.cast(n, tf.float64) for n in tf.unstack(tf.shape(darkness)))
    ink = tf.cast(tf.where(darkness > FAINT, darkness, 0), tf.float64)
    total = tf.reduce_sum(ink)

    def size_of(y, center):
        return tf.maximum(tf.reduce_sum(ink * tf.abs(y - center)) / total, LEAST_SPREAD * h)

    def found():
        y, x = tf.range(h)[:, None], tf.range(w) - (w - 1) / 2
        center = _straight_line(x, ink, y)
        spread = size_of(y, center)
        for _ in range(ROUNDS - 1):
            weights = ink * tf.exp(-0.5 * tf.square((y - center) / (WINDOW * spread)))
            straight, mass = _straight_line(x, weights, y), tf.reduce_sum(weights, axis=0)
            moment = tf.reduce_sum((y - straight) * weights, axis=0)
            smooth = _gaussian_filter(tf.stack([moment, mass]), SMOOTH * spread)
            center = straight + smooth[0] / (smooth[1] + PRIOR * tf.reduce_mean(mass))
            spread = size_of(y, center)
        return center, spread

    return tf.cond(total > 0, found, lambda: _middle(darkness))


def line_frames(grey, form: LineForm):
    """A picture of a line -> its frames, by the equations of `data.line_images.line_frames`.

    Args:
        grey: float32 (h, w), 0..1; h, w >= 1.
        form: `LineForm`.

    Returns:
        float32 (T, height).

    Example:

        >>> frames = line_frames(decode_grey(tf.io.read_file("line.png")), LineForm(right_to_left=True))
    """
    darkness = ink_darkness(grey)
    center, spread = find_line(darkness) if form.normalise else _middle(darkness)
    frames = _resample(tf.cast(darkness, tf.float64), center, form.height / (2 * SPAN * spread), form.height)
    return frames[::-1] if form.right_to_left else frames


def _middle(darkness):
    h, w = tf.unstack(tf.shape(darkness))
    height = tf.cast(h, tf.float64)
    return tf.fill([w], (height - 1) / 2), height / (2 * SPAN)


def _straight_line(x, weights, y):
    """The least squares line through the ink: y at each x."""
    mass, moment = tf.reduce_sum(weights, axis=0), tf.reduce_sum(y * weights, axis=0)
    total = tf.reduce_sum(mass)
    about = x - tf.reduce_sum(x * mass) / total
    width = tf.reduce_sum(tf.square(about) * mass)
    slope = tf.math.divide_no_nan(tf.reduce_sum(about * moment), tf.where(width > total, width, 0))
    return tf.reduce_sum(moment) / total + slope * about


def _gaussian_filter(values, sigma):
    """(..., n) smoothed along the last axis by a Gaussian that is cut off at 3 sigma; zeros are beyond the ends."""
    reach = tf.math.ceil(3 * sigma)
    kernel = tf.exp(-0.5 * tf.square(tf.range(-reach, reach + 1) / sigma))
    kernel /= tf.reduce_sum(kernel)
    reach, n = tf.cast(reach, tf.int32), tf.shape(values)[-1]
    length = [n + 2 * reach]
    smooth = tf.signal.irfft(tf.signal.rfft(values, length) * tf.signal.rfft(kernel, length), length)
    return smooth[..., reach : reach + n]


def _resample(darkness, center, scale, height):
    """(h, w) -> (T, height)."""
    h, w = tf.unstack(tf.shape(darkness))
    blur = 0.5 * tf.sqrt(tf.maximum(1 / tf.square(scale) - 1, 0))

    def smoothed():
        down = tf.transpose(_gaussian_filter(tf.transpose(darkness), blur))
        return _gaussian_filter(down, blur)

    darkness = tf.cond(blur > LEAST_BLUR, smoothed, lambda: darkness)
    wide = tf.cast(w, tf.float64)
    T = tf.maximum(tf.round(wide * scale), 1)
    x = tf.clip_by_value((tf.range(T) + 0.5) * wide / T - 0.5, 0, wide - 1)
    left = tf.minimum(tf.cast(x, tf.int32), tf.maximum(w - 2, 0))
    right = tf.minimum(left + 1, w - 1)
    across = x - tf.cast(left, tf.float64)
    middle = tf.gather(center, left) + across * (tf.gather(center, right) - tf.gather(center, left))
    y = middle[:, None] + (np.arange(height) + 0.5 - height / 2) / scale
    y = tf.clip_by_value(y + 1, 0, tf.cast(h, tf.float64) + 1)
    above = tf.minimum(tf.cast(y, tf.int32), h)
    down = y - tf.cast(above, tf.float64)
    pixels = tf.reshape(tf.pad(darkness, [[1, 1], [0, 0]]), [-1])

    def column(place):
        first = above * w + place[:, None]
        return (1 - down) * tf.gather(pixels, first) + down * tf.gather(pixels, first + w)

    frames = (1 - across)[:, None] * column(left) + across[:, None] * column(right)
    return tf.cast(tf.clip_by_value(frames, 0, 1), tf.float32)
