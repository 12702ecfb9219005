"""Pictures of any size for networks that halve it several times: pad to a multiple, magnify, cut off again."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class PadToMultiple(keras.layers.Layer):
    """Append a constant below and to the right until height and width are multiples of a number.

    Args:
        multiple: positive integer.
        value: what is appended.

    Call: (B, h, w, C) -> (B, H, W, C) with H = multiple ceil(h / multiple), W likewise.

    Raises:
        ValueError: `multiple` is not positive.

    Example:

        >>> PadToMultiple(32)(np.ones((1, 33, 64, 3))).shape
        TensorShape([1, 64, 64, 3])
    """

    def __init__(self, multiple, value=0.0, **kwargs):
        super().__init__(**kwargs)
        if multiple < 1:
            raise ValueError(f"`multiple` must be a positive integer. Received: multiple={multiple}")
        self.multiple, self.value = int(multiple), float(value)

    def call(self, inputs):
        height, width = ops.shape(inputs)[1:3]
        more = [[0, 0], [0, -height % self.multiple], [0, -width % self.multiple], [0, 0]]
        return ops.pad(inputs, more, constant_values=self.value)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        up = [None if size is None else size + -size % self.multiple for size in (height, width)]
        return batch, *up, channels

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple, "value": self.value}


@keras.saving.register_keras_serializable(package="keras_seqgen")
class CutToSize(keras.layers.Layer):
    """Keep the upper left part of one tensor, as high and wide as another.

    Call: [(B, H, W, C), (B, h, w, ...) with h <= H, w <= W] -> (B, h, w, C).

    Example:

        >>> CutToSize()([np.ones((1, 64, 64, 21)), np.ones((1, 33, 64, 3))]).shape
        TensorShape([1, 33, 64, 21])
    """

    def call(self, inputs):
        whole, like = inputs
        height, width = ops.shape(like)[1:3]
        return whole[:, :height, :width]

    def compute_output_shape(self, input_shape):
        whole, like = input_shape
        return whole[0], *like[1:3], whole[3]


@keras.saving.register_keras_serializable(package="keras_seqgen")
class Magnify(keras.layers.Layer):
    """Magnify by linear interpolation between the centres of pixels; beyond the outermost centres, constant.

        y = A_h x A_w^T for each channel,    A_n (f n, n):  A_ij = max(0, 1 - |p_i - j|),
        p_i = (i + 1/2) / f - 1/2, kept within 0..n-1

    Args:
        factor: f, positive integer.

    Call: (B, h, w, C) -> (B, f h, f w, C).

    Raises:
        ValueError: `factor` is not positive.

    Example:

        >>> Magnify(2)(np.array([0.0, 4.0]).reshape(1, 2, 1, 1))[0, :, 0, 0].numpy()
        array([0., 1., 3., 4.], dtype=float32)

    Differs from `keras.layers.UpSampling2D` in that height and width may be unknown in a TensorFlow graph.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"`factor` must be a positive integer. Received: factor={factor}")
        self.factor = int(factor)

    def call(self, inputs):
        batch, height, width, channels = ops.shape(inputs)
        x = ops.matmul(self._tents(height), ops.reshape(inputs, (batch, height, width * channels)))
        x = ops.transpose(ops.reshape(x, (batch, height * self.factor, width, channels)), (0, 2, 1, 3))
        x = ops.matmul(self._tents(width), ops.reshape(x, (batch, width, height * self.factor * channels)))
        x = ops.reshape(x, (batch, width * self.factor, height * self.factor, channels))
        return ops.transpose(x, (0, 2, 1, 3))

    def _tents(self, length):
        """A_n."""
        place = ops.arange(length * self.factor, dtype="float32")
        place = ops.clip((place + 0.5) / self.factor - 0.5, 0.0, ops.cast(length - 1, "float32"))
        tents = ops.relu(1.0 - ops.abs(place[:, None] - ops.arange(length, dtype="float32")))
        return ops.cast(tents, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        up = [None if size is None else size * self.factor for size in (height, width)]
        return batch, *up, channels

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
