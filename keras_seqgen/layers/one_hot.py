"""Token ids as one-hot vectors."""

import keras
from keras import ops

from keras_seqgen.layers.peephole_lstm import check_positive_integer


@keras.saving.register_keras_serializable(package="keras_seqgen")
class OneHot(keras.layers.Layer):
    """ids (...,) -> (..., V): a one at id - 1, and for the id 0, padding or "nothing yet", the zero vector.

    Args:
        size: V, the number of tokens, with ids 1..V.

    Raises:
        ValueError: `size` is not a positive integer.

    Example:

        >>> OneHot(3)(np.array([2, 0]))
        [[0, 1, 0], [0, 0, 0]]
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("size", size)
        self.size = size

    def call(self, inputs):
        return ops.one_hot(inputs - 1, self.size, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "size": self.size}
