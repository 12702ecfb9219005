"""A peephole LSTM that reads a text through a soft window: the first layer of the synthesis network."""

import math

import keras
from keras import ops

from keras_seqgen.layers.peephole_lstm import PeepholeLSTMCell, check_positive_integer
from keras_seqgen.layers.peephole_recursion import peephole_gates, peephole_gates_backward, weight_gradient
from keras_seqgen.layers.window_attention import (
    position_dtype,
    read_window,
    window_backward,
    window_parameters,
    window_weights,
)


def window_lstm(z, context, state, weights, mask=None, gradient_clip=None):
    """Run the cell and its window over a whole sequence; the backward pass is written out.

    Args:
        z: (T, B, 4H), x_t W_x + b for every step.
        context: (B, U, C).
        state: h_0 (B, H), c_0 (B, H), w_0 (B, C), kappa_0 (B, K), of `position_dtype`.
        weights: feedback (C + H, 4H), the rows by which w_{t-1} and h_{t-1} enter the gates; peephole (3, H);
            window kernel (H, 3K); window bias (3K,).
        mask: `None` or (T, B, 1) boolean; where it is false the state stays as it was.
        gradient_clip: positive float or `None`, the bound of `peephole_gates`.

    Returns:
        h (T, B, H), w (T, B, C), the last c (B, H) and the last kappa (B, K).
    """
    C = context.shape[-1]

    @ops.custom_gradient
    def sequence(z, context, h_0, c_0, w_0, kappa_0, feedback, peephole, window_kernel, window_bias):
        steps = ops.arange(ops.shape(z)[0])

        def forward_step(carry, t):
            before = carry[:4]
            h, c, w, kappa = before
            entering = z[t] + ops.matmul(ops.concatenate([w, h], axis=-1), feedback)
            h, c, gates = peephole_gates(entering, c, peephole)
            raw = ops.matmul(h, window_kernel) + window_bias
            alpha, beta, kappa, step = window_parameters(raw, kappa)
            w = read_window(window_weights(alpha, beta, kappa, ops.shape(context)[1]), context)
            after = [h, c, w, kappa]
            if mask is not None:
                after = [ops.where(mask[t], new, old) for new, old in zip(after, before, strict=True)]
            carry = [*after, *gates, alpha, beta, step]
            return carry, [after[0], before[1], *carry[2:]]

        init = [h_0, c_0, w_0, kappa_0, h_0, h_0, h_0, h_0, kappa_0, kappa_0, kappa_0]
        (_, c_last, _, kappa_last, *_), (h, c_before, w, kappa, *gates, alpha, beta, step) = ops.scan(
            forward_step, init, steps
        )

        def backward(*args, upstream=None):
            dh_all, dw_all, dc_last, dkappa_last = upstream or (args if len(args) == 4 else args[0])
            feedback_transposed, window_transposed = ops.transpose(feedback), ops.transpose(window_kernel)

            def backward_step(carry, t):
                dz, dc, dkappa, _, _, c, *dpeephole = carry[:9]
                fed_back = ops.matmul(dz, feedback_transposed)
                dw, dh = dw_all[t] + fed_back[:, :C], dh_all[t] + fed_back[:, C:]
                if mask is not None:
                    dw, dh = dw + carry[9], dh + carry[10]
                window = [x[t] for x in (alpha, beta, kappa, step)]
                draw, dkappa_previous = window_backward(dw, dkappa, context, *window)
                dh_gates = dh + ops.matmul(ops.cast(draw, dh.dtype), window_transposed)
                gates_t = [gate[t] for gate in gates]
                new = peephole_gates_backward(dh_gates, dc, c_before[t], h[t], c, gates_t, peephole, gradient_clip)
                new = [dkappa_previous, draw, dw, *new]
                if mask is not None:
                    held = [dkappa, *(ops.zeros_like(x) for x in (draw, dw, dz)), dc, *[ops.zeros_like(dc)] * 3]
                    new = [ops.where(mask[t], x, y) for x, y in zip(new, held, strict=True)]
                dkappa, draw, dw_read, dz, dc, *shares = new
                dpeephole = [total + share for total, share in zip(dpeephole, shares, strict=True)]
                carry = [dz, dc, dkappa, draw, dw_read, c_before[t], *dpeephole]
                if mask is not None:
                    carry += [ops.where(mask[t], 0, dw), ops.where(mask[t], 0, dh)]
                return carry, carry

            draw_0, zeros = ops.tile(ops.zeros_like(kappa_0), (1, 3)), ops.zeros_like(c_0)
            init = [ops.zeros_like(z[0]), dc_last, dkappa_last, draw_0, ops.zeros_like(w_0), c_last, *[zeros] * 3]
            if mask is not None:
                init += [ops.zeros_like(w_0), zeros]
            (dz_first, dc_0, dkappa_0, _, _, _, *rest), (dz, _, _, draw, dw, *_) = ops.scan(
                backward_step, init, steps, reverse=True
            )
            dpeephole, held = rest[:3], rest[3:]
            fed_back = ops.matmul(dz_first, feedback_transposed)
            dw_0, dh_0 = fed_back[:, :C], fed_back[:, C:]
            if mask is not None:
                dw_0, dh_0 = dw_0 + held[0], dh_0 + held[1]
            dfeedback = ops.concatenate([weight_gradient(w_0, w, dz), weight_gradient(h_0, h, dz)], axis=0)
            draw = ops.cast(draw, h.dtype)
            return (
                dz,
                context_gradient(alpha, beta, kappa, dw, ops.shape(context)[1]),
                dh_0,
                dc_0,
                dw_0,
                dkappa_0,
                dfeedback,
                ops.stack([ops.sum(share, axis=0) for share in dpeephole]),
                ops.einsum("tbh,tbk->hk", h, draw),
                ops.sum(draw, axis=(0, 1)),
            )

        return (h, w, c_last, kappa_last), backward

    return sequence(z, context, *state, *weights)


