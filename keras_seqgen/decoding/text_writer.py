"""Sampling text with a Keras model in this process."""

import functools

import numpy as np
import tensorflow as tf

from keras_seqgen.decoding.sampling import Place, Wishes, start, write
from keras_seqgen.decoding.text_sampler import MAX_STOP, Request, TextSampler, pad_left, pad_right
from keras_seqgen.errors import UserError


class TextWriter(TextSampler):
    """Draws text with the cells of a language model: primed, at a temperature, to a stop string, whole or in chunks.

    The weights are read at each call: a writer made once follows the training of its model.

    Args:
        model: of `models.language_model`, with or without carried state, which is neither read nor changed.
        vocabulary: `data.vocabulary.Vocabulary` of the model.
        jit_compile: compile with XLA: faster for a row or a few, slower to start (a second or more for each new shape),
            no gain for many rows. Its rounding is its own: now and then another token is drawn than without it.

    Raises:
        UserError: the model and the vocabulary have different numbers of tokens.

    Example:

        >>> TextWriter(model, vocabulary).sample("The ", temperature=0.7, seed=range(2), length=12)
        ['company said', 'new york sto']

    Source: Graves 2013, section 2; Karpathy 2015.
    """

    def __init__(self, model, vocabulary, jit_compile=False):
        super().__init__(vocabulary)
        check_sizes(model, vocabulary)
        self.model = model
        self.jit_compile = jit_compile
        self._graphs = {}

    def advance(self, request: Request, state: Place | None = None):
        primer, primer_length = pad_right(request.primers)
        place = start(self.model, len(primer)) if state is None else state
        stop = pad_left(request.stops, MAX_STOP)
        wishes = Wishes(request.temperature, request.top_k, request.top_p, request.seed, request.limit, stop)
        steps = None
        if self.jit_compile:  # XLA compiles for each number of steps and length of a primer: let there be few
            steps = _power_of_two(int(request.limit.max()))
            primer = np.pad(primer, ((0, 0), (0, _power_of_two(primer.shape[1]) - primer.shape[1])))
        graph = self._graph(steps, freeze=len(primer) > 1)
        tokens, length, after = graph(wishes, place, primer, primer_length)
        last = np.where(primer_length > 0, primer[np.arange(len(primer)), primer_length - 1], place.token)
        rows = zip(tokens.numpy(), length.numpy(), last, strict=True)
        return [self.pieces(row[:end], before) for row, end, before in rows], after.finished.numpy(), after

    def _graph(self, steps, freeze):
        """The traced function. Shapes are left open: one trace serves every call (with XLA, one for each `steps`)."""
        if (steps, freeze) not in self._graphs:
            row = functools.partial(tf.TensorSpec, (None,))
            table = functools.partial(tf.TensorSpec, dtype=tf.int32)
            place = tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), start(self.model, 1))
            wishes = Wishes(
                temperature=row(tf.float32),
                top_k=row(tf.int32),
                top_p=row(tf.float32),
                seed=table((None, 2)),
                limit=row(tf.int32),
                stop=table((None, MAX_STOP)),
            )
            inputs = [wishes, place, table((None, None)), row(tf.int32)]

            @tf.function(input_signature=inputs, jit_compile=self.jit_compile, autograph=False)
            def graph(wishes, place, primer, primer_length):
                at = {"place": place, "primer": primer, "primer_length": primer_length}
                tokens, length, _, after = write(self.model, wishes, **at, steps=steps, freeze=freeze)
                return tokens, length, after

            self._graphs[steps, freeze] = graph
        return self._graphs[steps, freeze]


def check_sizes(model, vocabulary):
    """Raise `UserError` unless a language model has as many tokens as a vocabulary."""
    known, predicted = len(vocabulary), model.output.shape[-1]
    if known != predicted:
        raise UserError(
            f"the model predicts {predicted} tokens but the vocabulary has {known}: take the vocabulary.json of the "
            "run that trained the model"
        )


def _power_of_two(size):
    """The least power of two that is `size` or more, and 16 at least."""
    return max(16, 1 << (size - 1).bit_length())
