"""Scoring sentences with a Keras model in this process."""

import numpy as np
import tensorflow as tf

from keras_seqgen.decoding.sampling import start, write
from keras_seqgen.decoding.sentence_scorer import SentenceScorer
from keras_seqgen.decoding.text_sampler import pad_right
from keras_seqgen.decoding.text_writer import check_sizes


class TextScorer(SentenceScorer):
    """Log probabilities of sentences by a language model.

    Args:
        model: of `models.language_model`, with or without carried state, which is neither read nor changed.
        vocabulary: `data.vocabulary.Vocabulary` of the model.

    Raises:
        UserError: the model and the vocabulary have different numbers of tokens.

    Example:

        >>> TextScorer(model, vocabulary).score(["the cat sat"])[0].log_prob
        -16.45
    """

    def __init__(self, model, vocabulary):
        super().__init__(vocabulary)
        check_sizes(model, vocabulary)
        self.model = model
        ids, row = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)

        @tf.function(input_signature=(ids, row), autograph=False)
        def graph(ids, length):
            return score_lines(self.model, ids, length, self.pieces.end)

        self._graph = graph

    def log_probs(self, sentences):
        ids, length = pad_right(sentences)
        return self._graph(ids, length).numpy().astype(np.float64)


def score_lines(model, ids, length, end):
    """log Pr of lines, each behind the end of a line and up to its own, in a state of zero.

    Args:
        model: of `models.language_model`.
        ids: (B, T) int32, padded with 0.
        length: (B,) int32.
        end: the id of the end of a line, 0 where there is none.

    Returns:
        (B,) float32, nats.
    """
    rows, width = tf.shape(ids)[0], tf.shape(ids)[1]
    if end:
        here = tf.range(width + 1)[None] == length[:, None]
        ids, length = tf.where(here, end, tf.pad(ids, [[0, 0], [0, 1]])), length + 1
    place = start(model, rows)
    return write(model, None, place._replace(token=place.token + end), ids, length, score=True)[2]