def context_gradient(alpha, beta, kappa, dw, length):
    """dL/dc_u = sum_t phi(t, u) dL/dw_t: (T, B, K) three times, (T, B, C) -> (B, U, C)."""
    distance = kappa[..., None] - ops.arange(1, length + 1, dtype=kappa.dtype)
    phi = ops.sum(alpha[..., None] * ops.exp(-beta[..., None] * distance * distance), axis=2)
    return ops.einsum("tbu,tbc->buc", ops.cast(phi, dw.dtype), dw)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class WindowLSTMCell(PeepholeLSTMCell):
    """One step of a peephole LSTM whose input is joined by what its window read at the step before.

        h_t = PeepholeLSTM([x_t, w_{t-1}], h_{t-1})
        alpha^, beta^, kappa^ = h_t W_w + b_w
        alpha = exp(alpha^)        beta = exp(beta^)        kappa_t = kappa_{t-1} + exp(kappa^)
        w_t = sum_u phi(t, u) c_u,        phi(t, u) = sum_k alpha_k exp(-beta_k (kappa_k - u)^2)

    Args:
        units: H, the number of LSTM cells.
        components: K, the number of Gaussians in the window.
        gradient_clip: see `PeepholeLSTMCell`.

    Call: `cell(inputs (B, D), states, context (B, U, C))` -> `(h (B, H), w (B, C)), states`, the states being h (B, H),
    c (B, H), w (B, C) and kappa (B, K); kappa is float32 even under mixed precision. Rows of `context` that are all
    zero are read as nothing, so padding of the text changes nothing.

    Weights: those of `PeepholeLSTMCell`, `kernel` with D + C rows (x first), and `window_kernel` (H, 3K), `window_bias`
    (3K,). kappa_0 = 0.

    Raises:
        ValueError: `units` or `components` is not a positive integer, or `gradient_clip` is not positive.

    Differs: the paper does not state how the window starts; here the biases give alpha = 1/K, beta = 1 and steps of
    1/25 of a character, the pace of a pen (more than 25 points per character, section 4.1).

    Source: Graves 2013, section 5.1, equations 46 to 52.
    """

    def __init__(self, units, components=10, gradient_clip=None, **kwargs):
        super().__init__(units, gradient_clip=gradient_clip, **kwargs)
        check_positive_integer("components", components)
        self.components = components
        self.autocast = False  # it would coarsen kappa

    def build(self, input_shape, context_shape):
        K, C = self.components, context_shape[-1]
        self.add_lstm_weights(input_shape[-1] + C)
        self.state_size = [self.units, self.units, C, K]

        def bias_initializer(shape, dtype=None):
            return ops.repeat(ops.convert_to_tensor([-math.log(K), 0.0, -math.log(25)], dtype=dtype), K)

        self.window_kernel = self.add_weight(
            (self.units, 3 * K), initializer=keras.initializers.RandomNormal(stddev=0.02), name="window_kernel"
        )
        self.window_bias = self.add_weight((3 * K,), initializer=bias_initializer, name="window_bias")

    def call(self, inputs, states, context, training=None):
        inputs, context = (ops.cast(x, self.compute_dtype) for x in (inputs, context))
        h, c, w, kappa = states
        h, (_, c) = super().call(ops.concatenate([inputs, w], axis=-1), [h, c])
        alpha, beta, kappa = self.window(h, kappa)
        w = read_window(window_weights(alpha, beta, kappa, ops.shape(context)[1]), context)
        return (h, w), [h, c, w, kappa]

    def window(self, h, kappa):
        """Where the window stands after `h` (B, H), from the positions `kappa` (B, K) before: alpha, beta, kappa."""
        kernel, bias = self.window_weights()
        return window_parameters(ops.matmul(h, kernel) + bias, kappa)[:3]

    def window_weights(self):
        """window_kernel and window_bias in the compute dtype."""
        return [ops.cast(weight, self.compute_dtype) for weight in (self.window_kernel, self.window_bias)]

    def get_initial_state(self, batch_size=None):
        *state, kappa = super().get_initial_state(batch_size)
        return [*state, ops.cast(kappa, position_dtype(self.compute_dtype))]

    def get_config(self):
        return {**super().get_config(), "components": self.components}


