"""Optimisers that Keras does not have."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_seqgen")
class GravesRMSprop(keras.optimizers.Optimizer):
    """The form of RMSProp with which Graves 2013 trains handwriting.

        n <- d n + (1 - d) e^2          g <- d g + (1 - d) e
        D <- m D - r e / sqrt(n - g^2 + epsilon)
        w <- w + D

    with e the derivative of the loss with respect to w. Unlike in `keras.optimizers.RMSprop(centered=True)`, epsilon
    stands inside the root and the momentum acts on the scaled step.

    Args:
        learning_rate: r.
        rho: d.
        momentum: m.
        epsilon: added to the variance, inside the root.
        **kwargs: of `keras.optimizers.Optimizer`.

    Example:

        >>> model.compile(optimizer=GravesRMSprop(), loss=StrokeLoss())

    Source: Graves 2013, section 4.2, equations 38 to 45.
    """

    def __init__(self, learning_rate=1e-4, rho=0.95, momentum=0.9, epsilon=1e-4, name="graves_rmsprop", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.rho, self.momentum, self.epsilon = rho, momentum, epsilon

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._square, self._mean, self._step = self.add_optimizer_variables(variables, ["square", "mean", "step"])

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)  # what Keras offers to optimisers of one's own
        square, mean, step = self._square[index], self._mean[index], self._step[index]
        gradient, rate = ops.cast(gradient, variable.dtype), ops.cast(learning_rate, variable.dtype)
        self.assign(square, self.rho * square + (1 - self.rho) * gradient * gradient)
        self.assign(mean, self.rho * mean + (1 - self.rho) * gradient)
        scale = ops.rsqrt(ops.maximum(square - mean * mean, 0.0) + self.epsilon)
        self.assign(step, self.momentum * step - rate * gradient * scale)
        self.assign_add(variable, step)

    def get_config(self):
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
