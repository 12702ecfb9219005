"""What the features of ink ask of an array library, in TensorFlow: see `data.ink_arrays`, which is the same in NumPy.

Every tensor is float64, int64 or boolean, so that an exported model computes what the pipeline computed.
"""

import tensorflow as tf

absolute = tf.abs
arctan2 = tf.math.atan2
cos = tf.cos
cumsum = tf.cumsum
exp = tf.exp
floor = tf.floor
log1p = tf.math.log1p
maximum = tf.maximum
minimum = tf.minimum
repeat = tf.repeat
sin = tf.sin
sort = tf.sort
sqrt = tf.sqrt
where = tf.where


def arange(n):
    """0 .. n - 1."""
    return tf.range(n, dtype=tf.int64)


def argsort(x):
    """The places of the elements of (N,) in rising order."""
    return whole(tf.argsort(x, stable=True))


def clip(x, low, high):
    """x within low .. high."""
    return tf.clip_by_value(x, tf.constant(low, x.dtype), tf.constant(high, x.dtype))


def concatenate(arrays):
    """Arrays one behind the other."""
    return tf.concat(arrays, axis=0)


def count(x):
    """The length of the first axis."""
    return tf.shape(x, out_type=tf.int64)[0]


def real(x):
    """float64 of numbers or booleans."""
    return tf.cast(x, tf.float64)


def whole(x):
    """int64 of numbers or booleans."""
    return tf.cast(x, tf.int64)


def total(x, axis=None):
    """The sum over an axis, or over all."""
    return tf.reduce_sum(x, axis=axis)


def greatest(x, axis=None):
    """The maximum over an axis, or over all."""
    return tf.reduce_max(x, axis=axis)


def least(x, axis=None):
    """The minimum over an axis, or over all."""
    return tf.reduce_min(x, axis=axis)


def stack(arrays):
    """Arrays of one shape along a new last axis."""
    return tf.stack(arrays, axis=-1)


def take(x, places):
    """x[places]; an index stays inside of x."""
    return tf.gather(x, places)


def keep(x, mask):
    """The rows of x where a boolean mask (N,) is true."""
    return tf.boolean_mask(x, mask)


def weighed(x, weights):
    """sum_j x_ij weights_j: (N,)."""
    return tf.linalg.matvec(x, weights)


def paired(x, y):
    """sum_j x_ij y_ij: (N,)."""
    return tf.reduce_sum(x * y, axis=1)


def search(rising, values):
    """How many of the `rising` are at most each of the values."""
    return tf.searchsorted(rising, values, side="right", out_type=tf.int64)


def by_group(x, group, groups):
    """(minimum, maximum) of x (N,) over each group; `group` (N,) rises from 0 to `groups` - 1, none left out."""
    least_ones = tf.math.unsorted_segment_min(x, group, groups)
    return least_ones, tf.math.unsorted_segment_max(x, group, groups)
