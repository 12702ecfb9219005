"""Convolution over padded sequences that shortens them, and their masks with them."""

import keras
from keras import activations, initializers, ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class TimeConvolution(keras.layers.Layer):
    """A convolution over time, or over time and one more axis, that padding does not change.

        y[b, t] = activation(bias + sum_j x[b, s t + j - (k - 1) // 2] kernel[j]),    t = 0 .. ceil(T / s) - 1

    Frames outside of a sequence, be it before its start, behind its length or behind the batch, count as zeros: what a
    row gets does not depend on how far it is padded. (`keras.layers.Conv1D` with "same" padding and a stride places its
    windows by the length of the whole batch, and it ends the mask.) The mask of the result is the mask of x at every
    s-th frame: a length n becomes ceil(n / s).

    Args:
        filters: channels of the result.
        kernel_size: k, or a pair: k over time and over the second axis.
        strides: s, or a pair.
        activation: as in `keras.layers.Conv1D`.

    Called with x (B, T, D) and, with pairs, (B, T, D, channels). Returns (B, ceil(T / s), filters) and, with pairs,
    (B, ceil(T / s), ceil(D / s'), filters).

    Raises:
        ValueError: sizes that are not positive integers.

    Example:

        >>> TimeConvolution(16, 5, strides=2)(np.ones((1, 7, 3))).shape
        (1, 4, 16)
    """

    def __init__(self, filters, kernel_size, strides=1, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = activations.get(activation)
        self.supports_masking = True
        sizes = [tuple(size) if isinstance(size, (list, tuple)) else (size,) for size in (kernel_size, strides)]
        rank = max(map(len, sizes))
        self._sizes, self._strides = (size * rank if len(size) == 1 else size for size in sizes)
        for name, values in (("filters", [filters]), ("kernel_size", self._sizes), ("strides", self._strides)):
            if rank > 2 or not all(isinstance(value, int) and value > 0 for value in values):
                raise ValueError(
                    f"`{name}` must be a positive integer or, save for `filters`, a pair. "
                    f"Received: {name}={getattr(self, name)}"
                )

    @property
    def stride_over_time(self):
        """s."""
        return self._strides[0]

    def build(self, input_shape):
        shape = (*self._sizes, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=initializers.GlorotUniform())
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.built = True

    def call(self, inputs, mask=None):
        if mask is not None:
            mask = ops.reshape(mask, (*ops.shape(mask), *[1] * len(self._sizes)))
            inputs = ops.where(mask, inputs, ops.zeros_like(inputs))
        around = [((size - 1) // 2, size - 1 - (size - 1) // 2) for size in self._sizes]
        x = ops.pad(inputs, [(0, 0), *around, (0, 0)])
        return self.activation(ops.conv(x, self.kernel, self._strides, "valid", "channels_last") + self.bias)

    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else previous_mask[:, :: self.stride_over_time]

    def compute_output_shape(self, input_shape):
        sizes = [
            None if n is None else -(-n // stride) for n, stride in zip(input_shape[1:-1], self._strides, strict=True)
        ]
        return (input_shape[0], *sizes, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "activation": activations.serialize(self.activation),
        }
