"""What a served language model can be asked: `generate`, `score` and `step`.

By the conventions of TensorFlow Serving every input has the batch as its first dimension, so that requests can be
joined to a batch; a row's result depends on that row alone; outputs are dense, with lengths. For the same reason a row
that cannot be served does not fail the batch: its `error` says why, its length is 0, its log probability is NaN. Else
`error` is the empty string.
"""

import functools

import numpy as np
import tensorflow as tf

from keras_seqgen.decoding.sampling import Place, Wishes, start, write
from keras_seqgen.decoding.text_sampler import MAX_STOP, MAX_TOKENS, TEMPERATURE_RULE, TOP_K_RULE, TOP_P_RULE
from keras_seqgen.decoding.text_score import score_lines
from keras_seqgen.decoding.text_writer import check_sizes
from keras_seqgen.serving.row_errors import first_error
from keras_seqgen.serving.text_codec import TextCodec
from keras_seqgen.serving.version_writer import module_of

_row = functools.partial(tf.TensorSpec, (None,))
_WISHES = (
    _row(tf.string, "prime"),
    _row(tf.float32, "temperature"),
    _row(tf.int32, "top_k"),
    _row(tf.float32, "top_p"),
    tf.TensorSpec((None, 2), tf.int32, "seed"),
    _row(tf.int32, "max_tokens"),
    _row(tf.string, "stop"),
)


def _signature(*inputs):
    return tf.function(input_signature=inputs, autograph=False)


