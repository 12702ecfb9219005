"""How sure an error rate is: the bootstrap over lines."""

from collections.abc import Sequence

import numpy as np

DRAWS = 2000


def rate_interval(
    errors: Sequence[float], sizes: Sequence[float], level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """An interval for a rate whose errors come in lines: characters of one line are not independent, lines are.

        rate = sum_i e_i / sum_i n_i,   again for DRAWS samples of as many lines, drawn with replacement;
        the interval leaves (1 - level) / 2 of these rates on each side

    Args:
        errors: e_i of each line, its edits for instance.
        sizes: n_i of each line, its characters for instance; a sample without any counts as rate 0.
        level: how much of the samples the interval holds, between 0 and 1.
        seed: of the samples.

    Returns:
        Its two ends.

    Raises:
        ValueError: no lines, or numbers of lines that differ.

    Example:

        >>> rate_interval([1, 0, 0, 1], [10, 10, 10, 10])
        (0.0, 0.1)

    Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", section 13.3 (percentile interval).
    """
    if not len(errors) or len(errors) != len(sizes):
        raise ValueError(
            f"`errors` and `sizes` must be as many, and some. Received: {len(errors)} errors, {len(sizes)} sizes"
        )
    lines = len(errors)
    counts = np.random.default_rng(seed).multinomial(lines, np.full(lines, 1 / lines), DRAWS)
    total = counts @ np.asarray(sizes, np.float64)
    rates = counts @ np.asarray(errors, np.float64) / np.where(total > 0, total, 1.0)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
