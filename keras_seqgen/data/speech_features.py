"""Sound -> log-mel frames for a recogniser, in NumPy; `serving.speech_tensors` is the same in TensorFlow."""

import functools
import io
import re
import wave
from dataclasses import dataclass

import numpy as np

from keras_seqgen.errors import UserError

WINDOW = 0.025  # seconds
HOP = 0.010  # seconds
LOWEST = 20.0  # Hz
FLOOR = 1e-6  # power below which a band is silent: less than the rounding of 16-bit samples in all of its bins
MELS = 40


@dataclass(frozen=True)
class SpeechForm:
    """How sound becomes frames: what a prepared folder and a model must have in common.

    rate: samples a second. mels: numbers in a frame.
    """

    rate: int = 8000
    mels: int = MELS

    def __post_init__(self):
        if self.rate < 1000 or self.mels < 1:
            raise ValueError(
                f"`rate` must be at least 1000, `mels` positive. Received: rate={self.rate}, mels={self.mels}"
            )

    @property
    def kind(self) -> str:
        """One word for it, such as "log-mel-8000": `kind` of a `FrameUnit`."""
        return f"log-mel-{self.rate}"

    @property
    def names(self) -> list[str]:
        """A name for each number of a frame, from the lowest band."""
        return [f"mel{band:02d}" for band in range(self.mels)]

    @classmethod
    def from_kind(cls, kind: str, mels: int) -> "SpeechForm":
        """The inverse of `kind`.

        Raises:
            ValueError: it is no kind of speech.
        """
        found = re.fullmatch(r"log-mel-(\d+)", kind)
        if not found:
            raise ValueError(f"`kind` must be of speech, such as 'log-mel-8000'. Received: kind={kind!r}")
        return cls(int(found[1]), mels)

    @property
    def window(self) -> int:
        """Samples of a frame."""
        return round(WINDOW * self.rate)

    @property
    def hop(self) -> int:
        """Samples from frame to frame."""
        return round(HOP * self.rate)

    @property
    def spectrum(self) -> int:
        """Length of the Fourier transform: the lowest bands are narrower than 1 / WINDOW, so it is at least twice
        the window."""
        return 1 << (2 * self.window - 1).bit_length()


def decode_wav(encoded: bytes) -> tuple[np.ndarray, int]:
    """A WAV file -> its samples and their rate.

    Args:
        encoded: RIFF WAVE with whole numbers (PCM) of 8, 16, 24 or 32 bits; several channels become their mean.

    Returns:
        float32 (N,) in -1..1, and samples a second.

    Raises:
        UserError: it is no such file, or it breaks off.
    """
    try:
        with wave.open(io.BytesIO(encoded)) as file:
            channels, width, rate, count = file.getparams()[:4]
            data = file.readframes(count)
    except (wave.Error, EOFError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise UserError(f"no WAV file of whole numbers (PCM): {str(error) or 'it breaks off'}") from error
    if width > 4:
        raise UserError(f"no WAV file of 8, 16, 24 or 32 bits: it has {8 * width}")
    if len(data) != count * channels * width:
        raise UserError(f"the file breaks off: {len(data)} of {count * channels * width} bytes are there")
    if width == 3:  # widened to 32 bits by a lowest byte of 0
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, width = padded.tobytes(), 4
    whole = np.frombuffer(data, {1: "u1", 2: "<i2", 4: "<i4"}[width]).astype(np.float64)
    samples = (whole - 128) / 128 if width == 1 else whole / 2.0 ** (8 * width - 1)
    return samples.reshape(-1, channels).mean(axis=1).astype(np.float32), rate


def mel(hertz):
    """Hz -> mel: m = 2595 log10(1 + f / 700)."""
    return 2595 * np.log10(1 + np.asarray(hertz, np.float64) / 700)


def hertz(mels):
    """mel -> Hz, the inverse of `mel`."""
    return 700 * (10 ** (np.asarray(mels, np.float64) / 2595) - 1)


@functools.lru_cache(maxsize=8)
def mel_filters(form: SpeechForm) -> np.ndarray:
    """Triangles over the bins of the spectrum, each 1 at its centre and 0 at its neighbours' centres.

    With mels + 2 edges e_0 .. e_{mels+1}, evenly spaced in mel from 20 Hz to half the rate:

        F_kb = max(0, min((m_k - e_b) / (e_{b+1} - e_b), (e_{b+2} - m_k) / (e_{b+2} - e_{b+1})))
        m_k  = mel(k rate / n)                              n of the Fourier transform

    Returns:
        float64 (n / 2 + 1, mels).
    """
    bins = mel(np.arange(form.spectrum // 2 + 1) * form.rate / form.spectrum)[:, None]
    edges = np.linspace(mel(LOWEST), mel(form.rate / 2), form.mels + 2)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def hann(size: int) -> np.ndarray:
    """The periodic Hann window: w_n = 1/2 - 1/2 cos(2 pi n / size)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def log_mel(samples: np.ndarray, form: SpeechForm) -> np.ndarray:
    """Samples -> frames of the energy in bands that are spaced as the ear has them.

        x_t  = samples[hop t : hop t + window] * hann            25 ms, every 10 ms
        P_t  = |FFT(x_t)|^2 / sum_n hann_n^2
        y_tb = log(sum_k P_tk F_kb + 10^-6)                       F of `mel_filters`

    Sound shorter than a window is filled up with silence; what is left over behind the last whole window is not used.

    Args:
        samples: (N,), -1..1, N >= 0, at `form.rate`.
        form: `SpeechForm`.

    Returns:
        float32 (T, mels), natural logarithms of power; T = 1 + (max(N, window) - window) // hop. A louder sound, by a
        factor of g, is higher by 2 log g in all bands.

    Example:

        >>> samples, rate = decode_wav(Path("seven.wav").read_bytes())
        >>> log_mel(samples, SpeechForm(rate)).shape
        (43, 40)

    Source: Davis and Mermelstein 1980, "Comparison of parametric representations", without the cosine transform;
    the mel scale is O'Shaughnessy 1987's, as in HTK. Differs from Deep Speech (Hannun et al. 2014, section 2), whose
    network sees the spectrogram itself: 40 bands carry what a small training set can use.
    """
    samples = np.asarray(samples, np.float64)
    samples = np.pad(samples, (0, max(form.window - len(samples), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, form.window)[:: form.hop]
    window = hann(form.window)
    power = np.square(np.abs(np.fft.rfft(frames * window, form.spectrum))) / np.square(window).sum()
    return np.log(power @ mel_filters(form) + FLOOR).astype(np.float32)
