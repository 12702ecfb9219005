"""Character and word error rates of texts: plain functions, for whole files of transcriptions."""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np


def edit_distance(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and substitutions that make one sequence the other.

        D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + [r_i != h_j])

    A row is computed at once: the chain over j is a running minimum of D[i, j] - j.

    Args:
        reference: a string, or a sequence of words or ids.
        hypothesis: likewise.

    Returns:
        D of the whole sequences.

    Example:

        >>> edit_distance("kitten", "sitting"), edit_distance("a b".split(), "a".split())
        (3, 1)

    Source: Levenshtein 1966; Wagner and Fischer 1974.
    """
    numbers: dict[Hashable, int] = {}
    r, h = (np.array([numbers.setdefault(x, len(numbers)) for x in row], int) for row in (reference, hypothesis))
    columns = np.arange(len(h) + 1)
    row = columns
    for i, token in enumerate(r, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (h != token))
        row = np.minimum.accumulate(np.concatenate([[i], best]) - columns) + columns
    return int(row[-1])


def character_error_rate(references: Iterable[str], hypotheses: Iterable[str]) -> float:
    """Edits over characters: all edit distances together, over the length of all references together.

    Blanks at the ends of a text do not count. Above 1 where the hypotheses are much too long. Where the references
    have no character at all, the number of edits.

    Args:
        references: what is written.
        hypotheses: what was read, in the same order.

    Returns:
        The rate, equal to `jiwer.cer`.

    Raises:
        ValueError: numbers of texts that differ.

    Example:

        >>> character_error_rate(["seven", "two"], ["sevn", "two "])
        0.125
    """
    return _rate(references, hypotheses, str.strip)


def word_error_rate(references: Iterable[str], hypotheses: Iterable[str]) -> float:
    """Edits over words: as `character_error_rate`, of what stands between blanks.

    Returns:
        The rate, equal to `jiwer.wer`.

    Raises:
        ValueError: numbers of texts that differ.

    Example:

        >>> word_error_rate(["one  two three"], ["one too three"])
        0.333...
    """
    return _rate(references, hypotheses, _words)


def _words(text: str) -> list[str]:
    """jiwer's words: runs of white space are one blank, and it is blanks that part words."""
    return [word for word in re.sub(r"\s\s+", " ", text).strip().split(" ") if word]


def _rate(references: Iterable[str], hypotheses: Iterable[str], split: Callable[[str], Sequence[str]]) -> float:
    references, hypotheses = list(references), list(hypotheses)
    if len(references) != len(hypotheses):
        raise ValueError(
            "`references` and `hypotheses` must be as many. "
            f"Received: {len(references)} references, {len(hypotheses)} hypotheses"
        )
    pairs = [(split(r), split(h)) for r, h in zip(references, hypotheses, strict=True)]
    return sum(edit_distance(r, h) for r, h in pairs) / max(1, sum(len(r) for r, _ in pairs))
