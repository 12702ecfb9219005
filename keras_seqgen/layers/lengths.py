"""Lengths that travel with a tensor, as Keras's mask."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class LengthMask(keras.layers.Layer):
    """Attaches a mask to padded sequences, and makes their padding zero.

        y[b, t] = x[b, t] where t < length[b], else 0            mask[b, t] = t < length[b]

    Unlike `keras.layers.Masking` it is told the lengths, so that a frame of zeros inside a sequence (silence, a blank
    column) stays a frame. Layers that keep masks hand it on; recurrent ones leave the padding out.

    Args:
        kwargs: of `keras.layers.Layer`.

    Called with a list: x (B, T, ...) and lengths (B,), integers. Returns a tensor of the shape and dtype of x, with a
    mask (B, T).

    Example:

        >>> float(LengthMask()([np.ones((1, 4, 2)), np.array([3])]).numpy().sum())
        6.0
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        x, _ = inputs
        mask = self._mask(inputs)
        return ops.where(ops.reshape(mask, (*ops.shape(mask), *[1] * (len(x.shape) - 2))), x, ops.zeros_like(x))

    def compute_mask(self, inputs, previous_mask=None):
        return self._mask(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def _mask(self, inputs):
        x, lengths = inputs
        one_each = ops.ones_like(x[(slice(None), slice(None), *[0] * (len(x.shape) - 2))], dtype="int32")
        return ops.cumsum(one_each, axis=1) <= ops.cast(lengths, "int32")[:, None]


class _MaskOf(keras.layers.Layer):
    """The mask of a tensor, which only a layer can ask for on every backend."""

    def __init__(self):
        super().__init__(autocast=False, name="mask_of")
        self.supports_masking = True

    def call(self, x, mask=None):
        return ops.ones(ops.shape(x)[:2], dtype="bool") if mask is None else ops.cast(mask, "bool")

    def compute_mask(self, inputs, previous_mask=None):
        return None


def sequence_lengths(x):
    """The lengths that a tensor's mask tells: one more than the last step that counts.

    Masked steps inside a sequence (`Masking` over a frame of zeros) count: time does not stand still there.

    Args:
        x: (B, T, ...), an output of a Keras model or layer, with or without a mask.

    Returns:
        (B,) int32; T where there is no mask.
    """
    mask = _MaskOf()(x)
    return ops.max(ops.cast(mask, "int32") * (ops.arange(ops.shape(mask)[1]) + 1), axis=1, initial=0)
