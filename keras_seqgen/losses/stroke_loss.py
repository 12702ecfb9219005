"""Negative log-likelihood of pen steps."""

import keras

from keras_seqgen.distributions.stroke_density import stroke_log_density, stroke_parameters


@keras.saving.register_keras_serializable(package="keras_seqgen")
class StrokeLoss(keras.losses.Loss):
    """-log Pr(x_{t+1} | y_t) of each pen step, summed over the batch.

    The sum is the objective, not the mean: the paper bounds the derivatives of the nats of a whole sequence
    ([-100, 100] at the output, [-10, 10] inside the cells), and a mean over points would shrink them by some 20,000,
    so that no bound would ever bite. The learning rates of the recipes belong to the sum as well.

    Args:
        reduction: as in `keras.losses.Loss`.
        name: of the loss.

    Called with `y_true` (B, T, 3), `y_pred` (B, T, 6M + 1), the raw output of the network, and `sample_weight` (B, T),
    1 on points and 0 on padding; `call` alone returns nats (B, T), float32.

    Example:

    >>> loss = StrokeLoss()
    >>> float(loss(np.zeros((2, 5, 3)), np.zeros((2, 5, 121)), sample_weight=np.ones((2, 5))))  # 10 (log(2 pi) + log 2)
    25.310...

    Graves 2013, eq. 26.
    """

    def __init__(self, reduction="sum", name="stroke_loss"):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true, y_pred):
        return -stroke_log_density(stroke_parameters(y_pred), y_true)
