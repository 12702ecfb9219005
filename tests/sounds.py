"""WAV files made in memory."""

import io
import wave


def wav_file(samples, rate, channels=1):
    """The bytes of a WAV file of 16-bit samples, those of the channels in turn."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return stream.getvalue()
