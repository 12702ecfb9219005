"""Logits -> the log-density of a token; loss and metrics use this, on any backend."""

from keras import ops


def token_nats(y_true, y_pred):
    """-log softmax(logits)[id - 1] of each token, in nats.

    Args:
        y_true: (B, T) ids in 1..V; for padding, 0, the result is 0.
        y_pred: (B, T, V) logits of the ids 1..V.

    Returns:
        (B, T) float32.
    """
    ids = ops.cast(y_true, "int32")
    nats = ops.sparse_categorical_crossentropy(ops.maximum(ids - 1, 0), ops.cast(y_pred, "float32"), from_logits=True)
    return ops.where(ids > 0, nats, 0.0)
