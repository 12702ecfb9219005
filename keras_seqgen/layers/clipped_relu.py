"""The activation of Deep Speech."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
def clipped_relu(x):
    """min(max(x, 0), 20), element by element: a recurrent network with it cannot grow without bound.

    Args:
        x: a tensor of any shape and dtype.

    Returns:
        A tensor like x.

    Example:

        >>> clipped_relu(np.array([-1.0, 3.0, 30.0]))
        [0.0, 3.0, 20.0]

    Source: Hannun et al. 2014, "Deep Speech", equation 1.
    """
    return ops.clip(x, 0.0, 20.0)
