"""The distribution of one pen step as a TensorFlow Probability distribution."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_seqgen.distributions.stroke_density import (
    stroke_log_density,
    stroke_mean,
    stroke_mode,
    stroke_parameters,
    stroke_sample,
)


class StrokeMixture(tfp.distributions.Distribution):
    """A mixture of bivariate Gaussians over (dx, dy) times a Bernoulli over the end of stroke.

    ```
    p(dx, dy, pen) = sum_j pi_j N(dx, dy | mu_j, sigma_j, rho_j)  *  (e if pen = 1, 1 - e if pen = 0)
    ```

    Args:
        raw: tensor (..., 6M + 1), the output of a network in the order e, pi, mu_x, mu_y, sigma_x, sigma_y, rho; what
            `stroke_parameters` makes of it is what holds here.
        bias: b >= 0, a number or a tensor that broadcasts against the batch shape: pi and sigma sharpen, e does not.
        validate_args, allow_nan_stats, name: as in any `tfd.Distribution`; there is nothing to validate.

    The event has shape (3,) and the dtype float32 (float64 if `raw` has it); the batch shape is `raw.shape[:-1]`,
    broadcast with that of `bias`. `mode` is the mean of the likeliest component with pen = (e > 1/2); `mean` is the
    mean of the mixture with e. Samples take a stateful seed (an int) or a stateless one (a pair of ints), and are
    not reparameterised: they carry no gradient.

    Raises:
        ValueError: the last dimension of `raw` is not 6M + 1.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:

    >>> line = StrokeMixture(tf.zeros((2, 5, 121)), bias=0.5)
    >>> line.sample(seed=[1, 2]).shape, line.log_prob(tf.zeros((2, 5, 3))).shape
    (TensorShape([2, 5, 3]), TensorShape([2, 5]))

    Graves 2013, sections 4.1 and 5.4.
    """

    def __init__(self, raw, bias=0.0, validate_args=False, allow_nan_stats=True, name="StrokeMixture"):
        arguments = dict(locals())
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(f"`StrokeMixture` needs the TensorFlow backend. Received: {keras.backend.backend()}")
        with tf.name_scope(name) as scope:
            self._raw = tf.convert_to_tensor(raw, dtype_hint=tf.float32, name="raw")
            if self._raw.dtype != tf.float64:
                self._raw = tf.cast(self._raw, tf.float32)
            self._bias = tf.cast(tf.convert_to_tensor(bias, name="bias"), self._raw.dtype)
            # Each parameter has the whole batch shape, also those that no bias touches.
            whole = self._raw + tf.zeros_like(self._bias)[..., tf.newaxis]
            self._stroke_parameters = stroke_parameters(whole, self._bias)
            super().__init__(
                dtype=self._raw.dtype,
                reparameterization_type=tfp.distributions.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=allow_nan_stats,
                parameters=arguments,
                name=scope,
            )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"raw": tfp.util.ParameterProperties(event_ndims=1), "bias": tfp.util.ParameterProperties()}

    @property
    def raw(self):
        return self._raw

    @property
    def bias(self):
        return self._bias

    @property
    def stroke_parameters(self):
        return self._stroke_parameters

    def _event_shape(self):
        return tf.TensorShape([3])

    def _event_shape_tensor(self):
        return tf.constant([3], tf.int32)

    def _log_prob(self, value):
        return stroke_log_density(self._stroke_parameters, value)

    def _sample_n(self, n, seed=None):
        # Philox by name: a stateless seed gives the same strokes on every device, compiled or not.
        uniform_seed, normal_seed = tf.unstack(tf.random.split(tfp.random.sanitize_seed(seed), 2, alg="philox"))
        shape = tf.concat([[n], self.batch_shape_tensor(), [2]], axis=0)
        uniform = tf.random.stateless_uniform(shape, uniform_seed, dtype=self.dtype, alg="philox")
        normal = tf.random.stateless_normal(shape, normal_seed, dtype=self.dtype, alg="philox")
        return tf.stop_gradient(stroke_sample(self._stroke_parameters, uniform, normal))

    def _mode(self):
        return stroke_mode(self._stroke_parameters)

    def _mean(self):
        end = self._stroke_parameters.end_probability[..., tf.newaxis]
        return tf.concat([stroke_mean(self._stroke_parameters), end], axis=-1)
