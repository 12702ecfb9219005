"""Voices that nobody owns: words said by eSpeak NG, in many accents, timbres, tempi and pitches."""

import ctypes
import ctypes.util
import functools
import threading
from typing import Any

import numpy as np

from keras_seqgen.data.speech_synthesis import resample
from keras_seqgen.errors import UserError

# Their numbers have no common divisor: voice n is accent n mod 22 with timbre n mod 27, and 594 of them differ.
ACCENTS = (
    *("en-us", "de", "en", "fr", "en-gb-scotland", "hi", "en-gb-x-rp", "es", "en-029", "ru", "en-gb-x-gbcwmd", "nl"),
    *("en-us-nyc", "it", "en-gb-x-gbclan", "pl", "tr", "sv", "el", "pt", "hu", "fi"),
)
TIMBRES = (
    *("m1", "f1", "m2", "Andy", "m3", "f2", "m4", "Gene", "m5", "f3", "m6", "Mike", "m7", "f4", "m8", "Lee", "f5"),
    *("Michael", "max", "Denis", "caleb", "linda", "Marco", "Alex", "grandpa", "david", "klatt2"),
)  # fmt: skip
MOST = len(ACCENTS) * len(TIMBRES)
SLOWEST, FASTEST = 80, 450  # words a minute that eSpeak NG keeps to

_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000  # the callback has heard all when a call returns; an error is returned
_TEMPO, _PITCH, _RANGE = 1, 3, 4  # parameters
_UTF8, _FROM_CHARACTER = 1, 1
_AUDIBLE = 0.02  # of the peak: what is softer before and after a word is silence
_EDGE = 0.005  # seconds of it that stay
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_ONE_AT_A_TIME = threading.Lock()  # the library has one state


def voice_names(count: int) -> list[str]:
    """The first so many of eSpeak NG's voices, an accent and a timbre each, "en-us+m1" the first.

    An accent is English ("en...") or another language, whose voice says English that is spelled as that language would.

    Raises:
        ValueError: `count` is not in 1..`MOST`.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"there are 1..{MOST} voices. Received: count={count}")
    return [f"{ACCENTS[n % len(ACCENTS)]}+{TIMBRES[n % len(TIMBRES)]}" for n in range(count)]


def say(
    text: str, voice: str, tempo: int = 175, pitch: int = 50, liveliness: int = 50, rate: int = 16000
) -> np.ndarray:
    """A text as eSpeak NG says it, without the silence around it.

    Not the same to the sample each time: the library has a chance of its own, which no seed reaches.

    Args:
        text: what is said.
        voice: of `voice_names`, or any other that eSpeak NG has; for a timbre that it lacks it takes its own.
        tempo: words a minute, `SLOWEST`..`FASTEST`.
        pitch, liveliness: height of the voice and how much it moves, 0..99 each.
        rate: samples a second that are wanted.

    Returns:
        float32 (N,), -1..1, the peak at 1; (0,) where nothing is to be heard.

    Raises:
        UserError: eSpeak NG is not there, or has no such voice.

    Source: the eSpeak NG project, `speak_lib.h`; synthetic voices as training data of recognisers: Li, Gadde, Ginsburg
    and Lavrukhin 2018, "Training neural speech recognition systems with synthetic speech augmentation".
    """
    library, own_rate, heard = _library()
    with _ONE_AT_A_TIME:
        heard.clear()
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UserError(f"eSpeak NG has no voice {voice!r}")
        for parameter, value in ((_TEMPO, tempo), (_PITCH, pitch), (_RANGE, liveliness)):
            library.espeak_SetParameter(parameter, value, 0)
        said = text.encode()
        library.espeak_Synth(said, len(said) + 1, 0, _FROM_CHARACTER, 0, _UTF8, None, None)
        samples = np.concatenate([np.zeros(0, np.int16), *heard]) / np.float32(2**15)
    return trimmed(samples, own_rate, rate)


def trimmed(samples: np.ndarray, own_rate: int, rate: int) -> np.ndarray:
    """Sound without the silence at its ends, but 5 ms, at another number of samples a second and with its peak at 1."""
    loud = np.flatnonzero(np.abs(samples) > _AUDIBLE * np.abs(samples).max(initial=0))
    if not len(loud):
        return np.zeros(0, np.float32)
    edge = int(_EDGE * own_rate)
    samples = resample(samples[max(loud[0] - edge, 0) : loud[-1] + 1 + edge], own_rate / rate)
    return samples / np.abs(samples).max()


@functools.cache
def _library():
    """The library, its samples a second, and the list that its sound goes to, a block at a time."""
    data = None
    try:
        import espeakng_loader

        path, data = espeakng_loader.get_library_path(), str(espeakng_loader.get_data_path()).encode()
    except ImportError:
        path = ctypes.util.find_library("espeak-ng")
    if path is None:
        raise UserError("eSpeak NG is not installed: pip install 'keras-seqgen[voices]', or the system's libespeak-ng")
    library: Any = ctypes.CDLL(path)
    heard: list[np.ndarray] = []

    @_CALLBACK
    def hear(block, count, _):
        if block and count > 0:
            heard.append(np.ctypeslib.as_array(block, (count,)).copy())
        return 0

    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT)
    if rate <= 0:
        raise UserError(f"eSpeak NG does not start: {path} finds no data of its own. Install it anew.")
    library.espeak_SetSynthCallback(hear)
    library.callback = hear  # C holds no reference
    return library, rate, heard
