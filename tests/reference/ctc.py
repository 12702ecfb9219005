"""CTC told again in NumPy: sums over every path, step by step, and nothing clever."""

import itertools

import numpy as np


def log_softmax(logits):
    logits = np.asarray(logits, "float64")
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def collapse(path):
    """A path's labelling, and the frame where each of its labels begins."""
    labels, frames, before = [], [], 0
    for t, k in enumerate(path):
        if k not in (0, before):
            labels.append(int(k))
            frames.append(t)
        before = k
    return tuple(labels), frames


def every_labelling(logits):
    """{labelling: probability} by summing over all (C + 1)^T paths of one input (T, C + 1)."""
    probability = np.exp(log_softmax(logits))
    found = {}
    for path in itertools.product(range(probability.shape[1]), repeat=len(probability)):
        labels, _ = collapse(path)
        found[labels] = found.get(labels, 0.0) + float(np.prod([probability[t, k] for t, k in enumerate(path)]))
    return found


def nats(labels, logits):
    """-log Pr(labels | logits (T, C + 1)) by the forward variables of Graves et al. 2006, equations 5 to 8."""
    log_p = log_softmax(logits)
    extended = [0]
    for k in labels:
        extended += [int(k), 0]
    alpha = np.full(len(extended), -np.inf)
    if not len(log_p):
        return 0.0 if len(extended) == 1 else np.inf
    alpha[:2] = log_p[0, extended[:2]]
    for t in range(1, len(log_p)):
        old = alpha.copy()
        for s, k in enumerate(extended):
            sources = [old[s]]
            if s >= 1:
                sources.append(old[s - 1])
            if s >= 2 and k != 0 and k != extended[s - 2]:
                sources.append(old[s - 2])
            alpha[s] = np.logaddexp.reduce(sources) + log_p[t, k]
    return float(-np.logaddexp.reduce(alpha[-2:]))
