"""Identity forward, bounded derivative backward."""

import keras
from keras import ops


def clip_gradient(x, bound):
    """Return `x` unchanged; on the way back clip each element of the derivative to `[-bound, bound]`.

        y = x,    dL/dx = min(max(dL/dy, -bound), bound)

    Args:
        x: float tensor of any shape.
        bound: positive float, in the unit of the loss per unit of `x`, or `None` for no bound.

    Returns:
        A tensor equal to `x`, same shape and dtype.

    Source: Graves 2013 (arXiv 1308.0850), section 2.1: derivatives are clipped inside back-propagation,
    which bounds each step's share, unlike a clip of the summed parameter gradients.
    """
    if bound is None:
        return x

    @ops.custom_gradient
    def identity(x):
        def backward(*args, upstream=None):
            if upstream is None:
                (upstream,) = args
            return ops.clip(upstream, -bound, bound)

        return x, backward

    return identity(x)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class GradientClip(keras.layers.Layer):
    """Pass the input on; clip its derivative, element by element, during back-propagation.

    Graves 2013 clips dL/dy^, the derivative of the loss with respect to the network's raw outputs, to [-100, 100]
    for handwriting and calls it vital.

    Args:
        bound: positive float. The bound holds for the loss that reaches the layer: a loss that is a mean over points
            has derivatives smaller by the number of points than the paper's sum.

    Call: float tensor of any shape -> the same tensor.

    Raises:
        ValueError: `bound` is not positive.

    Example:

        >>> GradientClip(100.0)(raw_outputs)

    Source: Graves 2013, sections 2.1 and 4.2.
    """

    def __init__(self, bound, **kwargs):
        super().__init__(**kwargs)
        if not bound > 0:
            raise ValueError(f"`bound` must be a positive number. Received: bound={bound}")
        self.bound = float(bound)
        self.supports_masking = True

    def call(self, inputs):
        return clip_gradient(inputs, self.bound)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "bound": self.bound}
