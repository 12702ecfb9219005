"""Features as they differ from the mean of their sequence."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class MeanSubtraction(keras.layers.Layer):
    """Takes off each sequence its own mean over time.

        y[b, t] = x[b, t] - sum_s m[b, s] x[b, s] / sum_s m[b, s]        where m[b, t], else 0

    m is the mask: padding neither counts nor changes. What is added to all frames of a sequence goes: in logarithms of
    power, a microphone, the room and the level, which are factors in each band.

    Args:
        kwargs: of `keras.layers.Layer`.

    Called with x (B, T, D), floating; returns a tensor of its shape and dtype, and its mask.

    Example:

        >>> MeanSubtraction()(np.array([[[1.0], [3.0]]]))
        [[[-1.0], [1.0]]]

    Source: Atal 1974, "Effectiveness of linear prediction characteristics of the speech wave for automatic speaker
    identification and verification", whose cepstral mean this is before the cosine transform.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        if mask is None:
            return x - ops.mean(x, axis=1, keepdims=True)
        counts = ops.cast(mask, x.dtype)[:, :, None]
        mean = ops.sum(counts * x, axis=1, keepdims=True) / ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1)
        return counts * (x - mean)

    def compute_output_shape(self, input_shape):
        return input_shape
