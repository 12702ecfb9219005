"""Sound to log-mel frames: the equations, and every kind of WAV file."""

import io
import struct
import wave

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal
from scipy.io import wavfile

from keras_seqgen.data.speech_features import (
    FLOOR,
    SpeechForm,
    decode_wav,
    hann,
    log_mel,
    mel,
    mel_filters,
)
from keras_seqgen.errors import UserError

RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def wav(samples, rate=8000, width=2, channels=1):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples)
    return stream.getvalue()


def sound(count=4000, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(count) / 8000
    return 0.3 * np.sin(2 * np.pi * (300 + 900 * time) * time) + 0.02 * rng.normal(size=count)


def test_frames_are_the_equations_term_by_term():
    form = SpeechForm(8000, 23)
    x = sound(1000)
    frames = log_mel(x, form)
    assert frames.shape == (1 + (1000 - 200) // 80, 23)
    assert frames.dtype == np.float32
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    edges = np.linspace(mel(20.0), mel(4000.0), 25)
    for t in (0, 4, 10):
        n = np.arange(200)
        for band in (0, 9, 22):
            energy = 0.0
            for k in range(257):
                bin_power = np.abs(np.sum(x[80 * t + n] * window * np.exp(-2j * np.pi * k * n / 512))) ** 2
                m = 2595 * np.log10(1 + k * 8000 / 512 / 700)
                low, middle, high = edges[band : band + 3]
                weight = max(0.0, min((m - low) / (middle - low), (high - m) / (high - middle)))
                energy += weight * bin_power / np.sum(window**2)
            assert abs(frames[t, band] - np.log(energy + 1e-6)) < 1e-5


@pytest.mark.parametrize("rate", RATES)
def test_filters_are_tensorflows_and_none_is_empty(rate):
    form = SpeechForm(rate)
    bins = form.spectrum // 2 + 1
    expected = tf.signal.linear_to_mel_weight_matrix(form.mels, bins, rate, 20.0, rate / 2, tf.float64)
    np.testing.assert_allclose(mel_filters(form), expected, atol=1e-6)
    assert ((mel_filters(form) > 0).sum(axis=0) >= 2).all()
    assert form.spectrum >= 2 * form.window


def test_the_window_is_scipys():
    np.testing.assert_allclose(hann(200), signal.get_window("hann", 200), atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 199, 200, 279, 280, 281, 8000])
def test_the_number_of_frames(count):
    frames = log_mel(sound(count), SpeechForm())
    assert frames.shape == (1 + (max(count, 200) - 200) // 80, 40)
    assert np.isfinite(frames).all()


def test_a_tone_is_in_its_band_and_a_louder_one_higher_by_the_logarithm():
    form = SpeechForm()
    time = np.arange(4000) / 8000
    for hertz in (200.0, 1000.0, 3000.0):
        tone = 0.1 * np.sin(2 * np.pi * hertz * time)
        frames = log_mel(tone, form)
        edges = np.linspace(mel(20.0), mel(4000.0), 42)
        nearest = np.argmin(np.abs(edges[1:-1] - mel(hertz)))
        assert abs(int(frames.mean(axis=0).argmax()) - int(nearest)) <= 1
        louder = log_mel(3 * tone, form)[:, nearest] - frames[:, nearest]
        np.testing.assert_allclose(louder, 2 * np.log(3), atol=1e-3)
    assert (log_mel(np.zeros(1000), form) == np.float32(np.log(FLOOR))).all()


def test_frames_look_at_their_own_samples_alone():
    x = sound()
    changed = x.copy()
    changed[1000:1010] = 0
    moved = np.abs(log_mel(x, SpeechForm()) - log_mel(changed, SpeechForm())).max(axis=1) > 0
    first, last = np.flatnonzero(moved)[[0, -1]]
    assert first >= (1000 - 200) // 80
    assert last <= 1010 // 80


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_width_and_channel(width, channels):
    x = sound(300)
    levels = np.rint(x * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if channels == 2:
        levels = np.stack([levels, -levels // 2], axis=1).ravel()
    stored = levels + 128 if width == 1 else levels
    data = b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in stored)
    samples, rate = decode_wav(wav(data, 11025, width, channels))
    assert rate == 11025
    assert samples.dtype == np.float32
    expected = levels.reshape(-1, channels).mean(axis=1) / 2 ** (8 * width - 1)
    np.testing.assert_allclose(samples, expected, atol=1e-7)
    if width > 1 and channels == 1:
        theirs = wavfile.read(io.BytesIO(wav(data, 11025, width)))[1]
        np.testing.assert_allclose(samples, theirs / 2.0 ** (32 if width == 3 else 8 * width) * 2, atol=1e-7)


def test_broken_files_are_the_users_mistake():
    good = wav((sound(300) * 32767).astype("<i2").tobytes())
    floats = io.BytesIO()
    wavfile.write(floats, 8000, sound(300).astype(np.float32))
    for broken in (b"", b"RIFF", b"no sound", good[:40], good[:-7], floats.getvalue(), good.replace(b"fmt ", b"fmx ")):
        with pytest.raises(UserError, match=r"no WAV file|breaks off"):
            decode_wav(broken)
    headless = bytearray(good)
    headless[22:24] = struct.pack("<H", 0)  # no channel
    with pytest.raises(UserError):
        decode_wav(bytes(headless))
    assert len(decode_wav(wav(b""))[0]) == 0


def test_samples_wider_than_32_bits_are_the_users_mistake():
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 4, 8000, 0, "NONE", ""))
        file.writeframes(bytes(80))
    data = bytearray(stream.getvalue())
    data[32:36] = struct.pack("<HH", 8, 64)  # block size, bits
    with pytest.raises(UserError, match="it has 64"):
        decode_wav(bytes(data))


def test_a_form_and_its_kind():
    for form in (SpeechForm(), SpeechForm(16000, 80)):
        assert SpeechForm.from_kind(form.kind, form.mels) == form
        assert len(set(form.names)) == form.mels
    assert (SpeechForm(16000).window, SpeechForm(16000).hop, SpeechForm(16000).spectrum) == (400, 160, 1024)
    for wrong in ("raw", "log-mel-", "log-mel-8k"):
        with pytest.raises(ValueError, match="`kind` must be of speech"):
            SpeechForm.from_kind(wrong, 40)
    with pytest.raises(ValueError, match="`rate` must be"):
        SpeechForm(0)
