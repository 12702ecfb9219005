"""What a decoder asks of a language model: a state to start from, and the next token's probability after a state."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

UNKNOWN, BOS, EOS = "<unk>", "<s>", "</s>"
UNKNOWN_ID, BOS_ID, EOS_ID = 0, 1, 2


class Scorer(ABC):
    """A language model over tokens: words, characters, or whatever the strings are.

    A state stands for what has been read. It is small and hashable, and two readings with equal states have the same
    future, so that a beam search may keep the better one of them alone.

    Attributes:
        tokens: The vocabulary.

    Example: the log10 probability that "a b" is a whole sentence.
        >>> state, total = model.start(), 0.0
        >>> for token in ("a", "b", "</s>"):
        ...     log_prob, state = model.advance(state, token)
        ...     total += log_prob
    """

    tokens: tuple[str, ...]

    @abstractmethod
    def start(self, bos: bool = True) -> Hashable:
        """The state before the first token: at the beginning of a sentence, or (`bos=False`) nowhere in particular."""

    @abstractmethod
    def advance(self, state: Any, token: str) -> tuple[float, Any]:
        """(log10 probability of the token after the state, the state after the token).

        An unknown token is scored and remembered as `<unk>`; `</s>` ends a sentence.
        """

    @abstractmethod
    def advance_all(self, state: Any) -> tuple[np.ndarray, Sequence]:
        """`advance` for every token of `tokens` at once, for sampling and for a beam over all of them.

        Returns:
            log10 probabilities, float64 (V,), in the order of `tokens`; `<s>`, which is never predicted, has -inf.
            The states after them: a sequence of V.
        """

    @abstractmethod
    def __contains__(self, token: object) -> bool:
        """Whether the token is in the vocabulary."""

    def score(self, tokens: Iterable[str], bos: bool = True, eos: bool = True) -> np.ndarray:
        """The log10 probability of each token given those before it.

        Args:
            tokens: Of one sentence, without `<s>` and `</s>`.
            bos: Whether the tokens begin a sentence.
            eos: Whether they end it: then the last number is that of `</s>`.

        Returns:
            float64 array, one number per token, and one more with `eos`. Its sum is the sentence's log10 probability.
        """
        state, scores = self.start(bos), []
        for token in (*tokens, EOS) if eos else tokens:
            log_prob, state = self.advance(state, token)
            scores.append(log_prob)
        return np.array(scores, np.float64)

    def perplexity(self, sentences: Iterable[Iterable[str]], bos: bool = True, eos: bool = True) -> dict[str, float]:
        """How well the model predicts some sentences: perplexity = 10^(-mean log10 probability of a token).

        Args:
            sentences: Each an iterable of tokens.
            bos: Whether each begins as a sentence does.
            eos: Whether its end is to be predicted too, and counts as a token.

        Returns:
            A dict: `perplexity` and `bits_per_token` = log2(perplexity) of all tokens; `perplexity_without_oov` of
            those that the vocabulary has; `tokens` and `oov`, their numbers; `log10`, the sum over all tokens.
            A literal `<unk>` in a sentence is a token like others, not an unknown one.
        """
        log10 = known_log10 = 0.0
        count = oov = 0
        for sentence in sentences:
            tokens = list(sentence)
            scores = self.score(tokens, bos, eos)
            unknown = [number for number, token in enumerate(tokens) if token not in self]
            total = math.fsum(scores)
            log10 += total
            known_log10 += total - math.fsum(scores[unknown])
            count += len(scores)
            oov += len(unknown)
        return {
            "perplexity": _perplexity(log10, count),
            "bits_per_token": -log10 / count / math.log10(2) if count else math.nan,
            "perplexity_without_oov": _perplexity(known_log10, count - oov),
            "tokens": count,
            "oov": oov,
            "log10": log10,
        }


def _perplexity(log10: float, count: int) -> float:
    """NaN for no tokens; infinite where it exceeds what a float holds."""
    if not count:
        return math.nan
    exponent = -log10 / count
    return 10.0**exponent if exponent < 308 else math.inf
