"""The cell of a network that tracks a property of the text, measured on text that it was not chosen on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_BLOCKS = 50  # of the held-out text, for the bootstrap: each longer than a line or a sentence
_DRAWS = 1000


@dataclass(frozen=True)
class Tracker:
    """The best cell for a property.

    cell: its number among the columns. sign: -1 if it is low where the property holds.
    threshold: what a property that is a number must exceed to count as holding: its median where the cell was chosen;
        `None` for a boolean one.
    chosen_auc: on the text on which cell and sign were chosen, of which this is the maximum.
    auc, low, high: on the held-out text, with a 95 % interval over resampled blocks of it.
    spearman: rank correlation with a property that is a number, on the held-out text, sign applied; else `None`.
    share: of the held-out places where the property holds.
    """

    cell: int
    sign: int
    threshold: float | None
    chosen_auc: float
    auc: float
    low: float
    high: float
    spearman: float | None
    share: float

    def holds(self, property_: np.ndarray) -> np.ndarray:
        """Where the property counts as holding: (N,) booleans."""
        return property_ if self.threshold is None else property_ > self.threshold


def find_trackers(values, properties: Mapping[str, np.ndarray], held_out, seed: int = 0) -> dict[str, Tracker]:
    """Search all cells for the one that tracks each property.

    The cell with the AUC farthest from 1/2, and its sign, are chosen where `held_out` is false; the AUC that is
    reported comes from the other places.

    Args:
        values: (N, K), K cells after each of N places, in the order of the text.
        properties: name -> (N,) of booleans, or of numbers, which are cut at their median.
        held_out: (N,) boolean.
        seed: of the bootstrap.

    Returns:
        name -> `Tracker`, without the properties that hold everywhere or nowhere in one of the two parts.

    Raises:
        ValueError: the shapes do not fit each other.

    Example:

        >>> found = find_trackers(reading.states[0], {"quotes": inside_quotes(text)}, np.arange(len(text)) > 50_000)
        >>> reading.cells[found["quotes"].cell], found["quotes"].auc
        ('c1.37', 0.97...)

    Source: Karpathy, Johnson and Fei-Fei 2016 (arXiv 1506.02078), section 4.2, who looked for such cells by eye.
    """
    values, held_out = np.asarray(values), np.asarray(held_out, bool)
    for name, array in {"held_out": held_out, **properties}.items():
        if np.shape(array) != values.shape[:1]:
            raise ValueError(
                f"`{name}` must have a value for each of {len(values)} places. Received: {np.shape(array)}"
            )
    thresholds: dict[str, float | None] = {}
    labels: dict[str, np.ndarray] = {}
    for name, property_ in properties.items():
        binary = property_.dtype == bool
        thresholds[name] = None if binary else float(np.median(property_[~held_out]))
        holds = property_ if binary else property_ > thresholds[name]
        if all(0 < holds[part].mean() < 1 for part in (held_out, ~held_out) if part.any()):
            labels[name] = holds
    if not labels:
        return {}
    chosen = aucs(values[~held_out], np.stack([holds[~held_out] for holds in labels.values()], axis=1))
    found = {}
    for (name, holds), column in zip(labels.items(), chosen.T, strict=True):
        cell = int(np.argmax(np.abs(column - 0.5)))
        sign = 1 if column[cell] >= 0.5 else -1
        track = sign * values[held_out, cell]
        auc, low, high = auc_interval(track, holds[held_out], seed=seed)
        number = thresholds[name] is not None
        spearman = spearman_correlation(track, properties[name][held_out]) if number else None
        share = float(holds[held_out].mean())
        chosen_auc = float(0.5 + abs(column[cell] - 0.5))
        found[name] = Tracker(cell, sign, thresholds[name], chosen_auc, auc, low, high, spearman, share)
    return found


def aucs(values, labels) -> np.ndarray:
    """The area under the ROC curve of each column of values for each column of labels (Mann-Whitney).

        AUC = Pr(v_i > v_j) + Pr(v_i = v_j) / 2,    i drawn where the label holds, j where it does not
            = (sum of the ranks where it holds - n1 (n1 + 1) / 2) / (n1 n0)

    Args:
        values: (N, K).
        labels: (N, P) boolean.

    Returns:
        (K, P) float64, NaN where a label holds everywhere or nowhere.
    """
    labels = np.asarray(labels, np.float64)
    with_it = labels.sum(axis=0)
    without = len(labels) - with_it
    sums = np.array([ranks(column) @ labels for column in np.asarray(values).T]).reshape(-1, labels.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums - with_it * (with_it + 1) / 2) / (with_it * without)


def ranks(values) -> np.ndarray:
    """Ranks from 1, float64; equal values share the mean of theirs.

    >>> ranks([30, 10, 30, 20]).tolist()
    [3.5, 1.0, 3.5, 2.0]
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def spearman_correlation(a, b) -> float:
    """The correlation of the ranks."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def auc_interval(values, labels, draws: int = _DRAWS, blocks: int = _BLOCKS, seed: int = 0):
    """The AUC of one cell, with a 95 % interval by the bootstrap over blocks of neighbouring places.

    Neighbouring places are much alike, so they are not resampled one by one. With U_ab the number of pairs, a place of
    block a where the label holds and one of block b where it does not, in which the first has the greater value (half
    of those in which both have the same), a draw that takes block a w_a times has

        AUC = w^T U w / (w^T n1  w^T n0)

    Args:
        values: (N,), in the order of the text.
        labels: (N,) boolean.
        draws: how often to resample.
        blocks: into how many blocks of equal length the places are cut.
        seed: of the draws.

    Returns:
        AUC, and the 2.5 % and 97.5 % quantiles of the draws, NaN if the label holds everywhere or nowhere.
    """
    values, labels = np.asarray(values), np.asarray(labels, bool)
    block = np.arange(len(values)) * blocks // max(len(values), 1)
    holding, of = values[labels], block[labels]
    U = np.zeros((blocks, blocks))
    for b in range(blocks):
        others = np.sort(values[(block == b) & ~labels])
        below = (np.searchsorted(others, holding, "left") + np.searchsorted(others, holding, "right")) / 2
        U[:, b] = np.bincount(of, below, blocks)
    with_it, without = (np.bincount(block[mask], minlength=blocks) for mask in (labels, ~labels))
    rng = np.random.default_rng(seed)
    times = np.concatenate([np.ones((1, blocks)), rng.multinomial(blocks, np.full(blocks, 1 / blocks), draws)])
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = ((times @ U) * times).sum(axis=1) / ((times @ with_it) * (times @ without))
    if np.isnan(drawn[0]):
        return float("nan"), float("nan"), float("nan")
    low, high = np.nanquantile(drawn[1:], [0.025, 0.975])
    return float(drawn[0]), float(low), float(high)
