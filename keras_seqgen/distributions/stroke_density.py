"""The density of one pen step, from the raw output of a network: Graves 2013, section 4.1, eq. 18-26.

Two halves. `stroke_parameters` squashes and biases the raw vector, once. The other functions take the named parameters
and never look at the raw vector again. Everything is `keras.ops`: the loss runs on any backend.
"""

import math
from typing import Any, NamedTuple

from keras import ops

# A float32 step z = (x - mu) / sigma resolves 2^-23 = e^-15.9 of its size: a smaller sigma, or an ellipse thinner than
# that (sqrt(1 - rho^2) = 1 / cosh(rho^)), says nothing more about the point, and its density overflows.
RAW_LIMIT = 16.0


class StrokeParameters(NamedTuple):
    """The legal parameters of a mixture of M bivariate Gaussians and of a Bernoulli end of stroke.

    `end_logit` has shape (...), the others (..., M); float32 (float64 if the raw vector was).
    """

    end_logit: Any  # log-odds of pen = 1: log(e / (1 - e))
    log_pi: Any
    mean_x: Any
    mean_y: Any
    log_sigma_x: Any
    log_sigma_y: Any
    atanh_rho: Any

    @property
    def end_probability(self):
        return ops.sigmoid(self.end_logit)

    def component(self, index):
        """(mean_x, mean_y, sigma_x, sigma_y, atanh_rho) of the components `index` (...), each (...)."""
        chosen = ops.one_hot(index, self.log_pi.shape[-1], dtype=self.log_pi.dtype)
        mean_x, mean_y, log_x, log_y, r = (ops.sum(chosen * values, axis=-1) for values in self[2:])
        return mean_x, mean_y, ops.exp(log_x), ops.exp(log_y), r


def stroke_parameters(raw, bias=0.0):
    """Names, squashes and biases the raw output of the network.

    ```
    e  = 1 / (1 + exp(e^))               not biased; note the sign
    pi = softmax(pi^ (1 + b))
    mu = mu^
    sigma = exp(sigma^ - b)
    rho = tanh(rho^)
    ```

    Args:
        raw: tensor (..., 6M + 1), in the order e^, pi^, mu_x^, mu_y^, sigma_x^, sigma_y^, rho^; half-precision values
            are computed in float32.
        bias: b >= 0, a number or a tensor of the shape (...): 0 samples from the model, large values draw neatly.

    Returns:
        `StrokeParameters`.

    Raises:
        ValueError: the last dimension is not 6M + 1.

    Example:

    >>> parameters = stroke_parameters(np.zeros((2, 5, 121), "float32"), bias=0.5)
    >>> parameters.log_pi.shape
    (2, 5, 20)

    Graves 2013, eq. 18-22 and, for the bias, section 5.4, eq. 61-62.

    Differs: log sigma >= -16 and |rho^| <= 16. Beyond, float32 cannot resolve the ellipse and the density would
    overflow; within, every point up to 1e5 units away has a finite density and finite derivatives.
    """
    size = raw.shape[-1]
    if size is None or size < 7 or size % 6 != 1:
        raise ValueError(f"`raw` must have 6M + 1 values in its last dimension. Received: raw.shape={tuple(raw.shape)}")
    M = size // 6
    raw = ops.convert_to_tensor(raw)
    raw = ops.cast(raw, "float64" if raw.dtype == "float64" else "float32")
    bias = ops.expand_dims(ops.convert_to_tensor(bias, raw.dtype), -1)
    e, pi, mean_x, mean_y, sigma_x, sigma_y, rho = ops.split(raw, [1 + M * i for i in range(6)], axis=-1)
    return StrokeParameters(
        end_logit=-ops.squeeze(e, -1),
        log_pi=ops.log_softmax(pi * (1.0 + bias), axis=-1),
        mean_x=mean_x,
        mean_y=mean_y,
        log_sigma_x=ops.maximum(sigma_x - bias, -RAW_LIMIT),
        log_sigma_y=ops.maximum(sigma_y - bias, -RAW_LIMIT),
        atanh_rho=ops.clip(rho, -RAW_LIMIT, RAW_LIMIT),
    )


