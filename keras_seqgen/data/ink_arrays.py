"""What the features of ink ask of an array library, in NumPy; `serving.ink_tensors` is the same in TensorFlow.

Both have the functions named here, with these arguments, on float64 arrays. Operators (+, <, &, ...), slices and `None`
as an index work on both alike; arrays as indices do not, and are not used.
"""

import numpy as np

absolute = np.abs
arange = np.arange
arctan2 = np.arctan2
clip = np.clip
concatenate = np.concatenate
cos = np.cos
cumsum = np.cumsum
exp = np.exp
floor = np.floor
log1p = np.log1p
maximum = np.maximum
minimum = np.minimum
repeat = np.repeat
sin = np.sin
sort = np.sort
sqrt = np.sqrt
where = np.where


def argsort(x):
    """The places of the elements of (N,) in rising order, equals in the order in which they are."""
    return np.argsort(x, stable=True)


def count(x):
    """The length of the first axis."""
    return len(x)


def real(x):
    """float64 of numbers or booleans."""
    return np.asarray(x, np.float64)


def whole(x):
    """int64 of numbers or booleans."""
    return np.asarray(x, np.int64)


def total(x, axis=None):
    """The sum over an axis, or over all."""
    return np.sum(x, axis=axis)


def greatest(x, axis=None):
    """The maximum over an axis, or over all."""
    return np.max(x, axis=axis)


def least(x, axis=None):
    """The minimum over an axis, or over all."""
    return np.min(x, axis=axis)


def stack(arrays):
    """Arrays of one shape along a new last axis."""
    return np.stack(arrays, axis=-1)


def take(x, places):
    """x[places]; an index stays inside of x."""
    return np.take(x, places, axis=0)


def keep(x, mask):
    """The rows of x where a boolean mask (N,) is true."""
    return x[mask]


def weighed(x, weights):
    """sum_j x_ij weights_j: (N,)."""
    return x @ weights


def paired(x, y):
    """sum_j x_ij y_ij: (N,)."""
    return np.einsum("ij,ij->i", x, y)


def search(rising, values):
    """How many of the `rising` are at most each of the values."""
    return np.searchsorted(rising, values, side="right")


def by_group(x, group, groups):
    """(minimum, maximum) of x (N,) over each group; `group` (N,) rises from 0 to `groups` - 1, none left out."""
    first = np.searchsorted(group, np.arange(groups))
    return np.minimum.reduceat(x, first), np.maximum.reduceat(x, first)
