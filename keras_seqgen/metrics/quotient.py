"""A weighted mean over a whole data set, exact over millions of terms."""

import keras
from keras import ops


class Quotient(keras.metrics.Metric):
    """Sum of a numerator over sum of a denominator, exact over millions of points.

    Neumaier's summation: `rest` keeps what each float32 addition rounds away.
    """

    def __init__(self, name, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((2,), "zeros", dtype="float32", name="total")
        self.rest = self.add_variable((2,), "zeros", dtype="float32", name="rest")

    def accumulate(self, numerator, denominator):
        old = ops.convert_to_tensor(self.total)
        new = ops.stack([ops.cast(numerator, old.dtype), ops.cast(denominator, old.dtype)])
        total = old + new
        large = ops.abs(old) >= ops.abs(new)
        lost = ops.where(large, (old - total) + new, (new - total) + old)
        self.total.assign(total)
        self.rest.assign(self.rest + lost)

    def result(self):
        numerator, denominator = ops.unstack(self.total + self.rest, num=2)
        return ops.divide_no_nan(numerator, denominator)


def weights_like(sample_weight, like):
    """The sample weights, or ones, in the shape and dtype of `like`.

    Args:
        sample_weight: `None`, of the shape of `like`, or of its first axes (the rest of them missing or of size 1).
        like: a tensor.
    """
    if sample_weight is None:
        return ops.ones_like(like)
    weights = ops.cast(sample_weight, like.dtype)
    weights = ops.reshape(weights, (*ops.shape(weights), *[1] * (len(like.shape) - len(weights.shape))))
    return weights * ops.ones_like(like)
