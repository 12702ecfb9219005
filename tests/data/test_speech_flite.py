import shutil
import sys

import numpy as np
import pytest

from keras_seqgen.data.speech_flite import PITCHES, say_flite
from keras_seqgen.errors import UserError

PROGRAM = """#!{python}
import sys, wave
import numpy as np
open({told!r}, "w").write("\\n".join(sys.argv[1:]))
if sys.argv[sys.argv.index("-t") + 1] == "wrong":
    sys.exit("no such thing")
sound = np.zeros(16000, "<i2")
sound[4000:8000] = 10000 * np.sin(np.arange(4000))
with wave.open(sys.argv[sys.argv.index("-o") + 1], "wb") as file:
    file.setparams((1, 2, 16000, 16000, "NONE", ""))
    file.writeframes(sound.tobytes())
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A program called flite, and the file that tells what it was asked for."""
    program, path = tmp_path / "flite", tmp_path / "told"
    program.write_text(PROGRAM.format(python=sys.executable, told=str(path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_what_the_program_is_asked_for(told):
    sound = say_flite("seven", "slt", tempo=350, pitch=50, liveliness=20, rate=8000)
    words = told.read_text().split("\n")
    assert words[:-2] == [
        *("-voice", "slt", "--setf", "duration_stretch=0.500", "--setf", "int_f0_target_mean=165.000"),
        *("--setf", "int_f0_target_stddev=8.000", "-t", "seven"),
    ]
    assert sound.dtype == np.float32
    assert np.abs(sound).max() == 1
    assert len(sound) == pytest.approx(8000 * (0.25 + 2 * 0.005), abs=2)  # without the silence around it


def test_what_the_program_says_of_a_mistake_is_told(told):
    with pytest.raises(UserError, match="does not say 'wrong' with the voice slt: no such thing"):
        say_flite("wrong", "slt")


def test_without_the_program_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt install flite"):
        say_flite("one", "slt")


@pytest.mark.skipif(shutil.which("flite") is None, reason="Flite is not installed")
@pytest.mark.parametrize("voice", PITCHES)
def test_tempo_and_pitch(voice):
    slow, fast = (say_flite("seven", voice, tempo=tempo, rate=8000) for tempo in (100, 250))
    assert len(slow) > 1.8 * len(fast)
    low, high = (_period(say_flite("oh", voice, pitch=pitch, liveliness=0, rate=8000)) for pitch in (20, 80))
    assert low > 1.15 * high or voice == "rms"  # which keeps its own


def _period(sound):
    return np.correlate(sound, sound, "full")[len(sound) - 1 :][25:160].argmax() + 25
