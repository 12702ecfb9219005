"""A detector of Arabic script as a SavedModel: pictures of lines in, segments with their scripts out."""

import json

import tensorflow as tf

from keras_seqgen.data.line_images import LineForm
from keras_seqgen.data.script_classes import BACKGROUND, CLASSES
from keras_seqgen.decoding.viterbi import change_cost, viterbi
from keras_seqgen.models.ctc_recogniser import time_stride
from keras_seqgen.serving.recognition_inputs import PrintInput
from keras_seqgen.serving.version_writer import module_of, write_version


class ScriptSignatures:
    """The signatures of a detector, as `tf.function`s.

    Args:
        model: of `models.frame_labeller`, with the classes of `data.script_classes`.
        unit: `data.recognition_batches.FrameUnit` of the training data.
        costs: nats that a change of class costs, and one to or from background (`decoding.viterbi.change_cost`).

    Attributes:
        description: for `model.json`.

    Raises:
        ValueError: the model has other classes, the features are no picture's, or run from right to left.
    """

    def __init__(self, model, unit, costs):
        if model.output.shape[-1] != len(CLASSES):
            raise ValueError(f"`model` must have {len(CLASSES)} classes. Received: {model.output.shape[-1]}")
        form = LineForm.from_kind(unit.kind, len(unit.names))
        if form.right_to_left:
            raise ValueError(f"`unit` must be of frames from left to right. Received: kind={unit.kind}")
        self._model, self._unit = model, unit
        self._input = PrintInput(form)
        self._stride = time_stride(model)
        self.description = {"features": unit.kind, "stride": self._stride, "costs": list(costs), **self._input.limits}
        self._transition = change_cost(len(CLASSES), *costs)
        frames = tf.TensorSpec((None, None, form.height), tf.float32, "frames")
        length = tf.TensorSpec((None,), tf.int32, "length")
        self.detect = tf.function(self._detect, input_signature=self._input.specs, autograph=False)
        self.label_frames = tf.function(self._label_frames, input_signature=(frames, length), autograph=False)

    def trace(self):
        """A `tf.Module`, and a dict name -> concrete function, for `write_version`; `detect` is the default."""
        functions = {
            "detect": self.detect.get_concrete_function(),
            "label_frames": self.label_frames.get_concrete_function(),
        }
        return module_of(functions.values()), {"serving_default": functions["detect"], **functions}

    def _detect(self, image):
        """Find the segments of lines.

        Args:
            image: (B,) strings, each a PNG or JPEG of a line.

        Returns:
            segments (B,) int32, their number; begin and end (B, S) float32, columns of the picture in pixels from its
            left edge; label (B, S) strings, the classes' names; confidence (B, S) float32, the mean probability of the
            class over the segment's frames; zeros and "" behind a row's last; error (B,) strings.
        """
        frames, length, places, error = self._input.read(image)
        length = tf.where(error == "", length, 0)
        log_prob, path = self._labelled(frames, length)
        number, first, last, names, sure = _segments(path, log_prob)
        # A frame's place is the middle of the columns that it shows.
        columns = 2 * (tf.reduce_max(places[:, :1], axis=1) + 0.5)
        begin = tf.cast(first * self._stride, tf.float32) * columns[:, None]
        end = tf.cast(tf.minimum(last * self._stride, length[:, None]), tf.float32) * columns[:, None]
        return {
            "segments": number,
            "begin": begin,
            "end": end,
            "label": tf.gather(tf.constant(["", *CLASSES[1:]]), names),
            "confidence": sure,
            "error": error,
        }

    def _label_frames(self, frames, length):
        """The classes of frames that a pipeline has computed, for an evaluation on prepared data.

        Args:
            frames: (B, T, D) float32, not normalised. length: (B,) int32.

        Returns:
            log_prob (B, T', K) float32; label (B, T') int32, smoothed, 0 behind a row's end; T' = ceil(T / stride).
        """
        log_prob, path = self._labelled(frames, tf.clip_by_value(length, 0, tf.shape(frames)[1]))
        return {"log_prob": log_prob, "label": path}

    def _labelled(self, frames, length):
        logits = self._model({"frames": self._unit.normalise(frames), "length": length}, training=False)
        log_prob = tf.nn.log_softmax(logits)
        return log_prob, viterbi(log_prob, -(-length // self._stride), self._transition)


def _segments(path, log_prob):
    """Runs of one class, without those of the background.

    Args:
        path: (B, T) int32, background behind a row's end. log_prob: (B, T, K).

    Returns:
        number (B,); first, last + 1, class (B, S) int32 and mean probability (B, S), zeros behind a row's last.
    """
    around = tf.pad(path, [[0, 0], [1, 1]], constant_values=BACKGROUND)
    inked = path != BACKGROUND
    B = tf.shape(path)[0]

    def places(marks):
        found = tf.cast(tf.where(marks), tf.int32)
        return tf.RaggedTensor.from_value_rowids(found[:, 1], found[:, 0], nrows=B).to_tensor()

    begins = inked & (path != around[:, :-2])
    first, last = places(begins), places(inked & (path != around[:, 2:]))
    number = tf.reduce_sum(tf.cast(begins, tf.int32), axis=1)
    there = tf.sequence_mask(number, tf.shape(first)[1])
    last = tf.where(there, last + 1, 0)
    names = tf.where(there, tf.gather(around[:, 1:], first, batch_dims=1), 0)
    # In float64: in float32 the last segments of a long line would get what is lost of a sum of thousands.
    probability = tf.cast(tf.exp(tf.gather(log_prob, path, batch_dims=2)), tf.float64)
    sums = tf.pad(tf.cumsum(probability, axis=1), [[0, 0], [1, 0]])
    total = tf.gather(sums, last, batch_dims=1) - tf.gather(sums, first, batch_dims=1)
    mean = tf.math.divide_no_nan(total, tf.cast(last - first, tf.float64))
    return number, first, last, names, tf.cast(mean, tf.float32)


def export_detector(model, unit, costs, folder, card):
    """Write the next version of a SavedModel that detects scripts (`version_writer.write_version`).

    Args:
        model: of `models.frame_labeller`, trained.
        unit: `data.recognition_batches.FrameUnit` of the training data.
        costs: nats that a change of class costs, and one to or from background.
        folder: `saved_models/NAME`; made if it does not exist.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: the card is empty, or as for `ScriptSignatures`.
    """
    signatures = ScriptSignatures(model, unit, costs)
    module, functions = signatures.trace()
    description = {"system": "script-detection", "classes": CLASSES, **signatures.description}
    if card.strip():
        card = (
            f"{card.rstrip()}\n\n## Input and output\n\nPictures of single lines, PNG or JPEG, of any size and either "
            f"polarity. `label`: {', '.join(CLASSES[1:])}; what is in no segment is background. `begin` and `end`: "
            f"columns in pixels from the left edge. A change of class costs {costs[0]:g} nats, one to or from "
            f"background {costs[1]:g}.\n"
        )
    extra = {"model.json": json.dumps(description, indent=1) + "\n"}
    return write_version(folder, module, functions, card, extra)