@keras.saving.register_keras_serializable(package="keras_seqgen")
class WindowLSTM(keras.layers.Layer):
    """`WindowLSTMCell` over sequences, reading a text that stays the same at every step.

    Args:
        units: H, the number of LSTM cells.
        components: K, the number of Gaussians in the window.
        gradient_clip: see `PeepholeLSTMCell`.
        return_state: return the last h, c, w and kappa too.

    Call: `layer([sequences (B, T, D), context (B, U, C)], initial_state=None, mask=None)` -> h (B, T, H), w (B, T, C),
    and with `return_state` the list [h (B, H), c (B, H), w (B, C), kappa (B, K)], which, given as `initial_state`,
    continues the sequence. A masked step leaves the state as it was; masked rows of the context are read as zero.

    Raises:
        ValueError: as `WindowLSTMCell`.

    Example:

        >>> h, w = WindowLSTM(400, components=10, gradient_clip=10.0)([strokes, characters])

    Source: Graves 2013, section 5.1, equations 46 to 52.
    """

    def __init__(self, units, components=10, gradient_clip=None, return_state=False, **kwargs):
        super().__init__(**kwargs)
        self.cell = WindowLSTMCell(
            units, components=components, gradient_clip=gradient_clip, dtype=self.dtype_policy, name="cell"
        )
        self.return_state = return_state
        self.supports_masking = True
        self.autocast = False  # it would coarsen the kappa of a state

    def build(self, input_shape):
        sequences, context = input_shape
        self.cell.build((sequences[0], sequences[-1]), context)

    def call(self, inputs, initial_state=None, mask=None, training=None):
        sequences, context = (ops.cast(x, self.compute_dtype) for x in inputs)
        cell, D = self.cell, inputs[0].shape[-1]
        sequence_mask, context_mask = mask if mask is not None else (None, None)
        if context_mask is not None:
            context = context * ops.cast(context_mask, context.dtype)[..., None]
        if initial_state is None:
            initial_state = cell.get_initial_state(ops.shape(sequences)[0])
        if sequence_mask is not None:
            sequence_mask = ops.cast(ops.swapaxes(sequence_mask, 0, 1)[..., None], "bool")

        kernel, recurrent, peephole, bias = cell.lstm_weights()
        z = ops.matmul(ops.swapaxes(sequences, 0, 1), kernel[:D]) + bias
        weights = [ops.concatenate([kernel[D:], recurrent], axis=0), peephole, *cell.window_weights()]
        h, w, c, kappa = window_lstm(z, context, initial_state, weights, sequence_mask, cell.gradient_clip)
        sequences = ops.swapaxes(h, 0, 1), ops.swapaxes(w, 0, 1)
        return (*sequences, [h[-1], c, w[-1], kappa]) if self.return_state else sequences

    def compute_output_shape(self, input_shape):
        (B, T, _), (_, _, C) = input_shape
        H, K = self.cell.units, self.cell.components
        sequences = (B, T, H), (B, T, C)
        return (*sequences, [(B, H), (B, H), (B, C), (B, K)]) if self.return_state else sequences

    def compute_mask(self, inputs, mask=None):
        mask = None if mask is None else mask[0]
        return (mask, mask, [None] * 4) if self.return_state else (mask, mask)

    def get_config(self):
        cell = {key: getattr(self.cell, key) for key in ("units", "components", "gradient_clip")}
        return {**super().get_config(), **cell, "return_state": self.return_state}
