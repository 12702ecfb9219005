"""The recursion of the peephole LSTM, forward and back in time, as functions of its weights."""

from keras import ops

from keras_seqgen.layers.gradient_clip import clip_gradient


def peephole_gates(z, c, peephole, gradient_clip=None):
    """One step of the cell, from the sums that enter the gates to the new state.

        i = sigmoid(z_i + p_i * c_{t-1})        f = sigmoid(z_f + p_f * c_{t-1})        g = tanh(z_c)
        c_t = f * c_{t-1} + i * g               o = sigmoid(z_o + p_o * c_t)            h_t = o * tanh(c_t)

    With `gradient_clip`, the derivative of the loss with respect to the argument of each sigmoid and tanh is clipped.

    Args:
        z: (B, 4H), x W + h R + b, gates in the order i, f, c, o.
        c: (B, H), the previous cell state.
        peephole: (3, H), the diagonal weights of i, f, o.
        gradient_clip: positive float or `None`.

    Returns:
        h (B, H), c (B, H), and the activations i, f, g, o, each (B, H).

    Source: Graves 2013, equations 7 to 11.
    """
    z_i, z_f, z_c, z_o = ops.split(z, 4, axis=-1)
    p_i, p_f, p_o = ops.unstack(peephole, 3)
    i = ops.sigmoid(clip_gradient(z_i + p_i * c, gradient_clip))
    f = ops.sigmoid(clip_gradient(z_f + p_f * c, gradient_clip))
    g = ops.tanh(clip_gradient(z_c, gradient_clip))
    c = f * c + i * g
    o = ops.sigmoid(clip_gradient(z_o + p_o * c, gradient_clip))
    return o * ops.tanh(c), c, (i, f, g, o)


def peephole_gates_backward(dh, dc, c_previous, h, c, gates, peephole, gradient_clip=None):
    """The derivatives of `peephole_gates`, clipped, one step back in time.

    Args:
        dh, dc: (B, H), dL/dh_t and the part of dL/dc_t that comes from step t + 1.
        c_previous, h, c: (B, H), c_{t-1}, h_t and c_t.
        gates: the activations i, f, g, o, each (B, H).
        peephole: (3, H).
        gradient_clip: positive float or `None`.

    Returns:
        dz (B, 4H), clipped; dL/dc_{t-1} (B, H); and each row's share in the derivatives of the peepholes of i, f, o,
        (B, H) each.
    """
    i, f, g, o = gates

    def bounded(x):
        return x if gradient_clip is None else ops.clip(x, -gradient_clip, gradient_clip)

    do = bounded(dh * h * (1 - o))  # h = o tanh(c)
    dc = dc + dh * (o - h * ops.tanh(c)) + do * peephole[2]
    dc_i, dc_f = dc * i, dc * f
    di = bounded(dc_i * g * (1 - i))
    df = bounded(dc_f * c_previous * (1 - f))
    dg = bounded(dc_i * (1 - g * g))
    dc = dc_f + di * peephole[0] + df * peephole[1]
    return ops.concatenate([di, df, dg, do], axis=-1), dc, di * c_previous, df * c_previous, do * c


def peephole_lstm(z, h_0, c_0, recurrent_kernel, peephole, mask=None, gradient_clip=None, product_dtype=None):
    """Run the cell over a whole sequence; the backward pass is written out.

    Back-propagation runs the recursion in reverse for dz_t alone; every weight's derivative is then one product over
    all steps (dR = sum_t h_{t-1}^T dz_t), which costs a fraction of an accumulation at each step.

    Args:
        z: (T, B, 4H), x_t W + b for every step.
        h_0, c_0: (B, H), the initial state.
        recurrent_kernel: (H, 4H).
        peephole: (3, H).
        mask: `None` or (T, B, 1) boolean; where it is false the state stays as it was.
        gradient_clip: positive float or `None`.
        product_dtype: of the factors h R, dz R^T and h^T dz, whose results are cast back; `None`: that of `z`.

    Returns:
        h (T, B, H) for every step, and the last c (B, H).
    """

    def product(x, y):
        return product_in(product_dtype, x, y, z.dtype)

    @ops.custom_gradient
    def sequence(z, h_0, c_0, recurrent_kernel, peephole):
        steps = ops.arange(ops.shape(z)[0])
        if product_dtype is not None:  # once, not at every step
            recurrent_kernel = ops.cast(recurrent_kernel, product_dtype)

        def forward_step(carry, t):
            h_previous, c_previous = carry[:2]
            h, c, gates = peephole_gates(z[t] + product(h_previous, recurrent_kernel), c_previous, peephole)
            if mask is not None:
                h, c = ops.where(mask[t], h, h_previous), ops.where(mask[t], c, c_previous)
            return [h, c, *gates], [h, c_previous, *gates]

        init = [h_0, c_0, h_0, h_0, h_0, h_0]
        (_, c_last, *_), (h, c_before, *gates) = ops.scan(forward_step, init, steps)

        def backward(*args, upstream=None):
            dh_all, dc_last = upstream or (args if len(args) == 2 else args[0])
            recurrent_transposed = ops.transpose(recurrent_kernel)

            def backward_step(carry, t):
                dz, dc, c, *dpeephole = carry[:6]
                dh = dh_all[t] + product(dz, recurrent_transposed)
                if mask is not None:
                    dh = dh + carry[6]
                gates_t = [gate[t] for gate in gates]
                new = peephole_gates_backward(dh, dc, c_before[t], h[t], c, gates_t, peephole, gradient_clip)
                if mask is not None:
                    held = [ops.zeros_like(dz), dc, *[ops.zeros_like(dc)] * 3]
                    new = [ops.where(mask[t], x, y) for x, y in zip(new, held, strict=True)]
                dz, dc, *shares = new
                carry = [dz, dc, c_before[t], *(total + share for total, share in zip(dpeephole, shares, strict=True))]
                if mask is not None:
                    carry.append(ops.where(mask[t], 0, dh))
                return carry, carry

            zeros = ops.zeros_like(c_0)
            init = [ops.zeros_like(z[0]), dc_last, c_last, *[zeros] * (3 if mask is None else 4)]
            (dz_first, dc_0, _, *dpeephole), (dz, *_) = ops.scan(backward_step, init, steps, reverse=True)
            dh_0 = sum(dpeephole[3:], product(dz_first, recurrent_transposed))
            drecurrent = weight_gradient(h_0, h, dz, product)
            return dz, dh_0, dc_0, drecurrent, ops.stack([ops.sum(share, axis=0) for share in dpeephole[:3]])

        return (h, c_last), backward

    return sequence(z, h_0, c_0, recurrent_kernel, peephole)


def product_in(dtype, x, y, result_dtype):
    """x y, of factors that are cast to `dtype` first, in `result_dtype`; `dtype` `None`: as they are."""
    if dtype is None:
        return ops.matmul(x, y)
    return ops.cast(ops.matmul(ops.cast(x, dtype), ops.cast(y, dtype)), result_dtype)


def weight_gradient(first, later, dz, product=ops.matmul):
    """x_0^T dz_0 + sum_t x_t^T dz_{t+1}, for a state that enters one step after it was made.

    Args:
        first: (B, D), what enters the first step.
        later: (T, B, D), what each step makes; the last enters nothing.
        dz: (T, B, N).
        product: of two matrices.

    Returns:
        (D, N).
    """
    flat = ops.reshape(later[:-1], (-1, later.shape[-1])), ops.reshape(dz[1:], (-1, dz.shape[-1]))
    return product(ops.transpose(first), dz[0]) + product(ops.transpose(flat[0]), flat[1])
