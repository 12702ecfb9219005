"""Optimisers with a learning rate of its own for each part of a network."""

import keras


class _GroupRates(keras.optimizers.Optimizer):
    """What the optimisers below add to those of Keras."""

    def __init__(self, *args, factors=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.factors = dict(factors or {})

    def build(self, variables):
        super().build(variables)
        self._of_each = [self.factor(variable.path) for variable in variables]

    def factor(self, path):
        """By how much a variable's rate differs: the factor of the longest beginning of its path, else 1."""
        parts = [part for part in self.factors if path.startswith(part)]
        return self.factors[max(parts, key=len)] if parts else 1.0

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)  # what Keras offers to optimisers of one's own
        super().update_step(gradient, variable, learning_rate * self._of_each[index])

    def get_config(self):
        return {**super().get_config(), "factors": self.factors}


@keras.saving.register_keras_serializable(package="keras_seqgen")
class GroupSGD(_GroupRates, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with a learning rate for each part of a network.

        v <- momentum v - factor learning_rate dL/dw,    w <- w + v

    Args:
        *args, **kwargs: of `keras.optimizers.SGD`.
        factors: dict from the beginning of a variable's path ("crf/", "crf/compatibility") to the factor of its rate;
            the longest beginning that fits holds. Paths that fit none have the factor 1.

    Example:

        >>> GroupSGD(2.5e-8, momentum=0.99, factors={"crf/": 1e4})
    """


@keras.saving.register_keras_serializable(package="keras_seqgen")
class GroupAdam(_GroupRates, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with a learning rate for each part of a network; `factors` as in `GroupSGD`.

    The decoupled `weight_decay` acts at the common rate on all parts.
    """
