import ctypes.util
import sys
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from keras_seqgen.data import speech_voices
from keras_seqgen.data.speech_voices import MOST, TIMBRES, say, voice_names
from keras_seqgen.errors import UserError


def test_every_voice_is_another_and_is_there():
    names = voice_names(MOST)
    assert len(set(names)) == MOST == 594
    assert names[:3] == voice_names(3)
    assert set(TIMBRES) <= {path.name for path in Path(espeakng_loader.get_data_path()).glob("voices/!v/*")}
    for name in names[:27]:  # each timbre, and each accent
        assert len(say("one", name, tempo=300)) > 500, name


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_there_are_no_more_voices(count):
    with pytest.raises(ValueError, match=r"1\.\.594 voices"):
        voice_names(count)


def test_a_word_without_the_silence_around_it():
    sound = say("seven", "en-us+m1", rate=8000)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() == 1
    assert 0.2 < len(sound) / 8000 < 1
    for end in (sound[:80], sound[-80:]):  # 10 ms, of which 5 may be silent
        assert np.abs(end).max() > 0.015
    assert len(say("seven", "en-us+m1", rate=16000)) == pytest.approx(2 * len(sound), rel=0.1)


def test_tempo_and_pitch():
    slow, fast = (len(say("seven", "en-us+m1", tempo=tempo)) for tempo in (80, 300))
    assert slow > 2 * fast
    periods = []
    for pitch in (40, 90):
        sound = say("oh", "en-us+m1", pitch=pitch, liveliness=0, rate=8000)
        periods.append(np.correlate(sound, sound, "full")[len(sound) - 1 :][20:200].argmax() + 20)
    assert periods[0] > 1.3 * periods[1]


def test_nothing_said_is_nothing_heard():
    assert say("", "en-us+m1").shape == (0,)


def test_a_voice_that_is_none_is_named():
    with pytest.raises(UserError, match=r"no voice 'nobody\+m1'"):
        say("one", "nobody+m1")


def test_without_the_library_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    speech_voices._library.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'keras-seqgen\[voices\]'"):
        say("one", "en-us+m1")
