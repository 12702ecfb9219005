"""Optimisers that Keras does not have."""

import keras
import numpy as np
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


def _dense(gradient, variable):
    """The derivative as one tensor: that of a table may be rows, of which some belong to the same token."""
    return ops.add(ops.zeros_like(variable), ops.cast(gradient, variable.dtype))


@keras.saving.register_keras_serializable(package="keras_seqgen")
class GradientSquares(keras.optimizers.Optimizer):
    """Changes no weight; adds up the squares of the derivatives that it is given.

    Attributes:
        squares: a list of variables, one for each weight and of its shape: sum_k g_k^2 over the updates k.

    Example:

        >>> model.compile(optimizer=GradientSquares(), loss=TokenLoss())
        >>> model.fit(batches, steps_per_epoch=300)
        >>> model.optimizer.squares

    Source: Krause et al. 2018, section 5 (their MS_g is this sum over the number of updates).
    """

    def __init__(self, learning_rate=0.0, name="gradient_squares", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.squares = self.add_optimizer_variables(variables, "square")

    def update_step(self, gradient, variable, learning_rate):
        gradient = _dense(gradient, variable)
        self.assign_add(self.squares[self._get_variable_index(variable)], gradient * gradient)


class ScaledStepWithReturn(keras.optimizers.Optimizer):
    """The step of dynamic evaluation that knows how much each weight mattered in training.

        w <- w - r g / (R + epsilon) + min(l R, 1) (w_0 - w)

    with g the derivative of the loss, w_0 the weight as it was when this optimiser was made, and R the root of the
    mean square of its derivative in training, divided by the mean of these roots over all weights. So r is in the unit
    of plain gradient descent: where all R are 1 and epsilon and l are 0, this is that. (The paper's rate is r times
    that mean, its epsilon likewise.)

    Args:
        variables: the weights.
        squares: sums of squared derivatives, one array for each weight: `GradientSquares.squares`, copied.
        learning_rate: r.
        decay: l, how fast the weights return to w_0; a variable, like the rate, that can be assigned later.
        epsilon: bounds the step of weights that training hardly moved, such as rows of rare words.
        **kwargs: of `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `decay` is not in [0, 1], `epsilon` is not positive, or all `squares` are zero.

    Source: Krause et al. 2018, "Dynamic Evaluation of Neural Sequence Models", section 5, "RMS with RMS global prior".
    """

    def __init__(
        self, variables, squares, learning_rate, decay=0.0, epsilon=1.0, name="scaled_step_with_return", **kwargs
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if not (0 <= decay <= 1 and epsilon > 0):
            raise ValueError(f"0 <= decay <= 1, 0 < epsilon expected. Received: decay={decay}, epsilon={epsilon}")
        roots = [np.sqrt(np.asarray(square)) for square in squares]
        mean = sum(float(root.sum(dtype="float64")) for root in roots) / sum(root.size for root in roots)
        if not mean > 0:
            raise ValueError("all squares are zero: no derivative was seen")
        self.decay, self.epsilon = keras.Variable(decay, trainable=False, name="decay"), epsilon
        self.build(variables)
        self._origin, self._scale = self.add_optimizer_variables(variables, ["origin", "scale"])
        for origin, scale, variable, root in zip(self._origin, self._scale, variables, roots, strict=True):
            origin.assign(variable)
            scale.assign(root / mean)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        origin, scale = self._origin[index], self._scale[index]
        gradient = _dense(gradient, variable)
        step = ops.cast(learning_rate, variable.dtype) * gradient / (scale + self.epsilon)
        self.assign_add(variable, ops.minimum(self.decay * scale, 1.0) * (origin - variable) - step)
