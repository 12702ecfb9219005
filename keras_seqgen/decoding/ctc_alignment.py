"""When each label of a given labelling was said: forced alignment."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Alignment(NamedTuple):
    """The likeliest path of one labelling.

    frames: (U,) int, where each label begins. probabilities: (U,), the greatest of each label within its run.
    """

    frames: np.ndarray
    probabilities: np.ndarray


def align(logits: np.ndarray, ids: Sequence[int]) -> Alignment:
    """The likeliest of the paths that read as `ids`, for the times of what `beam_search` found.

        V_t(s) = max(V_{t-1}(s), V_{t-1}(s-1), V_{t-1}(s-2) where l_s is a label other than l_{s-2}) + log p_t(l_s)

    over the positions s of blank, id, blank, id, ..., blank. Of paths with one probability the one is taken that has
    the class with the smaller id, the blank before all, at the last frame at which they differ. For the ids of the best
    path the result is the best path's own.

    Args:
        logits: (T, C + 1), one input without padding, class 0 the blank.
        ids: of U labels, 1..C.

    Returns:
        `Alignment`.

    Raises:
        ValueError: labels without a path in T frames.

    Source: Graves 2012, "Supervised sequence labelling", section 7.3, with a maximum for the sum.
    """
    logits = np.asarray(logits, np.float64)
    T, U = len(logits), len(ids)
    labels = np.zeros(2 * U + 1, int)
    labels[1::2] = ids
    needed = U + int((labels[3::2] == labels[1:-2:2]).sum())
    if needed > T or (U and not 0 < min(ids) <= max(ids) < logits.shape[1]):
        raise ValueError(f"`ids` must fit {T} frames of {logits.shape[1]} classes. Received: ids={list(ids)}")
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    emitted = log_p[:, labels]
    no_skip = np.where((labels == 0) | (labels == np.roll(labels, 2)), -np.inf, 0.0)
    no_skip[:2] = -np.inf

    best = np.full((3, 2 * U + 1), -np.inf)  # by staying, by one step, by a skip over a blank
    value = np.full(2 * U + 1, -np.inf)
    value[0] = 0.0  # before the first frame; the step to 0 or 1 is made at it
    steps = np.zeros((T, 2 * U + 1), np.int8)
    before = np.stack([np.roll(labels, step) for step in range(3)])  # the classes of the three
    for t in range(T):
        best[0], best[1, 1:], best[2, 2:] = value, value[:-1], value[:-2] + no_skip[2:]
        steps[t] = np.where(best == best.max(axis=0), before, logits.shape[1]).argmin(axis=0)
        value = best.max(axis=0) + emitted[t]

    s = 2 * U - int(U > 0 and value[-2] > value[-1])
    path = np.zeros(T, int)
    for t in range(T - 1, -1, -1):
        path[t] = s
        s -= int(steps[t, s])
    position = np.arange(1, 2 * U + 1, 2)
    frames = np.searchsorted(path, position)
    probability = np.exp(log_p[np.arange(T), labels[path]])
    peaks = np.array([probability[path == s].max() for s in position])
    return Alignment(frames, peaks)
