"""Sentences -> how often each n-gram of each order occurs, by sorting integers."""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from keras_seqgen.errors import UserError
from keras_seqgen.ngram.scorer import BOS, BOS_ID, EOS, EOS_ID, UNKNOWN


@dataclass(frozen=True)
class CountedLevel:
    """The n-grams of one order k, sorted by (prefix, word).

    prefix, suffix: int (N,), the numbers of its first and of its last k-1 tokens among the n-grams of order k-1.
    word: int (N,), the number of its last token.
    count: int (N,), how often it occurs; that of `<s>` alone is 0, for it is never predicted.
    """

    prefix: np.ndarray
    word: np.ndarray
    suffix: np.ndarray
    count: np.ndarray


def encode(sentences: Iterable[Iterable[str]], vocabulary: Iterable[str] | None = None) -> tuple[list[str], np.ndarray]:
    """Numbers for tokens, `<s>` and `</s>` around each sentence.

    Args:
        sentences: Each an iterable of tokens; an empty one counts too.
        vocabulary: The tokens to tell apart, all others are `<unk>`; `None` for all that occur.

    Returns:
        tokens: `<unk>`, `<s>`, `</s>`, then the others. ids: int32 (T,), the sentences one after another.

    Raises:
        UserError: no sentence; `<s>` or `</s>` in a sentence; an empty token.
    """
    if isinstance(sentences, str):
        raise ValueError("`sentences` must be an iterable of sentences, each an iterable of tokens. Received: one str")
    numbers: defaultdict[str, int] = defaultdict()
    for token in (UNKNOWN, BOS, EOS, *(vocabulary or ())):
        numbers.setdefault(token, len(numbers))
    tokens = list(numbers)
    numbers.default_factory = numbers.__len__ if vocabulary is None else int
    ids = array("i")
    count = 0
    for sentence in sentences:
        ids.append(BOS_ID)
        ids.extend(map(numbers.__getitem__, sentence))
        ids.append(EOS_ID)
        count += 1
    if not count:
        raise UserError("there is no sentence to count n-grams in")
    stream = np.frombuffer(ids, np.int32)
    for token, number in ((BOS, BOS_ID), (EOS, EOS_ID)):
        if np.count_nonzero(stream == number) != count:
            raise UserError(f"a sentence contains {token}, which stands for its own beginning or end: take it out")
    if "" in numbers:
        raise UserError("a sentence or the vocabulary contains an empty token")
    return list(numbers) if vocabulary is None else tokens, stream


def count_ngrams(ids: np.ndarray, size: int, order: int) -> list[CountedLevel]:
    """The n-grams of the orders 1 ... `order` within sentences.

    An n-gram of order k is looked up as one integer, prefix * size + word, so that each order costs one sort of as many
    int64 as there are tokens, whatever k is.

    Args:
        ids: int (T,), sentences that each begin with `<s>`.
        size: The number of tokens in the vocabulary. All of them get a place in order 1, seen or not.
        order: The length of the longest n-grams.
    """
    count = np.bincount(ids, minlength=size)
    count[BOS_ID] = 0
    zeros = np.zeros(size, np.int64)
    levels = [CountedLevel(zeros, np.arange(size), zeros, count)]
    inside = ids != BOS_ID
    last = np.arange(len(ids))  # where the n-grams of the order before end
    rank = ids.astype(np.int64)  # at each of those places, the n-gram's number
    for _ in range(order - 1):
        last = last[last < len(ids) - 1] + 1
        last = last[inside[last]]
        keys, number, count = np.unique(rank[last - 1] * size + ids[last], return_inverse=True, return_counts=True)
        suffix = np.empty(len(keys), np.int64)
        suffix[number] = rank[last]
        rank[last] = number
        levels.append(CountedLevel(keys // size, keys % size, suffix, count))
    return levels
