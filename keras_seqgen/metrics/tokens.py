"""How well a network predicts tokens; all of them go into `weighted_metrics`."""

import keras
from keras import ops

from keras_seqgen.distributions.token_density import token_nats
from keras_seqgen.metrics.quotient import Quotient, weights_like


@keras.saving.register_keras_serializable(package="keras_seqgen")
class NatsPerToken(Quotient):
    """Weighted mean over the tokens of -log Pr(x_{t+1} | x_1..t), in nats.

    Bits are nats / log 2; the perplexity is exp(nats).

    Called with `y_true` (B, T) ids, 0 for padding, `y_pred` (B, T, V) logits of the ids 1..V and `sample_weight`
    (B, T).

    Example:

    >>> metric = NatsPerToken()
    >>> metric.update_state(np.array([[1, 2]]), np.zeros((1, 2, 4)))
    >>> float(metric.result())
    1.386...
    """

    def __init__(self, name="nats_per_token", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        nats = token_nats(y_true, y_pred)
        weights = weights_like(sample_weight, nats)
        self.accumulate(ops.sum(weights * nats), ops.sum(weights))
