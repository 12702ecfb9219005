"""Features as they differ from the mean of their sequence."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class MeanSubtraction(keras.layers.Layer):
    """Takes off each sequence its own mean over time.

        y[b, t] = x[b, t] - sum_s m[b, s] x[b, s] / sum_s m[b, s]        where m[b, t], else 0

    m is the mask: padding neither counts nor changes. What is added to all frames of a sequence goes: in logarithms of
    power, a microphone, the room and the level, which are factors in each band. The mean is taken in float32 at the
    least: a bfloat16 cannot count beyond 256 frames.

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
        wide = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        counts = ops.ones_like(wide[:, :, :1]) if mask is None else ops.cast(mask, wide.dtype)[:, :, None]
        mean = ops.sum(counts * wide, axis=1, keepdims=True) / ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1)
        return ops.cast(counts * (wide - mean), x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
