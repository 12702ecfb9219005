"""Rows of zeros at the end of a batch, so that the last real row is rounded as the others are.

Libraries add up in another order for another shape, and sampling is chaotic: a difference in the last bit becomes
another text. The last tile of a matrix product may be summed in another order than the rows before it, a product with a
single row differently from both; and the last vector of an array is filled up with numbers computed one by one, whose
exp and the like round otherwise. Spare rows see to it that all of this happens behind the rows that count.
"""

import tensorflow as tf

VECTOR = 16  # float32 numbers in the widest vector register (AVX-512)
TILE = 3  # rows at the end of a matrix product that may be summed in another order than the rows before them


def spare_row_count(narrowest):
    """Enough rows to fill the last tile of a product and the last vector of an array of `narrowest` columns."""
    return max(TILE, -(-(VECTOR - 1) // narrowest))


def spare_rows(x, count):
    """Append `count` rows of zeros; `None` stays `None`."""
    return None if x is None else tf.pad(x, [[0, count]] + [[0, 0]] * (x.shape.rank - 1))


def keep(here, new, old):
    """The new states (lists of tensors) of the rows `here` (B, 1), the old states of the others."""
    return [tf.where(here, n, o) for n, o in zip(new, old, strict=True)]