def stroke_log_density(parameters, strokes):
    """log Pr(dx, dy, pen), in nats.

    With z = (x - mu) / sigma and r = atanh(rho) = rho^, the Gaussian of eq. 24-25 has a form free of cancellation:

    ```
    log N = -log(2 pi sigma_x sigma_y) - 1/2 log(1 - rho^2) - Z / (2 (1 - rho^2))
    2 / (1 - rho) = 1 + exp(2 r)        2 / (1 + rho) = 1 + exp(-2 r)
    -1/2 log(1 - rho^2) = softplus(2 r) - r - log 2
    Z / (2 (1 - rho^2)) = ((1 + exp(2 r)) (z_x - z_y)^2 + (1 + exp(-2 r)) (z_x + z_y)^2) / 8
    ```

    Args:
        parameters: `StrokeParameters` of shape (...).
        strokes: tensor (..., 3) of dx, dy in the units of the parameters, and pen in {0, 1}.

    Returns:
        Tensor (...).

    Example:

    >>> raw = np.zeros((1, 121), "float32")
    >>> float(stroke_log_density(stroke_parameters(raw), np.zeros((1, 3), "float32"))[0])  # -log(2 pi) - log 2
    -2.531024...

    Graves 2013, eq. 23-26.
    """
    p = parameters
    strokes = ops.cast(strokes, p.log_pi.dtype)
    z_x = (strokes[..., 0:1] - p.mean_x) * ops.exp(-p.log_sigma_x)
    z_y = (strokes[..., 1:2] - p.mean_y) * ops.exp(-p.log_sigma_y)
    across, along = 1.0 + ops.exp(2.0 * p.atanh_rho), 1.0 + ops.exp(-2.0 * p.atanh_rho)  # 2 / (1 - rho), 2 / (1 + rho)
    energy = 0.125 * (across * ops.square(z_x - z_y) + along * ops.square(z_x + z_y))
    log_scale = p.log_sigma_x + p.log_sigma_y + p.atanh_rho - ops.log(across)
    log_density = ops.logsumexp(p.log_pi - log_scale - energy, axis=-1) - math.log(4.0 * math.pi)
    return log_density - ops.softplus(p.end_logit * (1.0 - 2.0 * strokes[..., 2]))


def stroke_mean(parameters):
    """The mean of (dx, dy) over the mixture, sum_j pi_j mu_j: tensor (..., 2)."""
    pi = ops.exp(parameters.log_pi)
    return ops.stack([ops.sum(pi * parameters.mean_x, -1), ops.sum(pi * parameters.mean_y, -1)], axis=-1)


def stroke_mode(parameters):
    """The mean of the likeliest component, and pen = 1 where e > 1/2: tensor (..., 3).

    The highest point of a mixture has no closed form; this is what biased sampling tends to as b grows (section 5.4),
    but for the pen, which bias leaves alone.
    """
    mean_x, mean_y, *_ = parameters.component(ops.argmax(parameters.log_pi, axis=-1))
    return ops.stack([mean_x, mean_y, ops.cast(parameters.end_logit > 0, mean_x.dtype)], axis=-1)


def stroke_sample(parameters, uniform, normal):
    """One pen step from the noise that is handed in, so that a row depends on its own noise only.

    The component j is the first with pi_1 + ... + pi_j > u_1; pen = 1 where u_2 < e. The Cholesky factor of the
    covariance carries the Gaussian noise:

    ```
    dx = mu_x + sigma_x n_1
    dy = mu_y + sigma_y (rho n_1 + sqrt(1 - rho^2) n_2),    sqrt(1 - rho^2) = 1 / cosh(rho^)
    ```

    Args:
        parameters: `StrokeParameters` of shape (...); their bias has been applied already.
        uniform: tensor (..., 2), independent and uniform in [0, 1).
        normal: tensor (..., 2), independent and standard normal.

    Returns:
        Tensor (..., 3) of dx, dy, pen in {0, 1}. Not differentiable.
    """
    cumulative = ops.cumsum(ops.exp(parameters.log_pi), axis=-1)
    threshold = uniform[..., 0:1] * cumulative[..., -1:]  # rounding may leave the total a little off 1
    index = ops.sum(ops.cast(cumulative[..., :-1] <= threshold, "int32"), axis=-1)
    mean_x, mean_y, sigma_x, sigma_y, r = parameters.component(index)
    n_1, n_2 = normal[..., 0], normal[..., 1]
    dx = mean_x + sigma_x * n_1
    dy = mean_y + sigma_y * (ops.tanh(r) * n_1 + n_2 / ops.cosh(r))
    pen = ops.cast(uniform[..., 1] < parameters.end_probability, dx.dtype)
    return ops.stack([dx, dy, pen], axis=-1)
