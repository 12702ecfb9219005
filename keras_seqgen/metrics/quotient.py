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
        old, new = ops.convert_to_tensor(self.total), ops.stack([numerator, denominator])
        total = old + new
        large = ops.abs(old) >= ops.abs(new)
        lost = ops.where(large, (old - total) + new, (new - total) + old)
        self.total.assign(total)
        self.rest.assign(self.rest + lost)

    def result(self):
        numerator, denominator = ops.unstack(self.total + self.rest, num=2)
        return ops.divide_no_nan(numerator, denominator)


def weights_like(sample_weight, like):
    """The sample weights, or ones, in the shape and dtype of `like`."""
    return ops.ones_like(like) if sample_weight is None else ops.cast(sample_weight, like.dtype)
