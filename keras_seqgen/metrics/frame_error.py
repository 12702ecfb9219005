"""The share of frames whose class was not found, for `weighted_metrics`."""

import keras
from keras import ops

from keras_seqgen.layers.lengths import sequence_lengths


@keras.saving.register_keras_serializable(package="keras_seqgen")
class FrameError(keras.metrics.Mean):
    """The weighted share of frames with another likeliest class than theirs.

        error = sum_t w_t [arg max_k logits_t[k] != label_t] / sum_t w_t

    Called with labels (B, T), logits (B, T, K) and `sample_weight` (B, T): padding has weight 0. Frames that the mask
    of the logits leaves out do not count either.

    Example:

        >>> metric = FrameError()
        >>> metric.update_state([[0, 1]], [[[2.0, 1.0], [2.0, 1.0]]])
        >>> float(metric.result())
        0.5
    """

    def __init__(self, name="frame_error", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        wrong = ops.not_equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
        inside = ops.cast(ops.arange(ops.shape(wrong)[1])[None] < sequence_lengths(y_pred)[:, None], "float32")
        weight = inside if sample_weight is None else inside * ops.cast(sample_weight, "float32")
        super().update_state(ops.cast(wrong, "float32"), weight)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
