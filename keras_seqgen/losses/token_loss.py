"""Negative log-likelihood of tokens."""

import keras

from keras_seqgen.distributions.token_density import token_nats


@keras.saving.register_keras_serializable(package="keras_seqgen")
class TokenLoss(keras.losses.Loss):
    """-log Pr(x_{t+1} | x_1..t) of each token, summed over the batch.

    A sum, not a mean, for the reason told at `StrokeLoss`: the paper's bound of 1 on derivatives is on those of the
    nats of a sequence.

    Args:
        reduction: as in `keras.losses.Loss`.
        name: of the loss.

    Called with `y_true` (B, T) ids, 0 for padding, `y_pred` (B, T, V) logits of the ids 1..V, and `sample_weight`
    (B, T); `call` alone returns nats (B, T), float32.

    Example:

        >>> float(TokenLoss()(np.array([[1, 2, 0]]), np.zeros((1, 3, 4))))  # 2 log 4
        2.772...

    Source: Graves 2013, equation 15.
    """

    def __init__(self, reduction="sum", name="token_loss"):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true, y_pred):
        return token_nats(y_true, y_pred)
