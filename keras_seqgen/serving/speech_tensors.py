"""`data.speech_features` in TensorFlow, for exported models: a batch of sounds at once."""

import tensorflow as tf

from keras_seqgen.data.speech_features import FLOOR, SpeechForm, hann, mel_filters


def decode_wav(encoded):
    """A WAV file -> its samples and their rate, in the graph.

    Args:
        encoded: string scalar: RIFF WAVE of 16-bit PCM, the one kind that the operation reads; several channels become
            their mean.

    Returns:
        float32 (N,) in -1..1; int32 scalar, samples a second.

    Raises:
        InvalidArgumentError: it is no such file.
    """
    audio, rate = tf.audio.decode_wav(encoded)
    return tf.reduce_mean(audio, axis=1), rate


def frame_counts(length, form: SpeechForm):
    """Frames of sounds with so many samples, int32 (B,): 1 + (max(N, window) - window) // hop."""
    return 1 + (tf.maximum(tf.cast(length, tf.int32), form.window) - form.window) // form.hop


def log_mel(samples, length, form: SpeechForm):
    """Samples -> log-mel frames, by the equations of `data.speech_features.log_mel`, in float64 as there.

    Args:
        samples: float32 (B, N), -1..1, at `form.rate`.
        length: int32 (B,), samples of each row; what is behind them is not looked at.
        form: `SpeechForm`.

    Returns:
        frames: float32 (B, T, mels), 0 behind a row's last; frame counts: int32 (B,).

    Example:

        >>> samples, rate = decode_wav(tf.io.read_file("seven.wav"))
        >>> frames, count = log_mel(samples[None], tf.shape(samples), SpeechForm(8000))
    """
    samples = tf.cast(samples, tf.float64)
    samples *= tf.sequence_mask(length, tf.shape(samples)[1], tf.float64)
    short = tf.maximum(form.window - tf.shape(samples)[1], 0)
    samples = tf.pad(samples, [[0, 0], [0, short]])
    window = hann(form.window)
    frames = tf.signal.frame(samples, form.window, form.hop) * window
    power = tf.square(tf.abs(tf.signal.rfft(frames, [form.spectrum]))) / (window**2).sum()
    bands = tf.math.log(tf.tensordot(power, tf.constant(mel_filters(form)), 1) + FLOOR)
    count = frame_counts(length, form)
    inside = tf.sequence_mask(count, tf.shape(bands)[1], tf.float32)
    return tf.cast(bands, tf.float32) * inside[..., None], count
