"""What is done to the frames of training lines, at random, so that no two epochs show the same."""

import math
from dataclasses import dataclass, fields

import numpy as np
import tensorflow as tf

from keras_seqgen.data.speech_features import LOWEST, SpeechForm, hertz, mel
from keras_seqgen.errors import UserError

_DECIBEL = math.log(10) / 10  # in nats of power
_QUIETEST = 60.0  # dB below a recording's loudest band: the noise of a quiet room and a good microphone
_TILT = 10.0  # dB, between a noise's lowest and highest band
_RIPPLE = 0.5  # nats, standard deviation of a noise's power in a frame and band
_BEND = 0.6  # of half the rate: below it the warp of the frequencies is one factor


@dataclass(frozen=True)
class Distortion:
    """How strongly the frames of a training line are distorted; 0 is not at all. Each draw is one per line.

    noise: standard deviation of Gaussian noise on every number, in units of the feature's own deviation.
    masks: how many spans of frames are blotted out (set to the mean, 0). mask_frames: each is 0 to so many frames long.

    Of raw ink alone:
    slant, turn, scale: shear dx += s dy, s even in +-slant; rotation by +-turn radians; enlargement by exp(+-scale),
        and of dx alone once more.

    Of speech (log-mel frames) alone, a voice and a room that the corpus does not have:
    stretch: the line takes exp(u) times as long, u even in +-stretch, at the same pitch.
    warp: the frequencies of the voice are exp(u) times as high, u even in +-warp: a shorter or longer vocal tract.
    room: steady noise, 60 - u dB below the loudest frame and band, u even in 0..room, falling or rising by up to 5 dB
        to both ends of the bands.

    Source: masks, Park et al. 2019, "SpecAugment"; stretch, Ko et al. 2015, "Audio augmentation for speech
    recognition" (tempo); warp, Jaitly and Hinton 2013, "Vocal tract length perturbation (VTLP) improves speech
    recognition", with F_hi = 0.3 of the rate.
    """

    noise: float = 0.0
    masks: int = 0
    mask_frames: int = 0
    slant: float = 0.0
    turn: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    warp: float = 0.0
    room: float = 0.0

    def check(self, kind: str) -> None:
        """Whether features of this kind can be so distorted.

        Raises:
            UserError: they cannot, or a strength is negative.
        """
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise UserError(f"`{field.name}` must not be negative. Received: {getattr(self, field.name)}")
        if self._moves and kind != "raw":
            raise UserError(f"slant, turn and scale move raw ink; the data have {kind} features")
        if self._speaks and not kind.startswith("log-mel"):
            raise UserError(f"stretch, warp and room are for speech; the data have {kind} features")

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn."""
        return self._moves or self._speaks or self.noise > 0 or self.masks > 0

    @property
    def _moves(self):
        return self.slant > 0 or self.turn > 0 or self.scale > 0

    @property
    def _speaks(self):
        return self.stretch > 0 or self.warp > 0 or self.room > 0

    def of_signal(self, frames, length, shortest, kind, draw):
        """Frames in their own unit, as another hand or voice would have made them.

        Args:
            frames: float32 (B, T, D). length: int32 (B,). shortest: int32 (B,), frames that a stretch leaves at least.
            kind: of the features. draw: int64 (2,), the seed.

        Returns:
            Frames (B, T', D), undefined behind each line's end, and their lengths.
        """
        if self._moves:
            frames = moved(frames, length, self, draw)
        if self.stretch:
            frames, length = stretched(frames, length, shortest, self.stretch, _salted(draw, 3))
        if self.warp:
            frames = warped(frames, kind, self.warp, _salted(draw, 4))
        if self.room:
            frames = with_room(frames, length, self.room, _salted(draw, 5))
        return frames, length

    def of_frames(self, frames, draw):
        """Normalised frames (B, T, D) with noise and masks."""
        B, T, D = tf.unstack(tf.shape(frames))
        if self.noise:
            frames += self.noise * tf.random.stateless_normal([B, T, D], _salted(draw, 1), alg="philox")
        if self.masks and self.mask_frames:
            drawn = tf.random.stateless_uniform([2, B, self.masks, 1], _salted(draw, 2), alg="philox")
            long = drawn[0] * float(self.mask_frames)
            start = drawn[1] * tf.cast(T, tf.float32)
            place = tf.range(T, dtype=tf.float32)[None, None]
            hidden = tf.reduce_any((place >= start) & (place < start + long), axis=1)
            frames *= tf.cast(~hidden, tf.float32)[..., None]
        return frames


def _salted(draw, salt):
    return draw + tf.constant([salt, 0], tf.int64)


def _even(shape, draw):
    return tf.random.stateless_uniform(shape, draw, -1.0, 1.0, alg="philox")


def moved(frames, length, distortion, draw):
    """Raw ink (B, T, 4), (dx, dy, y, pen), sheared, turned and scaled, a draw for each row."""
    B = tf.shape(frames)[0]
    even = _even([4, B, 1], draw)
    dx, dy, y, pen = tf.unstack(frames, axis=-1)
    dx *= tf.exp(distortion.scale * even[0])
    dx += distortion.slant * even[1] * dy
    cos, sin = tf.cos(distortion.turn * even[2]), tf.sin(distortion.turn * even[2])
    # Turned about the middle of the line: y takes a share of x, whose mean over the line is taken off as y's is.
    inside = tf.sequence_mask(length, tf.shape(frames)[1], tf.float32)
    x = tf.cumsum(dx * inside, axis=1)
    x -= tf.reduce_sum(x * inside, axis=1, keepdims=True) / tf.reduce_sum(inside, axis=1, keepdims=True)
    turned = cos * dx - sin * dy, sin * dx + cos * dy, sin * x + cos * y
    larger = tf.exp(distortion.scale * even[3])
    return tf.stack([*(larger * part for part in turned), pen], axis=-1)


def stretched(frames, length, shortest, strength, draw):
    """Frames (B, T, D) at other times, interpolated linearly, first to first and last to last; and the new lengths:

    L' = max(round(L exp(strength u)), min(L, shortest))
    """
    old = tf.cast(length, tf.float32)
    new = tf.cast(tf.round(old * tf.exp(strength * _even(tf.shape(length), draw))), tf.int32)
    new = tf.maximum(tf.maximum(new, tf.minimum(length, shortest)), 1)
    last = tf.maximum(length - 1, 0)
    step = tf.cast(last, tf.float32) / tf.cast(tf.maximum(new - 1, 1), tf.float32)
    place = tf.minimum(
        tf.range(tf.reduce_max(new), dtype=tf.float32) * step[:, None], tf.cast(last, tf.float32)[:, None]
    )
    before = tf.cast(place, tf.int32)
    part = (place - tf.floor(place))[..., None]
    after = tf.minimum(before + 1, last[:, None])
    return (1 - part) * tf.gather(frames, before, batch_dims=1) + part * tf.gather(frames, after, batch_dims=1), new


def warped(frames, kind, strength, draw):
    """Log-mel frames (B, T, D) of a voice whose frequencies are a = exp(strength u) times as high.

    What is in the band at f goes to the band at g(f), with h half the rate and F = 0.6 h:

        g(f) = a f                                                  f <= F min(a, 1) / a
        g(f) = h - (h - F min(a, 1)) / (h - F min(a, 1) / a) (h - f)  above, so that g(h) = h

    Between bands the logarithm is interpolated; below the lowest band it is that of the lowest.
    """
    bands = frames.shape[-1]
    form = SpeechForm.from_kind(kind, bands)
    half = form.rate / 2
    edges = np.linspace(mel(LOWEST), mel(half), bands + 2)
    factor = tf.exp(strength * _even([tf.shape(frames)[0], 1], draw))
    bend = _BEND * half * tf.minimum(factor, 1.0)  # g of the bend
    target = tf.constant(hertz(edges[1:-1])[None], tf.float32)
    below = target / factor
    above = half - (half - bend / factor) / (half - bend) * (half - target)
    source = tf.where(target <= bend, below, above)
    tone = 2595 / math.log(10) * tf.math.log1p(source / 700)
    place = tf.clip_by_value((tone - edges[1]) / (edges[1] - edges[0]), 0.0, bands - 1.0)
    before = tf.cast(place, tf.int32)
    part = (place - tf.floor(place))[:, None]
    low, high = (tf.gather(frames, tf.minimum(before + n, bands - 1), axis=2, batch_dims=1) for n in (0, 1))
    return (1 - part) * low + part * high


def with_room(frames, length, strength, draw):
    """Log-mel frames (B, T, D) with a steady noise n: y' = log(e^y + e^n)."""
    B, T, D = tf.unstack(tf.shape(frames))
    inside = tf.sequence_mask(length, T)[..., None]
    loudest = tf.reduce_max(tf.where(inside, frames, -np.inf), axis=(1, 2), keepdims=True)
    even = _even([2, B, 1, 1], draw)
    level = _DECIBEL * (strength * (even[0] + 1) / 2 - _QUIETEST)
    tilt = _DECIBEL * _TILT / 2 * even[1] * tf.linspace(-1.0, 1.0, D)
    ripple = _RIPPLE * tf.random.stateless_normal([B, T, D], _salted(draw, 6), alg="philox")
    noise = loudest + level + tilt + ripple
    return tf.maximum(frames, noise) + tf.math.log1p(tf.exp(-tf.abs(frames - noise)))
