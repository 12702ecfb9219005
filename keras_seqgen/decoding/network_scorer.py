"""A recurrent network over characters as a scorer of the beam search."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Step = Callable[[np.ndarray, list[np.ndarray]], tuple[np.ndarray, list[np.ndarray]]]


class _Prefix:
    """What was read: the token after another prefix. The network's answer to it is filled in when it is asked for."""

    __slots__ = ("before", "log_probs", "states", "token")

    def __init__(self, before: "_Prefix | None", token: int):
        self.before = before
        self.token = token
        self.log_probs: Any = None
        self.states: Any = None


class NetworkScorer:
    """A network that predicts the next token from its state.

        score(l) = alpha log Pr(l and the end) + beta U

    The network runs once for each labelling that stays in the beam, all that a frame brings in one batch.

    Args:
        step: one step of the network: tokens (N,) int32 and a list of states, each (N, ...) -> log-probabilities in
            nats (N, V) of the ids 1..V, and the new states.
        states: the states before the first token, each (1, ...).
        ids: (C,) the network's ids of the recogniser's tokens 1..C; `None` where they are the same.
        first: the network's id that stands before the first token, such as the end of the line before; 0 for none.
        last: the network's id of the end, or `None` where it knows none: the end then adds nothing.
        alpha: the weight of the network.
        beta: added for each token.

    Example:

        >>> scorer = NetworkScorer(step, [np.zeros((1, 512)), np.zeros((1, 512))], alpha=0.5)
        >>> beam_search(logits, scorer=scorer)
    """

    def __init__(
        self,
        step: Step,
        states: Sequence[np.ndarray],
        ids: Sequence[int] | None = None,
        first: int = 0,
        last: int | None = None,
        alpha: float = 1.0,
        beta: float = 0.0,
    ):
        self.step = step
        self.states = list(states)
        self.ids = None if ids is None else np.concatenate([[0], ids]).astype(np.int64)
        self.first = first
        self.last = last
        self.alpha = alpha
        self.beta = beta

    def start(self) -> Any:
        return _Prefix(None, 0)

    def prepare(self, states: Sequence[_Prefix]) -> None:
        todo = [prefix for prefix in dict.fromkeys(states) if prefix.log_probs is None]
        before = [prefix.before for prefix in todo if prefix.before is not None]
        if any(prefix.log_probs is None for prefix in before):
            self.prepare(before)
        if not todo:
            return
        tokens = np.array([self._id(prefix.token) for prefix in todo], np.int32)
        old = [self.states if prefix.before is None else prefix.before.states for prefix in todo]
        log_probs, new = self.step(tokens, [np.concatenate(parts) for parts in zip(*old, strict=True)])
        for n, prefix in enumerate(todo):
            prefix.log_probs = np.asarray(log_probs[n], np.float64)
            prefix.states = [np.asarray(part[n : n + 1]) for part in new]

    def advance(self, state: _Prefix, token: int) -> tuple[float, _Prefix]:
        return float(self.added(state, np.array([token]))[0]), _Prefix(state, token)

    def added(self, state: _Prefix, tokens: np.ndarray) -> np.ndarray:
        self.prepare([state])
        return self.alpha * state.log_probs[self._id(tokens) - 1] + self.beta

    def end(self, state: _Prefix) -> float:
        if self.last is None:
            return 0.0
        self.prepare([state])
        return self.alpha * float(state.log_probs[self.last - 1])

    def _id(self, token):
        """The network's id of the recogniser's token (or of each of an array); before the first token, `first`."""
        if isinstance(token, int) and token == 0:
            return self.first
        return token if self.ids is None else self.ids[token]
