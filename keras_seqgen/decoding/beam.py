"""Prefix beam search: the likeliest labellings of a CTC network's output, with or without a scorer of the language."""

from dataclasses import dataclass

import numpy as np

from keras_seqgen.decoding.scorers import BeamScorer, added_by, prepare


@dataclass(frozen=True)
class Hypothesis:
    """A labelling that a search found.

    ids: of its labels. log_prob: log Pr(labelling | frames), summed over the paths that the search kept. score:
    log_prob and what the scorer adds; -inf where the scorer forbids it, as it may all that is left in the beam.
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float


class _Prefixes:
    """The tree of all labellings that were ever in the beam; the root, 0, is the empty one."""

    def __init__(self, capacity, classes):
        self.parent = np.zeros(capacity, np.int64)
        self.token = np.zeros(capacity, np.int64)
        self.count = 1
        self.slot = np.full(capacity, -1)
        self.column = np.full(classes, -1)
        self._classes = classes
        self._children = {}

    def child(self, node, token):
        """The node of a labelling and one token more; the same whenever it is asked for."""
        key = node * self._classes + token
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = self.count
            self.parent[found], self.token[found] = node, token
            self.count += 1
        return found

    def labels(self, node):
        ids = []
        while node:
            ids.append(int(self.token[node]))
            node = self.parent[node]
        return tuple(reversed(ids))


class _Language:
    """A scorer's numbers by the nodes of the tree: each is asked for once."""

    def __init__(self, scorer, prefixes, classes):
        self.scorer = scorer
        self._prefixes = prefixes
        self._classes = classes
        self._states = {0: scorer.start()}
        self._added: dict[int, np.ndarray] = {}

    def state(self, node):
        """The state at a node: one step from its parent's, which was in the beam before it."""
        if node not in self._states:
            parent, token = int(self._prefixes.parent[node]), int(self._prefixes.token[node])
            self._states[node] = self.scorer.advance(self.state(parent), token)[1]
        return self._states[node]

    def added(self, nodes, tokens):
        """What each of the tokens adds to the score at each of the nodes: (K, C')."""
        for node in nodes:
            if node not in self._added:
                self._added[node] = np.full(self._classes, np.nan)
        rows = [self._added[node] for node in nodes]
        found = np.stack(rows)[:, tokens]
        asked = np.flatnonzero(np.isnan(found).any(axis=1)).tolist()
        if asked:
            prepare(self.scorer, [self.state(nodes[k]) for k in asked])
        # A scorer that answers for all tokens at once is asked once for each node.
        wanted = np.arange(1, self._classes) if hasattr(self.scorer, "added") else tokens
        for k in asked:
            rows[k][wanted] = added_by(self.scorer, self.state(nodes[k]), wanted)
            found[k] = rows[k][tokens]
        return found

    def end(self, node):
        return self.scorer.end(self.state(node))


