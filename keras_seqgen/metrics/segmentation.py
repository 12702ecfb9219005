"""Mean intersection over union, for `weighted_metrics`."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class MeanIoU(keras.metrics.Metric):
    """Mean over the labels of intersection over union, all pixels of a data set together.

        IU_l = n_ll / (sum_m n_lm + sum_m n_ml - n_ll)

    A label that is neither there nor found is left out of the mean. Pixels are counted in whole numbers: 64 bits where
    the backend has them, else 2^31 pixels.

    Called with labels (B, h, w), logits (B, h, w, L) and `sample_weight` (B, h, w): pixels of weight 0 are left out,
    all others count once. L is that of the first call.

    Example:

        >>> metric = MeanIoU()
        >>> metric.update_state([[0, 1]], [[[2.0, 1.0], [2.0, 1.0]]])
        >>> float(metric.result())
        0.25

    Source: the measure of Pascal VOC and of Long et al. 2015 (arXiv 1411.4038), section 5.
    """

    def __init__(self, name="mean_iu", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.confusion = None

    def update_state(self, y_true, y_pred, sample_weight=None):
        classes = y_pred.shape[-1]
        if self.confusion is None:
            whole = "int64" if keras.backend.backend() == "tensorflow" else "int32"
            self.confusion = self.add_variable((classes, classes), "zeros", dtype=whole, name="confusion")
        truth = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        found = ops.reshape(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), (-1,))
        cell, nowhere = truth * classes + found, classes**2
        if sample_weight is not None:
            cell = ops.where(ops.reshape(ops.cast(sample_weight, "float32"), (-1,)) > 0, cell, nowhere)
        counts = ops.bincount(cell, minlength=nowhere + 1)[:nowhere]
        self.confusion.assign_add(ops.cast(ops.reshape(counts, (classes, classes)), self.confusion.dtype))

    def result(self):
        if self.confusion is None:
            return ops.convert_to_tensor(0.0)
        counts = ops.cast(self.confusion, "float32")
        hits = ops.diagonal(counts)
        union = ops.sum(counts, axis=0) + ops.sum(counts, axis=1) - hits
        known = ops.cast(union > 0, "float32")
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(hits, union)), ops.sum(known))


@keras.saving.register_keras_serializable(package="keras_seqgen")
class OneMinusMeanIoU(MeanIoU):
    """1 - `MeanIoU`, for what keeps the lowest value."""

    def __init__(self, name="one_minus_mean_iu", dtype=None):
        super().__init__(name, dtype)

    def result(self):
        return 1.0 - super().result()
