"""Our own language models as scorers of the beam search."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_seqgen.data.vocabulary import UNKNOWN, Vocabulary
from keras_seqgen.decoding.network_scorer import NetworkScorer
from keras_seqgen.errors import UserError
from keras_seqgen.models.language_step import initial_states, language_step


def language_network(model, vocabulary: Vocabulary, tokens: Sequence[str], alpha=1.0, beta=0.0) -> NetworkScorer:
    """A character model of `models.char_lm` as a scorer.

    It reads the end of a line before the text and is asked for one behind it, where its vocabulary has line ends, as
    the texts that it was trained on.

    Args:
        model: of `models.char_lm`, without carried state.
        vocabulary: the model's, of characters.
        tokens: the recogniser's characters, of the ids 1..C.
        alpha: the weight of the model.
        beta: added for each character.

    Returns:
        `NetworkScorer`.

    Raises:
        UserError: characters of the recogniser that the model neither knows nor has `<unk>` for.

    Example:

        >>> beam_search(logits, scorer=language_network(model, vocabulary, alphabet.tokens, alpha=0.5))
    """
    missing = [token for token in tokens if token not in vocabulary.ids]
    if missing and UNKNOWN not in vocabulary.ids:
        raise UserError(f"the language model does not know the characters {' '.join(map(repr, missing))}")
    ids = [vocabulary.ids.get(token, vocabulary.ids.get(UNKNOWN, 0)) for token in tokens]
    end = vocabulary.ids.get("\n", 0)
    states = [np.array(state) for state in initial_states(model, 1)]

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.int32),
            [tf.TensorSpec((None, *state.shape[1:]), state.dtype) for state in states],
        ]
    )
    def step(tokens, states):
        logits, states = language_step(model, tokens, states)
        return tf.nn.log_softmax(logits), states

    def numbers(tokens, states):
        log_probs, states = step(tokens, states)
        return log_probs.numpy(), [state.numpy() for state in states]

    return NetworkScorer(numbers, states, ids, first=end, last=end or None, alpha=alpha, beta=beta)
