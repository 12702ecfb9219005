"""Means and deviations from exact sums, so that they do not depend on who added what first."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

_UNIT = 2**300  # of which each float32 and its square is a multiple: sums of whole numbers are the same in any order
_ROUNDING = 2.0**-40  # a variance below this share of the mean square is what is left of no variance


def whole(values: Iterable[float]) -> list[int]:
    """Numbers, up to 2^700, as whole multiples of 2^-300."""
    return [round(float(value) * _UNIT) for value in values]


def moments(sums: Sequence[int], squares: Sequence[int], count: int) -> dict[str, list[float]]:
    """Mean and standard deviation of each feature; 1 in place of a deviation of 0.

    Args:
        sums, squares: of each feature the sum of its values and of their squares, as `whole` gives them.
        count: how many values each has; 0 counts as 1.
    """
    n = max(count, 1) * _UNIT
    mean, square = ([Fraction(value, n) for value in part] for part in (sums, squares))
    variance = [float(s - m * m) if s - m * m > _ROUNDING * s else 1.0 for s, m in zip(square, mean, strict=True)]
    return {"mean": [float(m) for m in mean], "std": [v**0.5 for v in variance]}
