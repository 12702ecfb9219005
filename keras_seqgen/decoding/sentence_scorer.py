"""The Python face of scoring: sentences to ids, batches of like length, numbers; a subclass holds the graph."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_pieces import TextPieces
from keras_seqgen.decoding.text_sampler import MAX_TOKENS
from keras_seqgen.errors import UserError

SENTENCES_AT_ONCE = 64


class SentenceScore(NamedTuple):
    """How likely a sentence is.

    log_prob: log Pr, in nats. tokens: their number, the end of the line counted where the model knows one.
    """

    log_prob: float
    tokens: int

    @property
    def per_token(self) -> float:
        """Mean log probability of a token, in nats; 0 without tokens."""
        return self.log_prob / self.tokens if self.tokens else 0.0

    @property
    def perplexity(self) -> float:
        """exp of the mean negative log probability of a token."""
        return math.exp(-self.per_token)


class SentenceScorer:
    """Log probabilities of sentences; subclasses say how in `log_probs`.

        log Pr(s) = sum_t log Pr(x_t | x_1..t-1),    x_T being the end of the line

    The network's state is zero before a sentence, and what it reads first is the end of the line before, as sentences
    follow each other in the text that it was trained on. A vocabulary without ends of lines begins with nothing, and
    the end is not counted.

    Args:
        vocabulary: `data.vocabulary.Vocabulary` of the model.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.pieces = TextPieces(vocabulary)

    def log_probs(self, sentences: list[np.ndarray]) -> np.ndarray:
        """(B,) log probabilities of B arrays of ids, the end of the line not among them but counted."""
        raise NotImplementedError

    def score(self, sentences: Iterable[str], replace=None) -> list[SentenceScore]:
        """Score sentences; what a sentence gets does not depend on the others.

        Args:
            sentences: strings, without the end of the line.
            replace: what to read for unknown tokens, see `Vocabulary.encode`.

        Returns:
            A `SentenceScore` for each.

        Raises:
            UserError: an unknown character (named, with the number of the sentence and the alphabet), or a sentence of
                more than 100,000 tokens.

        Example:

            >>> scorer.score(["the cat sat", "cat the sat"])[0].perplexity
            61.2
        """
        ids = [self._encode(n, text, replace) for n, text in enumerate(sentences, start=1)]
        found = np.zeros(len(ids))
        order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
        for first in range(0, len(ids), SENTENCES_AT_ONCE):
            part = order[first : first + SENTENCES_AT_ONCE]
            found[part] = self.log_probs([ids[n] for n in part])
        end = int(self.pieces.end > 0)
        return [SentenceScore(float(x), len(row) + end) for x, row in zip(found, ids, strict=True)]

    def _encode(self, number, text, replace):
        try:
            ids = self.vocabulary.encode(text, replace)
        except UserError as error:
            raise UserError(f"sentence {number}: {error}. `replace` says what to read for what is unknown.") from error
        except UnicodeEncodeError as error:
            raise UserError(f"sentence {number} is no Unicode text: {error}") from error
        if len(ids) > MAX_TOKENS:
            raise UserError(f"sentence {number} must have at most {MAX_TOKENS} tokens. Received: {len(ids)}")
        return ids
