"""The soft window of Graves 2013: a mixture of Gaussians that slides over the characters of a text."""

import keras
from keras import ops


def position_dtype(dtype):
    """The type of the window's parameters: `dtype`, but float32 at the least, or it would lose small steps far on."""
    return keras.backend.result_type(dtype, "float32")


def window_parameters(raw, kappa_previous):
    """Squash the window's raw parameters; positions only move forward.

        alpha = exp(alpha^)        beta = exp(beta^)        kappa_t = kappa_{t-1} + exp(kappa^_t)

    Args:
        raw: (B, 3K): alpha^, beta^, kappa^.
        kappa_previous: (B, K), of `position_dtype`.

    Returns:
        alpha (weight), beta (1 / (2 width^2)), kappa (position, in characters) and the step that kappa made, each
        (B, K), of `position_dtype`.

    Source: Graves 2013, equations 48 to 51.
    """
    alpha, beta, step = ops.split(ops.exp(ops.cast(raw, position_dtype(raw.dtype))), 3, axis=-1)
    return alpha, beta, kappa_previous + step, step


def window_weights(alpha, beta, kappa, length):
    """The weight of each character.

        phi(t, u) = sum_k alpha_k exp(-beta_k (kappa_k - u)^2),    u = 1 .. length

    The weights are not normalised: they need not sum to one.

    Args:
        alpha, beta, kappa: (B, K).
        length: U, the number of positions.

    Returns:
        (B, U).

    Source: Graves 2013, equation 46.
    """
    distance = kappa[..., None] - ops.arange(1, length + 1, dtype=kappa.dtype)
    return ops.sum(alpha[..., None] * ops.exp(-beta[..., None] * distance * distance), axis=1)


def read_window(phi, context):
    """w_t = sum_u phi(t, u) c_u: (B, U), (B, U, C) -> (B, C), in the context's dtype (Graves 2013, equation 47)."""
    return ops.matmul(ops.cast(phi, context.dtype)[:, None], context)[:, 0]


def window_backward(dw, dkappa, context, alpha, beta, kappa, step):
    """The derivatives of `window_parameters`, `window_weights` and `read_window`.

    Args:
        dw: (B, C), dL/dw_t.
        dkappa: (B, K), the part of dL/dkappa_t that comes from step t + 1.
        context: (B, U, C).
        alpha, beta, kappa, step: (B, K), as `window_parameters` returned them.

    Returns:
        dL/draw (B, 3K) and dL/dkappa_{t-1} (B, K).
    """
    dphi = ops.cast(ops.matmul(context, dw[:, :, None])[:, None, :, 0], kappa.dtype)  # (B, 1, U)
    distance = kappa[..., None] - ops.arange(1, ops.shape(context)[1] + 1, dtype=kappa.dtype)
    slope = dphi * ops.exp(-beta[..., None] * distance * distance)  # (B, K, U)
    dalpha = ops.sum(slope, axis=-1)
    slope = slope * distance
    dkappa = dkappa - 2.0 * alpha * beta * ops.sum(slope, axis=-1)
    dbeta = -alpha * ops.sum(slope * distance, axis=-1)
    return ops.concatenate([dalpha * alpha, dbeta * beta, dkappa * step], axis=-1), dkappa
