"""Arguments that are one value for all rows or one for each, checked in NumPy."""

import numpy as np

from keras_seqgen.errors import UserError


def per_row(name, value, rows):
    """One value for all rows, or one for each -> an array (B,).

    Raises:
        UserError: the value has another shape.
    """
    value = np.asarray(value)
    if value.ndim > 1 or (value.ndim == 1 and len(value) != rows):
        raise UserError(
            f"`{name}` must be one number or one for each of the {rows} rows. Received: shape {value.shape}"
        )
    return np.broadcast_to(value, (rows,))


def check_seed(seed, rows):
    """Ints of up to 64 bits (low word, high word), or pairs of 32 bits -> (B, 2) int32.

    Raises:
        UserError: the seed is not of integers, or has another shape.
    """
    value = np.asarray(seed)
    if value.dtype.kind not in "iu" or value.shape not in {(), (rows,), (rows, 2)}:
        raise UserError(f"`seed` must be an integer, one for each of the {rows} rows, or ({rows}, 2). Received: {seed}")
    if value.ndim == 2:
        return value.astype(np.int64).astype(np.uint32).view(np.int32)
    words = np.broadcast_to(value, (rows,)).astype(np.uint64, copy=False)
    return np.stack([words & 0xFFFFFFFF, words >> 32], axis=-1).astype(np.uint32).view(np.int32)
