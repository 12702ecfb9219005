"""Pictures of any size for networks that halve it several times: pad to a multiple, cut off again."""

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
