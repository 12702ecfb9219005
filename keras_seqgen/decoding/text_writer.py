"""Sampling text with a Keras model in this process."""

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

    Raises:
        UserError: the model and the vocabulary have different numbers of tokens.

    Example:

        >>> TextWriter(model, vocabulary).sample("The ", temperature=0.7, seed=range(2), max_tokens=12)
        ['company said', 'new york sto']

    Source: Graves 2013, section 2; Karpathy 2015.
    """

    def __init__(self, model, vocabulary):
        super().__init__(vocabulary)
        check_sizes(model, vocabulary)
        self.model = model
        place = tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), start(model, 1))
        ids, row, numbers = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,))
        wishes = Wishes(numbers, row, numbers, *(tf.TensorSpec((None, n), tf.int32) for n in (2,)), row, ids)

        @tf.function(input_signature=(wishes, place, ids, row), autograph=False)
        def graph(wishes, place, primer, primer_length):
            wishes = wishes._replace(stop=tf.ensure_shape(wishes.stop, (None, MAX_STOP)))
            tokens, length, _, place = write(self.model, wishes, place, primer, primer_length)
            return tokens, length, place

        self._graph = graph

    def advance(self, request: Request, state: Place | None = None):
        primer, primer_length = pad_right(request.primers)
        place = start(self.model, len(primer)) if state is None else state
        stop = pad_left(request.stops, MAX_STOP)
        wishes = Wishes(request.temperature, request.top_k, request.top_p, request.seed, request.limit, stop)
        tokens, length, after = self._graph(wishes, place, primer, primer_length)
        last = np.where(primer_length > 0, primer[np.arange(len(primer)), primer_length - 1], place.token)
        rows = zip(tokens.numpy(), length.numpy(), last, strict=True)
        return [self.pieces(row[:end], before) for row, end, before in rows], after.finished.numpy(), after


def check_sizes(model, vocabulary):
    """Raise `UserError` unless a language model has as many tokens as a vocabulary."""
    known, predicted = len(vocabulary), model.output.shape[-1]
    if known != predicted:
        raise UserError(
            f"the model predicts {predicted} tokens but the vocabulary has {known}: take the vocabulary.json of the "
            "run that trained the model"
        )
