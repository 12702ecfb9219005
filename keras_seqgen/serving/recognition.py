"""A network that reads ink as a SavedModel: points in, text out, features included.

By the conventions of TensorFlow Serving every input has the batch as its first dimension; a row's result depends on
that row alone. A row that cannot be read does not fail the batch: its `error` says why, and its text is empty.
"""

import json

import tensorflow as tf

from keras_seqgen.data.ink_features import features_and_points
from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.models.ctc_recogniser import time_stride
from keras_seqgen.serving import ink_tensors
from keras_seqgen.serving.row_errors import first_error
from keras_seqgen.serving.version_writer import module_of, write_version

MAX_POINTS = 5_000  # of a line
_LARGEST = 1e7  # a coordinate
_INPUTS = (
    tf.TensorSpec((None, None, 3), tf.float32, "points"),
    tf.TensorSpec((None,), tf.int32, "length"),
)


class RecognitionSignatures:
    """The signatures of a recogniser of ink, as `tf.function`s of raw points.

    Args:
        model: of `models.ctc_recogniser`.
        vocabulary: `data.vocabulary.Vocabulary` of characters.
        unit: `data.recognition_batches.FrameUnit` of the training data.
        max_points: of a line; a longer one is an error.
    """

    def __init__(self, model, vocabulary, unit, max_points=MAX_POINTS):
        self._model, self._unit, self._max_points = model, unit, max_points
        self._stride = time_stride(model)
        width = len(unit.names)
        kinds = tf.TensorSpec((None, None, width), tf.float32, "frames"), tf.TensorSpec((None,), tf.int32, "length")
        self.recognise_frames = tf.function(self._recognise_frames, input_signature=kinds, autograph=False)
        self._tokens = tf.constant(["", *vocabulary.tokens])

    def trace(self):
        """A `tf.Module`, and a dict name -> concrete function, for `write_version`; `recognise` is the default."""
        functions = {
            "recognise": self.recognise.get_concrete_function(),
            "logits": self.logits.get_concrete_function(),
            "recognise_frames": self.recognise_frames.get_concrete_function(),
        }
        return module_of(functions.values()), {"serving_default": functions["recognise"], **functions}

    @tf.function(input_signature=_INPUTS, autograph=False)
    def recognise(self, points, length):
        """Read lines by the network's best path.

        Args:
            points: (B, N, 3) float32, rows of x, y (downward) and pen: 1 on the last point of a stroke, else 0.
            length: (B,) int32, points of each row; 2 to max_points.

        Returns:
            text (B,) strings; confidence (B,) float32, the geometric mean of the characters' probabilities; characters
            (B,) int32, their number; begin (B, U) int32, the number of the point at which each character was first
            recognised, and probability (B, U) float32, zeros behind a row's last; error (B,) strings.
        """
        logits, frames, places, error = self._read(points, length)
        reading = best_path(logits, frames)
        inside = tf.sequence_mask(reading.lengths, tf.shape(reading.ids)[1])
        begin = tf.gather(places, tf.minimum(reading.frames, tf.maximum(tf.shape(places)[1] - 1, 0)), batch_dims=1)
        return {
            "text": self._text(reading.ids),
            "confidence": reading.confidence,
            "characters": reading.lengths,
            "begin": tf.where(inside, begin, 0),
            "probability": tf.where(inside, reading.probabilities, 0.0),
            "error": error,
        }

    @tf.function(input_signature=_INPUTS, autograph=False)
    def logits(self, points, length):
        """What a beam search with a language model needs.

        Args:
            points, length: as for `recognise`.

        Returns:
            logits (B, T, C + 1) float32 of the blank and the characters; frames (B,) int32, how many of the T count;
            point (B, T) int32, where in the ink each frame is; error (B,) strings.
        """
        logits, frames, places, error = self._read(points, length)
        return {"logits": logits, "frames": frames, "point": places, "error": error}

    def _recognise_frames(self, frames, length):
        """Read features that a pipeline has computed, for an evaluation on prepared data.

        Args:
            frames: (B, T, D) float32, not normalised. length: (B,) int32.

        Returns:
            text (B,) strings and confidence (B,) float32.
        """
        length = tf.clip_by_value(length, 0, tf.shape(frames)[1])
        logits = self._model({"frames": self._unit.normalise(frames), "length": length}, training=False)
        reading = best_path(logits, -(-length // self._stride))
        return {"text": self._text(reading.ids), "confidence": reading.confidence}

    def _text(self, ids):
        return tf.strings.reduce_join(tf.gather(self._tokens, ids), axis=1)

    def _read(self, points, length):
        """logits (B, T, C + 1), frames (B,), places (B, T) and error (B,); a row with an error has no frames."""
        error = self._errors(points, length)
        good = error == ""
        # What is wrong is read as the shortest ink there is, and thrown away.
        points = tf.pad(points, [[0, 0], [0, 2], [0, 0]])
        length = tf.where(good, length, 2)
        points = tf.where(good[:, None, None], points, 0.0)

        def one(row):
            ink, n = row
            steps = ink[1:n, :2] - ink[: n - 1, :2]
            pen = tf.cast(ink[1:n, 2:] > 0.5, tf.float32)
            features, places = features_and_points(tf.concat([steps, pen], axis=1), self._unit.kind, ink_tensors)
            features = self._unit.normalise(tf.cast(features, tf.float32))
            return tf.ensure_shape(features, [None, len(self._unit.names)]), tf.cast(places, tf.int32)

        specs = (
            tf.RaggedTensorSpec((None, len(self._unit.names)), tf.float32, ragged_rank=0),
            tf.RaggedTensorSpec((None,), tf.int32, ragged_rank=0),
        )
        ragged, places = tf.map_fn(one, (points, length), fn_output_signature=specs)
        frames = tf.cast(ragged.row_lengths(), tf.int32)
        logits = self._model({"frames": ragged.to_tensor(), "length": frames}, training=False)
        kept = tf.where(good, -(-frames // self._stride), 0)
        return logits, kept, places.to_tensor()[:, :: self._stride], error

    def _errors(self, points, length):
        """(B,) strings."""
        N = tf.shape(points)[1]
        inside = tf.sequence_mask(length, N)[..., None]
        usable = tf.math.is_finite(points) & (tf.abs(points) <= _LARGEST)
        return first_error(
            ("`length` must be at least 2 and at most the number of points", (length < 2) | (length > N)),
            (f"a line must have at most {self._max_points} points", length > self._max_points),
            (f"`points` must be finite, within {_LARGEST:g}", ~tf.reduce_all(usable | ~inside, axis=[1, 2])),
        )


def export_ink_recognition(model, vocabulary, unit, folder, card, max_points=MAX_POINTS):
    """Write the next version of a SavedModel that reads ink (`version_writer.write_version`).

    Args:
        model: of `models.ctc_recogniser`, trained.
        vocabulary: `data.vocabulary.Vocabulary` of characters.
        unit: `data.recognition_batches.FrameUnit` of the training data.
        folder: `saved_models/NAME`; made if it does not exist.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.
        max_points: of a line.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: the card is empty, or the model knows another number of characters.
    """
    if model.output.shape[-1] != len(vocabulary) + 1:
        raise ValueError(
            f"`vocabulary` must have {model.output.shape[-1] - 1} characters, as the model. Received: {len(vocabulary)}"
        )
    module, signatures = RecognitionSignatures(model, vocabulary, unit, max_points).trace()
    description = {"system": "ink-recognition", "features": unit.kind, "max_points": max_points}
    if card.strip():
        alphabet = "".join(vocabulary.tokens)
        scale = "of any size" if unit.kind == "preprocessed" else "in the unit of the training data"
        card = (
            f"{card.rstrip()}\n\n## Input\n\nLines of ink {scale} ({unit.kind} features are computed inside).\n\n"
            f"## Alphabet\n\n{len(vocabulary)} characters:\n\n```text\n{alphabet}\n```\n"
        )
    extra = {"model.json": json.dumps(description, indent=1) + "\n", "vocabulary.json": vocabulary.to_json()}
    return write_version(folder, module, signatures, card, extra)