def beam_search(
    logits: np.ndarray,
    beam: int = 25,
    scorer: BeamScorer | None = None,
    min_token_log_prob: float = -np.inf,
) -> list[Hypothesis]:
    """The labellings with the highest score.

        score(l) = log Pr(l | x) + what the scorer adds for its tokens and its end

    Frame by frame each labelling l in the beam keeps the probability of its paths so far, those that end with a blank
    and those that end with its last label apart:

        b_t(l) = (b_{t-1}(l) + n_{t-1}(l)) p_t(blank)
        n_t(l) = n_{t-1}(l) p_t(k) + (b_{t-1}(l') + [k' != k] n_{t-1}(l')) p_t(k)        l = l' k, l' ends with k'

    and the `beam` best of score are kept. A beam that holds every labelling makes the search exact. It runs in NumPy,
    in float64 and in logarithms, all labellings of the beam at once.

    Args:
        logits: (T, C + 1), one input without padding, class 0 the blank; log-probabilities will do.
        beam: K, how many labellings are kept at each frame.
        scorer: of the language; see `decoding.scorers`.
        min_token_log_prob: a label less likely than this at a frame is not begun there. Worth its while among thousands
            of classes, where -7 makes the search three times faster; among a hundred it gains nothing.

    Returns:
        At most K hypotheses, the best first.

    Raises:
        ValueError: `logits` that have other axes or are not finite, or `beam` below 1.

    Example:

        >>> best = beam_search(logits, scorer=Lexicon(words, vocabulary.tokens))[0]
        >>> vocabulary.decode(best.ids), align(logits, best.ids).frames

    Source: Graves 2012, "Supervised sequence labelling", section 7.5; Hannun et al. 2014, "First-pass large vocabulary
    continuous speech recognition using bi-directional recurrent DNNs", algorithm 1.
    """
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 2 or logits.shape[1] < 2 or not np.isfinite(logits).all():
        raise ValueError(f"`logits` must be finite, of shape (T, C + 1). Received: shape {logits.shape}")
    if beam < 1:
        raise ValueError(f"`beam` must be a positive integer. Received: beam={beam}")
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    T, classes = log_p.shape
    prefixes = _Prefixes(T * beam + 1, classes)
    language = None if scorer is None else _Language(scorer, prefixes, classes)

    nodes = np.zeros(1, np.int64)
    blank, label = np.zeros(1), np.full(1, -np.inf)  # log b and log n of each labelling in the beam
    said = np.zeros(1)  # what the scorer has added to each
    for row in log_p:
        tokens = 1 + np.flatnonzero(row[1:] >= min_token_log_prob)
        blank, label, longer = _next_frame(row, tokens, prefixes, nodes, blank, label)
        added = 0.0 if language is None else language.added(nodes.tolist(), tokens)
        said_longer = np.broadcast_to(said[:, None] + added, longer.shape)
        score = np.concatenate([np.logaddexp(blank, label) + said, (longer + said_longer).ravel()])
        kept = np.argpartition(-score, beam - 1)[:beam] if len(score) > beam else np.arange(len(score))
        kept = np.sort(kept[score[kept] > -np.inf])

        old, new = kept[kept < len(nodes)], kept[kept >= len(nodes)] - len(nodes)
        from_node, with_token = nodes[new // max(1, len(tokens))].tolist(), tokens[new % max(1, len(tokens))].tolist()
        children = [prefixes.child(node, token) for node, token in zip(from_node, with_token, strict=True)]
        blank = np.concatenate([blank[old], np.full(len(new), -np.inf)])
        label = np.concatenate([label[old], longer.ravel()[new]])
        said = np.concatenate([said[old], said_longer.ravel()[new]])
        nodes = np.concatenate([nodes[old], np.array(children, np.int64)])

    log_prob = np.logaddexp(blank, label)
    score = ended = log_prob + said
    if language is not None:
        ended = score + [language.end(node) for node in nodes.tolist()]
    # Where nothing may end here, the order is that of the scores before the end.
    order = np.lexsort((-score, -ended))
    return [Hypothesis(prefixes.labels(nodes[k]), float(log_prob[k]), float(ended[k])) for k in order]


def _next_frame(row, tokens, prefixes, nodes, blank, label):
    """One frame for the whole beam.

    Returns:
        b (K,) and n (K,) of the labellings in the beam, and n (K, C') of each with one token more: -inf where the beam
        holds that labelling already, whose n has it then.
    """
    last = prefixes.token[nodes]
    total = np.logaddexp(blank, label)
    new_blank, new_label = total + row[0], label + row[last]
    longer = total[:, None] + row[tokens]

    column = _places(prefixes.column, tokens, last)
    above = _places(prefixes.slot, nodes, prefixes.parent[nodes])
    repeats = np.flatnonzero(column >= 0)  # a label behind itself: from a blank only
    longer[repeats, column[repeats]] = blank[repeats] + row[last[repeats]]
    held = repeats[above[repeats] >= 0]
    place = above[held], column[held]
    new_label[held] = np.logaddexp(new_label[held], longer[place])
    longer[place] = -np.inf
    return new_blank, new_label, longer


def _places(table, present, asked):
    """Where in `present` each of `asked` is, -1 for nowhere. `table` is all -1 before and after."""
    table[present] = np.arange(len(present))
    found = table[asked]
    table[present] = -1
    return found
