"""More speech out of little: other speeds, levels and noises, and strings of words out of single ones.

Every function is pure: a seed decides all that is drawn, so that the same corpus gives the same sounds everywhere.
"""

from dataclasses import dataclass

import numpy as np

_CROSSINGS = 16  # of the sinc on each side
_BLOCK = 4096  # output samples that are interpolated at a time
_QUIET = 0.010  # seconds over which the level of the room is measured


@dataclass(frozen=True)
class Synthesis:
    """What is drawn, evenly, for each sound.

    speed: played faster or slower by up to this part; 0.2 is 0.8 to 1.2 times. gain: louder or softer by up to so
    many dB. snr: the least and the greatest ratio of speech to noise, in dB; None for no noise.
    """

    speed: float = 0.2
    gain: float = 6.0
    snr: tuple[float, float] | None = (20.0, 45.0)

    def __post_init__(self):
        if not 0 <= self.speed < 0.9 or self.gain < 0 or (self.snr and not self.snr[0] <= self.snr[1]):
            raise ValueError(
                "`speed` must be in 0..0.9, `gain` not negative, `snr` rising. "
                f"Received: speed={self.speed}, gain={self.gain}, snr={self.snr}"
            )


def resample(samples: np.ndarray, factor: float) -> np.ndarray:
    """Sound with its samples at other times: played at the old rate it is `factor` times as fast, and as much higher.

        y_k = sum_n x_n c sinc(c (k f - n)) hann(c (k f - n) / 16),   c = min(1, 1 / f)

    c lowers the limit of the frequencies where samples are taken further apart, so that nothing folds over.

    Args:
        samples: (N,).
        factor: f > 0. From one rate to another: old rate / new rate.

    Returns:
        float32 (max(round(N / f), 1),), or (0,) of nothing.

    Raises:
        ValueError: a factor that is not positive.

    Source: Smith and Gossett 1984, "A flexible sampling-rate conversion method"; speed as a means against small
    corpora: Ko, Peddinti, Povey and Khudanpur 2015, "Audio augmentation for speech recognition".
    """
    if not factor > 0:
        raise ValueError(f"`factor` must be positive. Received: factor={factor}")
    N = len(samples)
    count = max(round(N / factor), 1) if N else 0
    cut = min(1.0, 1 / factor)
    reach = int(np.ceil(_CROSSINGS / cut))
    padded = np.pad(np.asarray(samples, np.float64), reach)
    taps = np.arange(1 - reach, reach + 1)
    out = np.empty(count)
    for start in range(0, count, _BLOCK):
        place = np.arange(start, min(start + _BLOCK, count)) * factor
        before = np.minimum(place.astype(int), N - 1)
        weight = _sinc((place - before)[:, None], taps, cut)
        out[start : start + _BLOCK] = (padded[before[:, None] + taps + reach] * weight).sum(axis=1)
    return out.astype(np.float32)


def _sinc(part: np.ndarray, taps: np.ndarray, cut: float) -> np.ndarray:
    """c sinc(c (part - tap)) hann(c (part - tap) / 16): (K, 1) and (J,) -> (K, J).

    The sine and the cosine of a difference are products of those of its terms, so that there are K + J of them and not
    K J, which would take most of the time.
    """
    away = cut * (part - taps)
    near = np.abs(away) < 1e-6
    a, b = np.pi * cut * part, np.pi * cut * taps
    sine = np.sin(a) * np.cos(b) - np.cos(a) * np.sin(b)
    sinc = np.where(near, 1.0, sine / np.where(near, 1.0, np.pi * away))
    a, b = a / _CROSSINGS, b / _CROSSINGS
    window = 0.5 + 0.5 * (np.cos(a) * np.cos(b) + np.sin(a) * np.sin(b))
    return cut * sinc * window * (np.abs(away) < _CROSSINGS)


def change_gain(samples: np.ndarray, decibels: float) -> np.ndarray:
    """samples * 10^(decibels / 20), cut off at -1 and 1 as a recording is."""
    return np.clip(samples * 10 ** (decibels / 20), -1, 1).astype(np.float32)


def coloured_noise(count: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of the power 1 whose spectrum falls as 1 / frequency^slope: 0 white, 1 pink, 2 brown; (count,)."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (slope / 2)
    noise = np.fft.irfft(spectrum, count)
    return noise / max(np.sqrt(np.mean(np.square(noise))), 1e-12)


def add_noise(samples: np.ndarray, snr: float, slope: float, rng: np.random.Generator) -> np.ndarray:
    """samples + noise, 10 log10(mean samples^2 / mean noise^2) = snr dB, of `coloured_noise`; cut off at -1 and 1."""
    if len(samples) < 2:
        return np.asarray(samples, np.float32)
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64))) / 10 ** (snr / 20)
    return np.clip(samples + level * coloured_noise(len(samples), slope, rng), -1, 1).astype(np.float32)


def synthesise(samples: np.ndarray, synthesis: Synthesis, seed: int) -> np.ndarray:
    """The sound as another speaker might have said it elsewhere: speed, then gain, then noise, drawn from the seed.

    The noise falls off by 1 / frequency^a, a drawn from 0..2.

    Args:
        samples: (N,), -1..1.
        synthesis: the ranges.
        seed: not negative.

    Returns:
        float32 (M,), N / 1.2 <= M <= N / 0.8 with a `speed` of 0.2.

    Example:

        >>> louder = synthesise(samples, Synthesis(speed=0, gain=12, snr=None), seed=1)

    Source: Hannun et al. 2014, "Deep Speech: scaling up end-to-end speech recognition", section 4.1, synthesis by
    superposition. Differs: they add recorded noise; here noise is computed, so that nothing has to be downloaded.
    """
    rng = np.random.default_rng(seed)
    speed, gain, ratio, slope = rng.random(4)
    if synthesis.speed:
        samples = resample(samples, 1 + synthesis.speed * (2 * speed - 1))
    if synthesis.gain:
        samples = change_gain(samples, synthesis.gain * (2 * gain - 1))
    if synthesis.snr:
        low, high = synthesis.snr
        samples = add_noise(samples, low + (high - low) * ratio, 2 * slope, rng)
    return np.asarray(samples, np.float32)


def join_clips(
    clips: list[np.ndarray],
    rate: int,
    seed: int,
    gap: tuple[float, float] = (0.03, 0.3),
    gain: float = 3.0,
) -> np.ndarray:
    """Single words -> a string of them, each at its own level, with pauses before, between and behind them.

    Pauses are not digital silence, which would tell a network where words end: they hold white noise at the level of
    the room, the least power of any 10 ms of the clips.

    Args:
        clips: of one speaker, (N_i,), -1..1.
        rate: samples a second.
        seed: not negative.
        gap: the shortest and the longest pause, in seconds, drawn evenly.
        gain: each word is louder or softer by up to so many dB.

    Returns:
        float32 (sum N_i + pauses,).
    """
    rng = np.random.default_rng(seed)
    size = max(round(_QUIET * rate), 1)
    levels = [np.square(clip[: len(clip) // size * size].reshape(-1, size)).mean(axis=1) for clip in clips]
    room = np.sqrt(min((float(level.min()) for level in levels if len(level)), default=0.0))

    def pause():
        return room * rng.normal(size=round(rng.uniform(*gap) * rate))

    parts = [pause()]
    for clip in clips:
        parts += [clip * 10 ** (gain * rng.uniform(-1, 1) / 20), pause()]
    return np.clip(np.concatenate(parts), -1, 1).astype(np.float32)
