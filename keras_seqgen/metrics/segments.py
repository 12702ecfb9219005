"""How well segments are found: precision, recall and F1, in NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_OVERLAP = 0.5


@dataclass
class SegmentCounts:
    """hits: segments found that are there. found: all that were found. there: all that are there."""

    hits: int = 0
    found: int = 0
    there: int = 0

    def add(self, truth: Sequence[tuple[int, int, int]], found: Sequence[tuple[int, int, int]]) -> None:
        """Counts the segments of one line."""
        self.hits += len(matches(truth, found))
        self.found += len(found)
        self.there += len(truth)

    @property
    def precision(self) -> float:
        """hits / found; 1 where nothing was found."""
        return self.hits / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """hits / there; 1 where nothing is there."""
        return self.hits / self.there if self.there else 1.0

    @property
    def f1(self) -> float:
        """2 hits / (found + there): the harmonic mean of both; 1 where there is nothing and nothing was found."""
        both = self.found + self.there
        return 2 * self.hits / both if both else 1.0


def matches(truth: Sequence[tuple[int, int, int]], found: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Which segments that are there were found.

    A segment is found by one of the same class whose

        intersection over union = |frames of both| / |frames of either|

    is at least one half. Each counts once: pairs are taken by falling overlap, of equal ones the earlier first.

    Args:
        truth, found: (begin, end, class) of each segment, end exclusive; of one list none overlap.

    Returns:
        Pairs of places in `truth` and in `found`.

    Example:

        >>> matches([(0, 10, 1), (20, 30, 2)], [(1, 9, 1), (20, 30, 1)])
        [(0, 0)]
    """
    pairs = []
    for i, (begin, end, label) in enumerate(truth):
        for j, (start, stop, name) in enumerate(found):
            both = min(end, stop) - max(begin, start)
            if label == name and both > 0:
                overlap = both / (max(end, stop) - min(begin, start))
                if overlap >= LEAST_OVERLAP:
                    pairs.append((-overlap, i, j))
    taken: list[tuple[int, int]] = []
    for _, i, j in sorted(pairs):
        if all(i != a and j != b for a, b in taken):
            taken.append((i, j))
    return sorted(taken)


def accuracies(confusion: np.ndarray) -> np.ndarray:
    """The share of each class's frames that were found: (K, K), rows by truth -> (K,); NaN for a class without any."""
    total = confusion.sum(axis=1)
    return np.divide(np.diagonal(confusion), total, out=np.full(len(confusion), np.nan), where=total > 0)
