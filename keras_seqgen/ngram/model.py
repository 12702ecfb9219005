"""An n-gram model with back-off weights: a trie in a few flat arrays, and how it is asked."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from keras_seqgen.ngram.scorer import BOS, BOS_ID, EOS, UNKNOWN, UNKNOWN_ID, Scorer


@dataclass(frozen=True)
class Level:
    """The n-grams of one order k, sorted by (prefix, word); those of order 1 are all tokens in order.

    prefix: int (N,), for each the number of its first k-1 tokens among the n-grams of order k-1 (order 1: all 0).
    word: int (N,), the number of its last token.
    log_prob: float (N,), log10 P(last token | the others). backoff: float (N,), log10 of its weight as a context.
    """

    prefix: np.ndarray
    word: np.ndarray
    log_prob: np.ndarray
    backoff: np.ndarray


class NGramModel(Scorer):
    """P(w | context) = p(context w) where the model has that n-gram, else b(context) P(w | context without its first).

    All n-grams are the nodes of one trie, in the order of their length, of their prefix, of their last token: node 0 is
    the empty context, then come the tokens. The children of a node lie side by side and are searched by bisection.
    Each node knows its suffix, the longest n-gram of the model that ends it, from where backing off goes on. A state is
    the number of a node: that of the longest context read which can still make a difference (it has a child, or a
    back-off weight that is not 1).

    An n-gram takes 24 bytes; numbers are float32, as in kenlm.

    Args:
        tokens: The vocabulary; `<unk>`, `<s>`, `</s>` are the first three.
        levels: The n-grams of each order, from 1.
        discounts: What estimated the model: a `kneser_ney.Discount` per order.

    Attributes:
        order: The length of the longest n-grams.
        counts: The number of n-grams of each order.
        tokens, discounts: As given; `ids`: token -> its number.

    Raises:
        ValueError: where the vocabulary does not begin with the three special tokens or is not that of order 1.

    Example:
        >>> model = estimate([["a", "b"], ["b"]], order=2)
        >>> 10 ** model.score(["b"]).sum()  # P(b </s> | <s>)

    Source: Katz 1987; the suffix links are those of Aho and Corasick 1975; the states, Li and Khudanpur 2008.
    """

    def __init__(self, tokens: Sequence[str], levels: Sequence[Level], discounts: Sequence | None = None):
        self.tokens = tuple(tokens)
        if self.tokens[:3] != (UNKNOWN, BOS, EOS) or len(levels[0].word) != len(self.tokens):
            raise ValueError(f"`tokens` must be <unk>, <s>, </s>, ... and those of order 1. Received: {tokens[:3]} ...")
        self.ids = {token: number for number, token in enumerate(self.tokens)}
        self.discounts = None if discounts is None else tuple(discounts)
        self.counts = tuple(len(level.word) for level in levels)
        self.order = len(levels)
        self._starts = np.cumsum([1, *self.counts]).tolist()  # of each order's nodes, and the number of all nodes

        root = np.zeros(1)
        word = np.concatenate([root, *(level.word for level in levels)]).astype(np.int32)
        log_prob = np.concatenate([root, *(level.log_prob for level in levels)]).astype(np.float32)
        backoff = np.concatenate([root, *(level.backoff for level in levels[:-1]), np.zeros(self.counts[-1])])
        first = self._first_children(levels)
        suffix, state = self._links(word, backoff, first)
        self._word, self._words = _twice("i", word)
        self._log_prob, self._log_probs = _twice("f", log_prob)
        self._backoff, self._backoffs = _twice("f", backoff)
        self._first, self._firsts = _twice("i", first)
        self._suffix, _ = _twice("i", suffix)
        self._state, self._states = _twice("i", state)

    def _first_children(self, levels: Sequence[Level]) -> np.ndarray:
        """(nodes + 1,): the children of node n are the nodes first[n] ... first[n + 1] - 1."""
        children = [np.array([len(self.tokens)])]
        children += [
            np.bincount(level.prefix, minlength=size) for level, size in zip(levels[1:], self.counts[:-1], strict=True)
        ]
        children.append(np.zeros(self.counts[-1], np.int64))
        return np.cumsum(np.concatenate([[1], *children]))

    def _links(self, word: np.ndarray, backoff: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each node, its suffix, and the state after reading it."""
        total, size = len(word), len(self.tokens)
        parent = np.repeat(np.arange(total), np.diff(first))  # of the nodes 1, 2, ...
        keys = parent * size + word[1:]  # ascending
        matters = (np.diff(first) > 0) | (backoff != 0)
        suffix, state = np.zeros(total, np.int64), np.zeros(total, np.int64)
        state[1 : 1 + size] = np.where(matters[1 : 1 + size], np.arange(1, 1 + size), 0)
        for begin, end in pairwise(self._starts[1:]):
            found, context = np.zeros(end - begin, np.int64), suffix[parent[begin - 1 : end - 1]]
            open_ = np.arange(end - begin)
            while len(open_):  # the empty context has every token as its child
                key = context[open_] * size + word[begin:end][open_]
                at = np.minimum(np.searchsorted(keys, key), total - 2)
                hit = keys[at] == key
                found[open_[hit]] = at[hit] + 1
                open_ = open_[~hit]
                context[open_] = suffix[context[open_]]
            suffix[begin:end] = found
            state[begin:end] = np.where(matters[begin:end], np.arange(begin, end), state[found])
        return suffix, state

    def __contains__(self, token: object) -> bool:
        return token in self.ids

    def start(self, bos: bool = True) -> int:
        return self._state[1 + BOS_ID] if bos else 0

    def advance(self, state: int, token: str) -> tuple[float, int]:
        log_prob, node = self._find(state, self.ids.get(token, UNKNOWN_ID))
        return log_prob, self._state[node]

    def _find(self, state: int, number: int) -> tuple[float, int]:
        """The log10 probability of a token after a state, and the node of the longest n-gram that both end in."""
        first, word = self._first, self._word
        log_prob = 0.0
        while state:
            end = first[state + 1]
            node = bisect_left(word, number, first[state], end)
            if node < end and word[node] == number:
                return log_prob + self._log_prob[node], node
            log_prob += self._backoff[state]
            state = self._suffix[state]
        return log_prob + self._log_prob[1 + number], 1 + number

    def advance_all(self, state: int) -> tuple[np.ndarray, np.ndarray]:
        chain = []
        while state:
            chain.append(state)
            state = self._suffix[state]
        tokens = slice(1, 1 + len(self.tokens))
        log_probs, states = self._log_probs[tokens].astype(np.float64), self._states[tokens].copy()
        for context in reversed(chain):  # the longest context has the last word
            log_probs += self._backoff[context]
            children = slice(self._first[context], self._first[context + 1])
            log_probs[self._words[children]] = self._log_probs[children]
            states[self._words[children]] = self._states[children]
        log_probs[BOS_ID] = -np.inf
        return log_probs, states

    def full_scores(self, tokens: Iterable[str], bos: bool = True, eos: bool = True) -> list[tuple[float, int, bool]]:
        """`score` with what it rests on: (log10 probability, length of the longest n-gram used, unknown?) per token."""
        state, scores = self.start(bos), []
        for token in (*tokens, EOS) if eos else tokens:
            log_prob, node = self._find(state, self.ids.get(token, UNKNOWN_ID))
            scores.append((log_prob, bisect_right(self._starts, node), token not in self.ids))
            state = self._state[node]
        return scores

    def level(self, order: int) -> Level:
        """The n-grams of an order (from 1)."""
        begin, end = self._starts[order - 1 : order + 1]
        above = self._starts[order - 2] if order > 1 else 0
        parents = np.arange(above, begin)
        prefix = np.repeat(parents - above, np.diff(self._firsts[above : begin + 1]))
        nodes = slice(begin, end)
        return Level(prefix, self._words[nodes], self._log_probs[nodes], self._backoffs[nodes])


def _twice(kind: str, values: np.ndarray) -> tuple[array, np.ndarray]:
    """One block of memory as an array, whose items Python reads fast, and as a NumPy array."""
    items = array(kind)
    items.frombytes(values.astype(kind).tobytes())
    return items, np.frombuffer(items, kind)
