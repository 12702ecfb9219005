"""The features of speech in TensorFlow are those in NumPy."""

import io
import wave

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data import speech_features
from keras_seqgen.data.speech_features import SpeechForm
from keras_seqgen.serving import speech_tensors


def sounds(counts, seed=0):
    """Loud tones over faint noise, whose weak bands show rounding first."""
    rng = np.random.default_rng(seed)
    for count in counts:
        time = np.arange(count) / 8000
        tone = 0.9 * np.sin(2 * np.pi * rng.uniform(100, 3000) * time)
        yield (tone + 10 ** rng.uniform(-6, -2) * rng.normal(size=count)).astype(np.float32)


@pytest.mark.parametrize("form", [SpeechForm(), SpeechForm(16000, 80), SpeechForm(11025, 23)], ids=lambda f: f.kind)
def test_a_batch_is_its_rows_alone(form):
    counts = [3000, 0, 1, form.window, form.window + form.hop, 2999, 5123]
    rows = list(sounds(counts))
    padded = np.full((len(rows), max(counts)), 7.0, np.float32)  # what is behind a row's samples is not looked at
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    run = tf.function(lambda samples, length: speech_tensors.log_mel(samples, length, form))
    frames, count = run(padded, np.array(counts, np.int32))
    assert frames.dtype == tf.float32
    for row, got, n in zip(rows, frames.numpy(), count.numpy(), strict=True):
        expected = speech_features.log_mel(row, form)
        assert n == len(expected)
        np.testing.assert_allclose(got[:n], expected, rtol=0, atol=2e-6)  # one rounding to float32
        assert not got[n:].any()


def test_a_batch_of_short_sounds():
    frames, count = speech_tensors.log_mel(np.zeros((2, 5), np.float32), np.array([5, 0]), SpeechForm())
    assert frames.shape == (2, 1, 40)
    assert count.numpy().tolist() == [1, 1]
    np.testing.assert_allclose(frames, np.log(speech_features.FLOOR), rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_is_read_alike(channels):
    samples = (next(sounds([4000 * channels])) * 30000).astype("<i2")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())
    expected, rate = speech_features.decode_wav(stream.getvalue())
    got, got_rate = tf.function(speech_tensors.decode_wav)(tf.constant(stream.getvalue()))
    assert got_rate == rate == 16000
    np.testing.assert_allclose(got, expected, atol=1e-7)
    with pytest.raises(tf.errors.InvalidArgumentError):
        speech_tensors.decode_wav(tf.constant(b"no sound"))
