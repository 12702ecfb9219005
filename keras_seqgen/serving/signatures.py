"""What a served handwriting model can be asked: `generate`, `generate_primed`, `score` and `step`.

By the conventions of TensorFlow Serving every input has the batch as its first dimension, so that requests can be
joined to a batch; a row's result depends on that row alone; outputs are dense, with lengths. For the same reason a row
that cannot be written does not fail the batch: its `error` says why, its length is 0, its nats are NaN. Else `error` is
the empty string.
"""

import functools

import numpy as np
import tensorflow as tf

from keras_seqgen.decoding.handwriting import Lines, Pen, start, write
from keras_seqgen.decoding.line_writer import MAX_CHARACTERS, MAX_POINTS, default_limit
from keras_seqgen.distributions import stroke_log_density, stroke_parameters
from keras_seqgen.serving.row_errors import first_error
from keras_seqgen.serving.text_ids import TextIds
from keras_seqgen.serving.version_writer import module_of

_row = functools.partial(tf.TensorSpec, (None,))
_TEXT = _row(tf.string, "text")
_BIAS = _row(tf.float32, "bias")
_SEED = tf.TensorSpec((None, 2), tf.int32, "seed")


def _signature(*inputs):
    return tf.function(input_signature=inputs, autograph=False)


class HandwritingSignatures:
    """The signatures of a synthesis network, as `tf.function`s of raw inputs.

    Strokes are rows (dx, dy, pen) in raw units, y downward. Texts are UTF-8 in the form NFC.

    Args:
        model: of `models.handwriting_synthesis`.
        vocabulary: `data.vocabulary.Vocabulary` of single characters.
        mean, std: (2,), of the training split's offsets in raw units.
        max_characters: the longest text, its primer's text included.

    Source: Graves 2013, section 5.
    """

    def __init__(self, model, vocabulary, mean, std, max_characters=MAX_CHARACTERS):
        self._model = model
        self._ids = TextIds(vocabulary.tokens)
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        self._max_characters = max_characters

    def trace(self):
        """What `tf.saved_model.save` takes.

        Returns:
            A `tf.Module` that holds the variables that the signatures read and no others (a model may keep more for its
            training), and a dict signature name -> concrete function; `serving_default` is `generate`.
        """
        state = tf.TensorSpec((None, self.state_size), tf.float32, "state")
        step = _signature(_TEXT, _BIAS, _SEED, _row(tf.int32, "points"), state)(self._step)
        functions = {
            "generate": self.generate.get_concrete_function(),
            "generate_primed": self.generate_primed.get_concrete_function(),
            "score": self.score.get_concrete_function(),
            "step": step.get_concrete_function(),
        }
        return module_of(functions.values()), {"serving_default": functions["generate"], **functions}

    @_signature(_TEXT, _BIAS, _SEED)
    def generate(self, text, bias, seed):
        """Write each text, up to `default_limit` of its length.

        Args:
            text: (B,) strings. bias: (B,) float32, 0 or more. seed: (B, 2) int32.

        Returns:
            strokes (B, T, 3) float32, zeros after a row's end; length (B,) int32; error (B,) strings.

        Source: Graves 2013, sections 5.3 and 5.4.
        """
        ids, characters, unknown = self._ids(text, self._max_characters)
        error = self._text_error(characters, unknown, bias)
        return self._write(ids, bias, seed, default_limit(characters), error)

    @_signature(
        _TEXT,
        _BIAS,
        _SEED,
        _row(tf.int32, "max_points"),
        tf.TensorSpec((None, None, 3), tf.float32, "primer_strokes"),
        _row(tf.int32, "primer_length"),
        _row(tf.string, "primer_text"),
    )
    def generate_primed(self, text, bias, seed, max_points, primer_strokes, primer_length, primer_text):
        """Write each text in the hand of a primer, whose strokes are not returned.

        Args:
            text, bias, seed: as in `generate`. max_points: (B,) int32, 0 for `default_limit`.
            primer_strokes: (B, P, 3) float32, padded at the end; primer_length: (B,) int32; primer_text: (B,) strings,
                which `text` follows directly. Length 0 and text "" for a row without a primer.

        Returns:
            As `generate`.

        Source: Graves 2013, section 5.5.
        """
        most = self._max_characters
        ids, characters, unknown = self._ids(tf.strings.join([primer_text, text]), most)
        own = tf.strings.length(text, unit="UTF8_CHAR")
        room = tf.shape(primer_strokes)[1]
        inside = tf.sequence_mask(primer_length, room)
        finite = tf.reduce_all(tf.math.is_finite(primer_strokes) | ~inside[:, :, None], axis=[1, 2])
        error = first_error(
            (self._text_error(own, unknown, bias), True),
            (f"`primer_text` and `text` must have at most {most} characters together", characters > most),
            (f"`max_points` must lie in 0..{MAX_POINTS}", (max_points < 0) | (max_points > MAX_POINTS)),
            ("`primer_length` must lie in 0..P", (primer_length < 0) | (primer_length > room)),
            ("`primer_strokes` must be finite", ~finite),
            ("`primer_text` and `primer_strokes` must come together", (primer_length > 0) != (primer_text != "")),
        )
        primer = tf.where(inside[:, :, None], self._normalise(primer_strokes), 0.0)
        limit = tf.where(max_points == 0, default_limit(own), max_points)
        primer_length = tf.where(error == "", primer_length, 0)
        return self._write(ids, bias, seed, limit, error, primer=primer, primer_length=primer_length)

    @_signature(tf.TensorSpec((None, None, 3), tf.float32, "strokes"), _row(tf.int32, "length"), _TEXT)
    def score(self, strokes, length, text):
        """How well the network explains writing.

            nats = -sum_t log Pr(x_{t+1} | y_t)

        Args:
            strokes: (B, T, 3) float32, padded at the end. length: (B,) int32. text: (B,) strings.

        Returns:
            nats (B,) float32, of the density in units of the training split's standard deviation, as in training (lower
            is better); error (B,) strings.

        Source: Graves 2013, equation 26.
        """
        ids, characters, unknown = self._ids(text, self._max_characters)
        room = tf.shape(strokes)[1]
        error = first_error(
            (self._text_error(characters, unknown, tf.zeros_like(length, tf.float32)), True),
            ("`length` must lie in 0..T", (length < 0) | (length > room)),
        )
        weight = tf.sequence_mask(length, room, tf.float32)
        targets = tf.where(weight[:, :, None] > 0, self._normalise(strokes), 0.0)
        delayed = tf.pad(targets, [[0, 0], [1, 0], [0, 0]])[:, :-1]
        raw = self._model({"strokes": delayed, "text": ids}, training=False)
        nats = -tf.reduce_sum(stroke_log_density(stroke_parameters(raw), targets) * weight, axis=1)
        return {"nats": tf.where(error == "", nats, np.nan), "error": error}

    def _step(self, text, bias, seed, points, state):
        """Draw the next points of each line: the chunks of a line are the line that `generate` writes.

        Args:
            text, bias, seed: as in `generate`, the same at every call for a line.
            points: (B,) int32, how many points to draw at most.
            state: (B, S) float32, what the call before returned; zeros to begin.

        Returns:
            strokes, length, error: as in `generate`; finished (B,) boolean, the text is written; state (B, S).
        """
        ids, characters, unknown = self._ids(text, self._max_characters)
        error = first_error(
            (self._text_error(characters, unknown, bias), True),
            (f"`points` must lie in 0..{MAX_POINTS}", (points < 0) | (points > MAX_POINTS)),
            ("`state` must be finite", ~tf.reduce_all(tf.math.is_finite(state), axis=1)),
        )
        pen = self._unpack(state)
        result = self._write(ids, bias, seed, points, error, pen=pen)
        pen = result.pop("pen")
        return {**result, "finished": pen.finished, "state": self._pack(pen)}

    @property
    def state_size(self):
        """S, the numbers that a line's state takes in `step`."""
        return self._pack(start(self._model, 1)).shape[1]

    def _pack(self, pen):
        columns = [pen.stroke, pen.drawn[:, None], pen.finished[:, None], *pen.cells]
        return tf.concat([tf.cast(x, tf.float32) for x in columns], axis=1)

    def _unpack(self, state):
        like = start(self._model, 1)
        sizes = [3, 1, 1, *(cell.shape[1] for cell in like.cells)]
        stroke, drawn, finished, *cells = tf.split(state, sizes, axis=1)
        cells = [tf.cast(new, old.dtype) for new, old in zip(cells, like.cells, strict=True)]
        return Pen(stroke, tf.cast(drawn[:, 0], tf.int32), finished[:, 0] > 0, cells)

    def _write(self, ids, bias, seed, limit, error, **options):
        lines = Lines(ids, bias, seed, tf.where(error == "", limit, 0))
        strokes, length, pen = write(self._model, lines, **options)
        drawn = tf.sequence_mask(length, tf.shape(strokes)[1])[:, :, None]
        strokes = tf.where(
            drawn, tf.concat([strokes[..., :2] * self._std + self._mean, strokes[..., 2:]], axis=-1), 0.0
        )
        result = {"strokes": strokes[:, : tf.reduce_max(length)], "length": length, "error": error}
        return {**result, "pen": pen} if "pen" in options else result

    def _normalise(self, strokes):
        return tf.concat([(strokes[..., :2] - self._mean) / self._std, strokes[..., 2:]], axis=-1)

    def _text_error(self, characters, unknown, bias):
        return first_error(
            ("`text` is empty", characters == 0),
            (f"`text` must have at most {self._max_characters} characters", characters > self._max_characters),
            (tf.strings.join(["The alphabet does not have the characters ", unknown]), unknown != ""),
            ("`bias` must be a finite number that is not negative", ~(tf.math.is_finite(bias) & (bias >= 0))),
        )
