"""What clients send to a recogniser, pen, print or speech, and how it becomes the frames that the network reads.

Each class has the same parts, so that `serving.recognition` serves any of them:

    system          the house's name for what it reads
    specs           the inputs of its signatures; the first dimension is the batch
    limits          what `model.json` tells of it besides
    about           a sentence for the model card
    read(*inputs)   frames (B, T, D) float32, not normalised; their numbers (B,) int32; the place of each in the input
                    (B, T); error (B,) strings. A row with an error has frames, too: they mean nothing.
"""

import tensorflow as tf

from keras_seqgen.data.ink_features import FEATURES, features_and_points
from keras_seqgen.data.line_images import LineForm
from keras_seqgen.data.speech_features import SpeechForm
from keras_seqgen.serving import ink_tensors, line_tensors, speech_tensors
from keras_seqgen.serving.picture_files import picture_size
from keras_seqgen.serving.row_errors import first_error

MAX_POINTS = 5_000  # of a line of ink
MAX_PIXELS = 2**22  # of a line's picture
MAX_ASPECT = 100  # width of a picture by its height: frames are at most 178 times as many (`line_images.LEAST_SPREAD`)
MAX_SECONDS = 60  # of an utterance
_LARGEST = 1e7  # a coordinate


def input_of(unit):
    """The input of a recogniser with the features of a `data.recognition_batches.FrameUnit`.

    Raises:
        ValueError: features that no system has.

    Example:

        >>> input_of(FrameUnit.load("prepared/digits/stats.json")).system
        'speech'
    """
    if unit.kind in FEATURES:
        return PenInput(unit.kind)
    if unit.kind.startswith("log-mel-"):
        return SpeechInput(SpeechForm.from_kind(unit.kind, len(unit.names)))
    return PrintInput(LineForm.from_kind(unit.kind, len(unit.names)))


class PenInput:
    """Points (B, N, 3) float32, rows of x, y (downward) and pen: 1 on the last point of a stroke, else 0; length (B,)
    int32, points of each row, 2 to MAX_POINTS. The place of a frame is the number of a point, int32."""

    system = "ink-recognition"
    specs = (
        tf.TensorSpec((None, None, 3), tf.float32, "points"),
        tf.TensorSpec((None,), tf.int32, "length"),
    )

    def __init__(self, kind: str):
        self._kind = kind
        self.limits = {"max_points": MAX_POINTS}
        size = "of any size" if kind == "preprocessed" else "in the unit of the training data"
        self.about = (
            f"Lines of ink {size} ({kind} features are computed inside). `begin`: the number of the point at which "
            "each character was first recognised."
        )

    def read(self, points, length):
        """See the module."""
        error = _ink_errors(points, length)
        good = error == ""
        # What is wrong is read as the shortest ink there is, and thrown away.
        points = tf.pad(points, [[0, 0], [0, 2], [0, 0]])
        length = tf.where(good, length, 2)
        points = tf.where(good[:, None, None], points, 0.0)
        width = len(FEATURES[self._kind])

        def one(row):
            ink, n = row
            steps = ink[1:n, :2] - ink[: n - 1, :2]
            pen = tf.cast(ink[1:n, 2:] > 0.5, tf.float32)
            features, places = features_and_points(tf.concat([steps, pen], axis=1), self._kind, ink_tensors)
            return tf.ensure_shape(tf.cast(features, tf.float32), [None, width]), tf.cast(places, tf.int32)

        kinds = _rows(tf.float32, width), _rows(tf.int32)
        frames, places = tf.map_fn(one, (points, length), fn_output_signature=kinds)
        return frames.to_tensor(), tf.cast(frames.row_lengths(), tf.int32), places.to_tensor(), error


class PrintInput:
    """Pictures of lines, (B,) strings, each a PNG or JPEG; one that is cut short fails the request. The place of a
    frame is a column of its picture, float32, in pixels from the left edge."""

    system = "text-lines"
    specs = (tf.TensorSpec((None,), tf.string, "image"),)

    def __init__(self, form: LineForm):
        self._form = form
        self.limits = {"max_pixels": MAX_PIXELS, "max_aspect": MAX_ASPECT}
        way = "right to left, the text in logical order" if form.right_to_left else "left to right"
        self.about = (
            f"Pictures of single lines, PNG or JPEG, of any size and either polarity; the writing runs {way}. `begin`: "
            "the column, in pixels from the left edge, at which each character was first recognised."
        )

    def read(self, image):
        """See the module."""
        size = tf.map_fn(picture_size, image, fn_output_signature=tf.TensorSpec((2,), tf.int32))
        error = _picture_errors(size)

        def one(row):
            encoded, message = row
            # What is wrong is read as a blank page, and thrown away.
            grey = tf.cond(message == "", lambda: line_tensors.decode_grey(encoded), lambda: tf.ones([1, 1]))
            frames = tf.ensure_shape(line_tensors.line_frames(grey, self._form), [None, self._form.height])
            wide, T = tf.cast(tf.shape(grey)[1], tf.float32), tf.cast(tf.shape(frames)[0], tf.float32)
            columns = (tf.range(T) + 0.5) * wide / T - 0.5
            return frames, wide - 1 - columns if self._form.right_to_left else columns

        kinds = _rows(tf.float32, self._form.height), _rows(tf.float32)
        frames, places = tf.map_fn(one, (image, error), fn_output_signature=kinds)
        return frames.to_tensor(), tf.cast(frames.row_lengths(), tf.int32), places.to_tensor(), error


