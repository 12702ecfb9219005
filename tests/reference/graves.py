"""NumPy retellings of Graves 2013 in float64: one step at a time, forward and, by the chain rule, backward."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_forward(x, h, c, weights):
    """Equations 7 to 11 over x (T, B, D). Returns h (T, B, H) and what the way back needs."""
    kernel, recurrent, (p_i, p_f, p_o), bias = weights
    H = h.shape[-1]
    tape, out = [], []
    for x_t in x:
        z = x_t @ kernel + h @ recurrent + bias
        z_i, z_f, z_c, z_o = (z[:, n * H : (n + 1) * H] for n in range(4))
        i, f, g = sigmoid(z_i + p_i * c), sigmoid(z_f + p_f * c), np.tanh(z_c)
        c_new = f * c + i * g
        o = sigmoid(z_o + p_o * c_new)
        tape.append((x_t, h, c, i, f, g, o, c_new))
        h, c = o * np.tanh(c_new), c_new
        out.append(h)
    return np.stack(out), c, tape


def lstm_backward(dh_all, tape, weights, clip, dc=0.0):
    """Back-propagation through time; the derivative at each gate's input is clipped before it goes on (section 2.1).

    Returns the derivatives of the weights, of x, and of the h and c before the first step.
    """
    kernel, recurrent, (p_i, p_f, p_o), bias = weights
    gradients = [np.zeros_like(kernel), np.zeros_like(recurrent), np.zeros((3, len(p_i))), np.zeros_like(bias)]
    dx = []
    dh_next = 0.0
    for dh_t, (x, h_before, c_before, i, f, g, o, c) in zip(dh_all[::-1], tape[::-1], strict=True):
        dh = dh_t + dh_next
        dz_o = np.clip(dh * np.tanh(c) * o * (1 - o), -clip, clip)
        dc = dc + dh * o * (1 - np.tanh(c) ** 2) + dz_o * p_o
        dz_i = np.clip(dc * g * i * (1 - i), -clip, clip)
        dz_f = np.clip(dc * c_before * f * (1 - f), -clip, clip)
        dz_c = np.clip(dc * i * (1 - g**2), -clip, clip)
        dz = np.concatenate([dz_i, dz_f, dz_c, dz_o], axis=-1)
        gradients[0] += x.T @ dz
        gradients[1] += h_before.T @ dz
        gradients[2] += np.stack([(dz_i * c_before).sum(0), (dz_f * c_before).sum(0), (dz_o * c).sum(0)])
        gradients[3] += dz.sum(0)
        dx.append(dz @ kernel.T)
        dh_next = dz @ recurrent.T
        dc = dc * f + dz_i * p_i + dz_f * p_f
    return gradients, np.stack(dx[::-1]), dh_next, dc


def window_forward(x, context, state, weights):
    """Equations 46 to 52 over x (T, B, D): the first layer of the synthesis network.

    Returns h and w, the last state, and what the way back needs.
    """
    kernel, recurrent, peephole, bias, window_kernel, window_bias = weights
    h, c, w, kappa = state
    u = np.arange(1, context.shape[1] + 1)
    h_all, w_all, tape = [], [], []
    for x_t in x:
        (h,), c, (step_tape,) = lstm_forward(
            np.concatenate([x_t, w], -1)[None], h, c, (kernel, recurrent, peephole, bias)
        )
        alpha, beta, step = np.split(np.exp(h @ window_kernel + window_bias), 3, axis=-1)
        kappa = kappa + step
        phi = np.zeros(context.shape[:2])
        for k in range(alpha.shape[1]):
            phi += alpha[:, k : k + 1] * np.exp(-beta[:, k : k + 1] * (kappa[:, k : k + 1] - u) ** 2)
        w = np.einsum("bu,buc->bc", phi, context)
        h_all.append(h)
        w_all.append(w)
        tape.append((step_tape, h, alpha, beta, kappa, step))
    return np.stack(h_all), np.stack(w_all), [h, c, w, kappa], tape


def window_backward(dh_all, dw_all, context, tape, weights, clip):
    """Back through the window and the cell, step by step; only what enters the gates is clipped."""
    lstm, window_kernel = weights[:4], weights[4]
    gradients = [np.zeros_like(w) for w in weights]
    u = np.arange(1, context.shape[1] + 1)
    D = lstm[0].shape[0] - context.shape[2]
    dh_next = dw_next = dc = dkappa = 0.0
    for t in reversed(range(len(tape))):
        step_tape, h, alpha, beta, kappa, step = tape[t]
        dphi = np.einsum("bc,buc->bu", dw_all[t] + dw_next, context)
        dalpha, dbeta, dkappa = np.zeros_like(alpha), np.zeros_like(beta), np.zeros_like(kappa) + dkappa
        for k in range(alpha.shape[1]):
            distance = kappa[:, k : k + 1] - u
            bump = np.exp(-beta[:, k : k + 1] * distance**2)
            dalpha[:, k] = (dphi * bump).sum(-1)
            dbeta[:, k] = -(dphi * alpha[:, k : k + 1] * bump * distance**2).sum(-1)
            dkappa[:, k] += (dphi * alpha[:, k : k + 1] * bump * -2 * beta[:, k : k + 1] * distance).sum(-1)
        draw = np.concatenate([dalpha * alpha, dbeta * beta, dkappa * step], -1)
        gradients[4] += h.T @ draw
        gradients[5] += draw.sum(0)
        dh = dh_all[t] + dh_next + draw @ window_kernel.T
        shares, (dx,), dh_next, dc = lstm_backward(dh[None], [step_tape], lstm, clip, dc)
        gradients[:4] = [total + share for total, share in zip(gradients[:4], shares, strict=True)]
        dw_next = dx[:, D:]
    return gradients
