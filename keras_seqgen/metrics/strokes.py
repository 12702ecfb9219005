"""How well a network predicts pen steps, in the paper's measures; all of them go into `weighted_metrics`."""

import keras
from keras import ops

from keras_seqgen.distributions.stroke_density import stroke_log_density, stroke_mean, stroke_parameters
from keras_seqgen.metrics.quotient import Quotient, weights_like


def _nats(y_true, y_pred):
    return -stroke_log_density(stroke_parameters(y_pred), y_true)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class NatsPerSequence(Quotient):
    """Sum of the weighted nats over the number of sequences: the log-loss of Graves 2013, tables 3 and 4.

    A sequence of which every weight is zero (a row that fills up a batch) is not counted.

    Called with `y_true` (B, T, 3), `y_pred` (B, T, 6M + 1) and `sample_weight` (B, T).

    Example:

    >>> metric = NatsPerSequence()
    >>> metric.update_state(np.zeros((2, 5, 3)), np.zeros((2, 5, 121)), np.ones((2, 5)))
    >>> float(metric.result())
    12.655...
    """

    def __init__(self, name="nats_per_sequence", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        nats = _nats(y_true, y_pred)
        weights = weights_like(sample_weight, nats)
        sequences = ops.sum(ops.cast(ops.any(weights > 0, axis=-1), nats.dtype))
        self.accumulate(ops.sum(weights * nats), sequences)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class NatsPerPoint(Quotient):
    """Weighted mean of the nats over the points; called like `NatsPerSequence`."""

    def __init__(self, name="nats_per_point", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        nats = _nats(y_true, y_pred)
        weights = weights_like(sample_weight, nats)
        self.accumulate(ops.sum(weights * nats), ops.sum(weights))


@keras.saving.register_keras_serializable(package="keras_seqgen")
class StrokeError(Quotient):
    """Mean over the points of |(dx, dy) - mean of the mixture|^2, in normalised units: the SSE of Graves 2013, table 3.

    Called like `NatsPerSequence`. The end of stroke plays no part.
    """

    def __init__(self, name="stroke_error", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        mean = stroke_mean(stroke_parameters(y_pred))
        error = ops.sum(ops.square(ops.cast(y_true, mean.dtype)[..., :2] - mean), axis=-1)
        weights = weights_like(sample_weight, error)
        self.accumulate(ops.sum(weights * error), ops.sum(weights))