class SpeechInput:
    """Utterances, (B,) strings, each a WAV file of 16-bit PCM at the model's rate; one that is cut short fails the
    request. The place of a frame is its beginning, float32, in seconds."""

    system = "speech"
    specs = (tf.TensorSpec((None,), tf.string, "wav"),)

    def __init__(self, form: SpeechForm):
        self._form = form
        self.limits = {"max_seconds": MAX_SECONDS, "rate": form.rate}
        self.about = (
            f"Utterances of at most {MAX_SECONDS} s, WAV files of 16-bit PCM at {form.rate} Hz; several channels "
            "become their mean. `begin`: the second at which each character was first recognised."
        )

    def read(self, wav):
        """See the module."""
        error = tf.map_fn(self._header_error, wav, fn_output_signature=tf.TensorSpec((), tf.string))

        def one(row):
            encoded, message = row
            # What is wrong is read as silence, and thrown away.
            samples = tf.cond(message == "", lambda: speech_tensors.decode_wav(encoded)[0], lambda: tf.zeros([0]))
            too_long = tf.shape(samples)[0] > MAX_SECONDS * self._form.rate
            return tf.ensure_shape(tf.cond(too_long, lambda: tf.zeros([0]), lambda: samples), [None]), too_long

        kinds = _rows(tf.float32), tf.TensorSpec((), tf.bool)
        sounds, too_long = tf.map_fn(one, (wav, error), fn_output_signature=kinds)
        error = first_error((error, True), (f"`wav` must last at most {MAX_SECONDS} s", too_long))
        length = tf.cast(sounds.row_lengths(), tf.int32)
        frames, count = speech_tensors.log_mel(sounds.to_tensor(), length, self._form)
        frames = tf.ensure_shape(frames, [None, None, self._form.mels])
        seconds = tf.range(tf.shape(frames)[1], dtype=tf.float32) * (self._form.hop / self._form.rate)
        return frames, count, tf.zeros_like(frames[..., 0]) + seconds, error

    def _header_error(self, encoded):
        """What is wrong with a file by its first 36 bytes: string scalar."""
        head = tf.strings.substr(tf.strings.join([encoded, b"\0" * 36]), 0, 36)
        place = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64)
        rate = tf.reduce_sum(place[24:28] * tf.constant([1, 1 << 8, 1 << 16, 1 << 24], tf.int64))
        riff = (tf.strings.substr(head, 0, 4) == b"RIFF") & (tf.strings.substr(head, 8, 8) == b"WAVEfmt ")
        plain = (place[20] == 1) & (place[21] == 0) & (place[34] == 16)
        told = tf.strings.join(
            [f"`wav` must have {self._form.rate} samples a second, not ", tf.strings.as_string(rate)]
        )
        return first_error(
            ("`wav` must be the bytes of a WAV file of 16-bit PCM", ~(riff & plain)),
            (told, rate != self._form.rate),
        )


def _rows(dtype, *inner):
    """What `tf.map_fn` makes ragged: tensors (n, *inner)."""
    return tf.RaggedTensorSpec((None, *inner), dtype, ragged_rank=0)


def _ink_errors(points, length):
    """(B,) strings."""
    N = tf.shape(points)[1]
    inside = tf.sequence_mask(length, N)[..., None]
    usable = tf.math.is_finite(points) & (tf.abs(points) <= _LARGEST)
    return first_error(
        ("`length` must be at least 2 and at most the number of points", (length < 2) | (length > N)),
        (f"a line must have at most {MAX_POINTS} points", length > MAX_POINTS),
        (f"`points` must be finite, within {_LARGEST:g}", ~tf.reduce_all(usable | ~inside, axis=[1, 2])),
    )


def _picture_errors(size):
    """(B, 2), heights and widths -> (B,) strings."""
    height, width = tf.unstack(tf.cast(size, tf.int64), axis=1)
    return first_error(
        ("`image` must be the bytes of a PNG or JPEG", height * width <= 0),
        (f"`image` must have at most {MAX_PIXELS} pixels", height * width > MAX_PIXELS),
        (f"`image` must be at most {MAX_ASPECT} times as wide as high", width > MAX_ASPECT * height),
    )
