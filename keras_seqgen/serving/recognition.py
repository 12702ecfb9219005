"""A network that reads as a SavedModel: points of a pen, pictures of print or sound in, text out, features included.

By the conventions of TensorFlow Serving every input has the batch as its first dimension; a row's result depends on
that row alone. A row that cannot be read does not fail the batch: its `error` says why, and its text is empty.
`serving.recognition_inputs` has the inputs of each system.
"""

import json

import tensorflow as tf

from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.models.ctc_recogniser import time_stride
from keras_seqgen.serving.recognition_inputs import input_of
from keras_seqgen.serving.version_writer import module_of, write_version


class RecognitionSignatures:
    """The signatures of a recogniser, as `tf.function`s of raw inputs.

    Args:
        model: of `models.ctc_recogniser`.
        vocabulary: `data.vocabulary.Vocabulary` of characters.
        unit: `data.recognition_batches.FrameUnit` of the training data: its kind tells the system.

    Raises:
        ValueError: features that no system has.
    """

    def __init__(self, model, vocabulary, unit):
        self._model, self._unit, self._input = model, unit, input_of(unit)
        self._stride = time_stride(model)
        self._tokens = tf.constant(["", *vocabulary.tokens])
        specs = self._input.specs
        width = len(unit.names)
        kinds = tf.TensorSpec((None, None, width), tf.float32, "frames"), tf.TensorSpec((None,), tf.int32, "length")
        self.recognise = tf.function(self._recognise, input_signature=specs, autograph=False)
        self.logits = tf.function(self._logits, input_signature=specs, autograph=False)
        self.recognise_frames = tf.function(self._recognise_frames, input_signature=kinds, autograph=False)

    def trace(self):
        """A `tf.Module`, and a dict name -> concrete function, for `write_version`; `recognise` is the default."""
        functions = {
            "recognise": self.recognise.get_concrete_function(),
            "logits": self.logits.get_concrete_function(),
            "recognise_frames": self.recognise_frames.get_concrete_function(),
        }
        return module_of(functions.values()), {"serving_default": functions["recognise"], **functions}

    def _recognise(self, *inputs):
        """Read by the network's best path.

        Args:
            inputs: of the system, as `serving.recognition_inputs` has them.

        Returns:
            text (B,) strings; confidence (B,) float32, the geometric mean of the characters' probabilities; characters
            (B,) int32, their number; begin (B, U), the place in the input at which each character was first recognised
            (a point's number, a pixel's column, seconds), and probability (B, U) float32, zeros behind a row's last;
            error (B,) strings.
        """
        logits, frames, places, error = self._read(inputs)
        reading = best_path(logits, frames)
        inside = tf.sequence_mask(reading.lengths, tf.shape(reading.ids)[1])
        begin = tf.gather(places, tf.minimum(reading.frames, tf.maximum(tf.shape(places)[1] - 1, 0)), batch_dims=1)
        return {
            "text": self._text(reading.ids),
            "confidence": reading.confidence,
            "characters": reading.lengths,
            "begin": tf.where(inside, begin, tf.zeros_like(begin)),
            "probability": tf.where(inside, reading.probabilities, 0.0),
            "error": error,
        }

    def _logits(self, *inputs):
        """What a beam search with a language model needs.

        Args:
            inputs: as for `recognise`.

        Returns:
            logits (B, T, C + 1) float32 of the blank and the characters; frames (B,) int32, how many of the T count;
            place (B, T), where in the input each frame is; error (B,) strings.
        """
        logits, frames, places, error = self._read(inputs)
        return {"logits": logits, "frames": frames, "place": places, "error": error}

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

    def _read(self, inputs):
        """logits (B, T, C + 1), frames (B,), places (B, T) and error (B,); a row with an error has no frames."""
        frames, length, places, error = self._input.read(*inputs)
        logits = self._model({"frames": self._unit.normalise(frames), "length": length}, training=False)
        kept = tf.where(error == "", -(-length // self._stride), 0)
        return logits, kept, places[:, :: self._stride], error


def export_recogniser(model, vocabulary, unit, folder, card):
    """Write the next version of a SavedModel that reads (`version_writer.write_version`).

    Args:
        model: of `models.ctc_recogniser`, trained.
        vocabulary: `data.vocabulary.Vocabulary` of characters.
        unit: `data.recognition_batches.FrameUnit` of the training data.
        folder: `saved_models/NAME`; made if it does not exist.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: the card is empty, the model knows another number of characters, or no system has such features.
    """
    if model.output.shape[-1] != len(vocabulary) + 1:
        raise ValueError(
            f"`vocabulary` must have {model.output.shape[-1] - 1} characters, as the model. Received: {len(vocabulary)}"
        )
    reads = input_of(unit)
    module, signatures = RecognitionSignatures(model, vocabulary, unit).trace()
    description = {"system": reads.system, "features": unit.kind, **reads.limits}
    if card.strip():
        card = (
            f"{card.rstrip()}\n\n## Input\n\n{reads.about}\n\n"
            f"## Alphabet\n\n{len(vocabulary)} characters:\n\n```text\n{''.join(vocabulary.tokens)}\n```\n"
        )
    extra = {"model.json": json.dumps(description, indent=1) + "\n", "vocabulary.json": vocabulary.to_json()}
    return write_version(folder, module, signatures, card, extra)
