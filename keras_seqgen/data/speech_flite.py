"""The voices of Flite, made of recordings of people: fewer than eSpeak NG's, and nearer to speech."""

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from keras_seqgen.data.speech_voices import trimmed
from keras_seqgen.errors import UserError

PITCHES = {"awb": 118, "kal16": 105, "rms": 95, "slt": 165}  # Hz: a Scot and three Americans, the last a woman
_TEMPO = 175  # words a minute where durations are left as they are


def say_flite(
    text: str, voice: str, tempo: int = _TEMPO, pitch: int = 50, liveliness: int = 50, rate: int = 16000
) -> np.ndarray:
    """An English text as Flite says it, without the silence around it.

    Args:
        text: what is said.
        voice: of `PITCHES`.
        tempo, pitch, liveliness, rate: as of `speech_voices.say`; the pitch is that of the voice times
            exp((pitch - 50) / 160), its deviation 0.4 Hz x liveliness. "rms" keeps its own pitch.

    Returns:
        float32 (N,), -1..1, the peak at 1; (0,) where nothing is to be heard.

    Raises:
        UserError: Flite is not there, or it fails.

    Source: Black and Lenzo 2001, "Flite: a small fast run-time synthesis engine".
    """
    if (program := shutil.which("flite")) is None:
        raise UserError(
            "Flite is not installed: the package `flite` of the system (apt install flite, brew install flite)"
        )
    settings = {
        "duration_stretch": _TEMPO / tempo,
        "int_f0_target_mean": PITCHES[voice] * np.exp((pitch - 50) / 160),
        "int_f0_target_stddev": 0.4 * liveliness,
    }
    options = [word for name, value in settings.items() for word in ("--setf", f"{name}={value:.3f}")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = [program, "-voice", voice, *options, "-t", text, "-o", str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode or not path.exists():
            raise UserError(f"{program} does not say {text!r} with the voice {voice}: {done.stderr.strip()}")
        with wave.open(str(path)) as file:
            own_rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / np.float32(2**15)
    return trimmed(samples, own_rate, rate)