class TextSignatures:
    """The signatures of a language model, as `tf.function`s of raw inputs.

    Texts are UTF-8 in the vocabulary's normal form; those of a vocabulary of bytes are any bytes.

    Args:
        model: of `models.language_model`.
        vocabulary: `data.vocabulary.Vocabulary` of the model.

    Raises:
        UserError: the model and the vocabulary have different numbers of tokens.
    """

    def __init__(self, model, vocabulary):
        check_sizes(model, vocabulary)
        self._model = model
        self._codec = TextCodec(vocabulary)
        self._kind = vocabulary.kind

    def trace(self):
        """What `write_version` takes: a `tf.Module`, and a dict name -> concrete function, `generate` by default."""
        state = tf.TensorSpec((None, self.state_size), tf.float32, "state")
        functions = {
            "generate": self.generate.get_concrete_function(),
            "score": self.score.get_concrete_function(),
            "step": _signature(*_WISHES, state)(self._step).get_concrete_function(),
        }
        return module_of(functions.values()), {"serving_default": functions["generate"], **functions}

    @_signature(*_WISHES)
    def generate(self, prime, temperature, top_k, top_p, seed, max_tokens, stop):
        """Write texts.

        Args:
            prime: (B,) strings to go on from; "" begins with nothing.
            temperature: (B,) float32, positive: 1 draws as the network predicts, near 0 the likeliest token.
            top_k: (B,) int32, draw from so many of the likeliest tokens; 0: from all.
            top_p: (B,) float32, draw from the fewest tokens that are this likely together; 1: from all.
            seed: (B, 2) int32.
            max_tokens: (B,) int32, 0 to 100,000.
            stop: (B,) strings: the text ends where this was drawn, which is part of it; "" for none.

        Returns:
            text (B,) strings, the primers not among them; length (B,) int32, in tokens; error (B,) strings.

        Source: Graves 2013, section 2.
        """
        result = self._write(prime, temperature, top_k, top_p, seed, max_tokens, stop)
        return {name: result[name] for name in ("text", "length", "error")}

    @_signature(_row(tf.string, "text"))
    def score(self, text):
        """How likely sentences are, each behind the end of a line and up to its own.

        Args:
            text: (B,) strings, without the end of the line.

        Returns:
            log_prob (B,) float32, the sum of log Pr over the tokens, in nats; length (B,) int32, the tokens, the end of
            the line counted where the vocabulary has one; error (B,) strings.

        Source: Graves 2013, equation 14.
        """
        ids, length, unknown = self._codec.encode(text, MAX_TOKENS)
        error = first_error((self._unknown(unknown), True), _too_long("text", length))
        used = tf.where(error == "", length, 0)
        log_prob = score_lines(self._model, ids, used, self._codec.end)
        length = tf.where(error == "", length + int(self._codec.end > 0), 0)
        return {"log_prob": tf.where(error == "", log_prob, np.nan), "length": length, "error": error}

    def _step(self, prime, temperature, top_k, top_p, seed, max_tokens, stop, state):
        """Read and write on: the chunks of a text are the text that `generate` writes.

        Args:
            prime: (B,) strings, what is to be read before anything is drawn; "" to go on.
            temperature, top_k, top_p, seed, stop: as in `generate`.
            max_tokens: (B,) int32, how many tokens to draw at most, 0 to read only.
            state: (B, S) float32, what the call before returned; zeros to begin. The first number of a row is the id of
                its last token, 0 for none. An id that there is not, or a number that is not finite, is an error.

        Returns:
            text, length, error: as in `generate`; log_prob (B,) float32, log Pr of `prime` in nats; finished (B,)
            boolean, the stop string was drawn, and nothing more is until something is read; state (B, S).
        """
        # What is no state is read as the beginning: an id that there is not would fail the whole batch.
        known = (state[:, 0] >= 0) & (state[:, 0] <= self._model.output.shape[-1])
        usable = known & tf.reduce_all(tf.math.is_finite(state), axis=1)
        place = self._unpack(tf.where(usable[:, None], state, 0.0))
        result = self._write(prime, temperature, top_k, top_p, seed, max_tokens, stop, place, usable)
        place = result.pop("place")
        return {**result, "finished": place.finished, "state": self._pack(place)}

    @property
    def state_size(self):
        """S, the numbers that a text's state takes in `step`."""
        return self._pack(start(self._model, 1)).shape[1]

    def _pack(self, place):
        columns = [place.token[:, None], place.drawn[:, None], place.finished[:, None], place.recent, *place.cells]
        return tf.concat([tf.cast(x, tf.float32) for x in columns], axis=1)

    def _unpack(self, state):
        like = start(self._model, 1)
        sizes = [1, 1, 1, MAX_STOP, *(cell.shape[1] for cell in like.cells)]
        token, drawn, finished, recent, *cells = tf.split(state, sizes, axis=1)
        token, drawn, recent = (tf.cast(x, tf.int32) for x in (token[:, 0], drawn[:, 0], recent))
        cells = [tf.cast(new, old.dtype) for new, old in zip(cells, like.cells, strict=True)]
        return Place(token, drawn, finished[:, 0] > 0, recent, cells)

    def _write(self, prime, temperature, top_k, top_p, seed, max_tokens, stop, place=None, usable=True):
        ids, length, unknown = self._codec.encode(prime, MAX_TOKENS)
        stops, stop_length, strange = self._codec.encode(stop, MAX_STOP)
        error = first_error(
            (self._unknown(unknown), True),
            _too_long("prime", length),
            (TEMPERATURE_RULE, ~(tf.math.is_finite(temperature) & (temperature > 0))),
            (TOP_K_RULE, top_k < 0),
            (TOP_P_RULE, ~((top_p > 0) & (top_p <= 1))),
            (f"`max_tokens` must lie in 0..{MAX_TOKENS}", (max_tokens < 0) | (max_tokens > MAX_TOKENS)),
            (f"`stop` must have at most {MAX_STOP} tokens", stop_length > MAX_STOP),
            (
                "`stop` has tokens that the vocabulary does not have",
                (strange != "") | ((stop != "") & (stop_length == 0)),
            ),
            ("`state` must be what `step` returned, or zeros", tf.logical_not(usable)),
        )
        good = error == ""
        length, limit = tf.where(good, length, 0), tf.where(good, max_tokens, 0)
        ids = tf.pad(ids, [[0, 0], [1, 0]])  # a column, in case that there is none
        last = tf.gather(ids, length, batch_dims=1)
        before = last if place is None else tf.where(length > 0, last, place.token)
        wishes = Wishes(temperature, top_k, top_p, seed, limit, _at_the_end(stops, tf.minimum(stop_length, MAX_STOP)))
        going_on = place is not None
        tokens, drawn, log_prob, place = write(
            self._model, wishes, place, ids[:, 1:], length, score=going_on, freeze=going_on
        )
        text = self._codec.decode(tokens[:, : tf.reduce_max(drawn)], before)
        log_prob = tf.where(good, log_prob, np.nan)
        return {"text": text, "length": drawn, "log_prob": log_prob, "error": error, "place": place}

    def _unknown(self, unknown):
        if self._codec.unknown:
            return tf.constant("")
        message = tf.strings.join([f"The vocabulary does not have the {self._kind}s ", unknown])
        return tf.where(unknown != "", message, "")


def _too_long(name, length):
    return f"`{name}` must have at most {MAX_TOKENS} tokens", length > MAX_TOKENS


def _at_the_end(ids, length):
    """Rows of ids padded behind -> (B, MAX_STOP), padded before."""
    ids = tf.reverse_sequence(ids, length, seq_axis=1)
    ids = tf.reverse(tf.pad(ids, [[0, 0], [0, MAX_STOP - tf.shape(ids)[1]]]), axis=[1])
    return tf.ensure_shape(ids, [None, MAX_STOP])
