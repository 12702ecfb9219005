"""The peephole LSTM of Graves 2013, with his derivative clipping inside back-propagation through time."""

import keras
from keras import ops

from keras_seqgen.layers.gradient_clip import clip_gradient


def check_positive_integer(name, value):
    """Raise `ValueError` unless `value` is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value}")


def check_gradient_clip(value):
    """Raise `ValueError` unless `value` is `None` or a positive number."""
    if value is not None and not value > 0:
        raise ValueError(f"`gradient_clip` must be None or a positive number. Received: gradient_clip={value}")


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


def peephole_lstm(z, h_0, c_0, recurrent_kernel, peephole, mask=None, gradient_clip=None):
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

    Returns:
        h (T, B, H) for every step, and the last c (B, H).
    """

    @ops.custom_gradient
    def sequence(z, h_0, c_0, recurrent_kernel, peephole):
        steps = ops.arange(ops.shape(z)[0])

        def forward_step(carry, t):
            h_previous, c_previous = carry[:2]
            h, c, gates = peephole_gates(z[t] + ops.matmul(h_previous, recurrent_kernel), c_previous, peephole)
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
                dh = dh_all[t] + ops.matmul(dz, recurrent_transposed)
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
            dh_0 = sum(dpeephole[3:], ops.matmul(dz_first, recurrent_transposed))
            drecurrent = weight_gradient(h_0, h, dz)
            return dz, dh_0, dc_0, drecurrent, ops.stack([ops.sum(share, axis=0) for share in dpeephole[:3]])

        return (h, c_last), backward

    return sequence(z, h_0, c_0, recurrent_kernel, peephole)


def weight_gradient(first, later, dz):
    """x_0^T dz_0 + sum_t x_t^T dz_{t+1}, for a state that enters one step after it was made.

    Args:
        first: (B, D), what enters the first step.
        later: (T, B, D), what each step makes; the last enters nothing.
        dz: (T, B, N).

    Returns:
        (D, N).
    """
    flat = ops.reshape(later[:-1], (-1, later.shape[-1])), ops.reshape(dz[1:], (-1, dz.shape[-1]))
    return ops.matmul(ops.transpose(first), dz[0]) + ops.matmul(ops.transpose(flat[0]), flat[1])


@keras.saving.register_keras_serializable(package="keras_seqgen")
class PeepholeLSTMCell(keras.layers.Layer):
    """One step of a peephole LSTM: the gates i and f look at c_{t-1}, the gate o at c_t, each through a diagonal.

        z = x_t W + h_{t-1} R + b
        i = sigmoid(z_i + p_i * c_{t-1})        f = sigmoid(z_f + p_f * c_{t-1})        g = tanh(z_c)
        c_t = f * c_{t-1} + i * g               o = sigmoid(z_o + p_o * c_t)            h_t = o * tanh(c_t)

    Args:
        units: H, the number of cells.
        gradient_clip: `None`, or the bound on the derivative of the loss with respect to the argument of each gate's
            sigmoid and the input's tanh (Graves: 1 for text, 10 for handwriting).
        use_kernel: without a kernel the input is what enters the gates, (B, 4H): rows of a table, for one-hot tokens.

    Call: `cell(inputs (B, D), states [h (B, H), c (B, H)])` -> `h (B, H), [h, c]`.

    Weights: `kernel` (D, 4H), `recurrent_kernel` (H, 4H), `bias` (4H,), gates in the order i, f, c, o as in
    `keras.layers.LSTM`; `peephole_kernel` (3, H) in the order i, f, o. The forget gate's bias starts at 1.

    Raises:
        ValueError: `units` is not a positive integer, `gradient_clip` is not positive, or an input without a kernel is
            not 4H wide.

    Differs: the paper does not state its initialisation; this is that of `keras.layers.LSTM`, with peepholes at zero.

    Example:

        >>> layer = keras.layers.RNN(PeepholeLSTMCell(100), return_sequences=True)

    Source: Graves 2013 (arXiv 1308.0850), section 2, equations 7 to 11; Gers, Schraudolph and Schmidhuber 2002.
    """

    def __init__(self, units, gradient_clip=None, use_kernel=True, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("units", units)
        check_gradient_clip(gradient_clip)
        self.units = units
        self.gradient_clip = gradient_clip
        self.use_kernel = use_kernel
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape):
        self.add_lstm_weights(input_shape[-1])

    def add_lstm_weights(self, input_size):
        """Create the four weights for inputs of `input_size` numbers."""
        H = self.units

        def bias_initializer(shape, dtype=None):
            return ops.concatenate([ops.zeros(H, dtype), ops.ones(H, dtype), ops.zeros(2 * H, dtype)])

        self.kernel = None
        if self.use_kernel:
            self.kernel = self.add_weight((input_size, 4 * H), initializer="glorot_uniform", name="kernel")
        elif input_size != 4 * H:
            raise ValueError(f"without a kernel the input must be 4 x units = {4 * H} wide. Received: {input_size}")
        self.recurrent_kernel = self.add_weight((H, 4 * H), initializer="orthogonal", name="recurrent_kernel")
        self.peephole_kernel = self.add_weight((3, H), initializer="zeros", name="peephole_kernel")
        self.bias = self.add_weight((4 * H,), initializer=bias_initializer, name="bias")

    def call(self, inputs, states, training=None):
        h, c = states
        kernel, recurrent, peephole, bias = self.lstm_weights()
        z = (inputs if kernel is None else ops.matmul(inputs, kernel)) + ops.matmul(h, recurrent) + bias
        h, c, _ = peephole_gates(z, c, peephole, self.gradient_clip)
        return h, [h, c]

    def lstm_weights(self):
        """kernel (or `None`), recurrent_kernel, peephole_kernel and bias in the compute dtype."""
        weights = self.kernel, self.recurrent_kernel, self.peephole_kernel, self.bias
        return [None if weight is None else ops.cast(weight, self.compute_dtype) for weight in weights]

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in self.state_size]

    def get_config(self):
        own = {"units": self.units, "gradient_clip": self.gradient_clip, "use_kernel": self.use_kernel}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_seqgen")
class PeepholeLSTM(keras.layers.RNN):
    """A peephole LSTM over sequences: `PeepholeLSTMCell` at every step, with a backward pass of its own.

    Args:
        units: H, the number of cells.
        return_sequences: return every h_t rather than the last.
        return_state: return the last h and c too.
        gradient_clip, use_kernel: see `PeepholeLSTMCell`.
        **kwargs: of `keras.layers.RNN`: `go_backwards`, `stateful`, `name`, `dtype`.

    Call: `layer(sequences (B, T, D), initial_state=None, mask=None)` -> (B, T, H) or (B, H), in the compute dtype, and
    with `return_state` also h and c, each (B, H). A step with a false mask leaves the state as it was.

    Raises:
        ValueError: as `PeepholeLSTMCell`.

    Example:

        >>> PeepholeLSTM(400, return_sequences=True, gradient_clip=10.0)(strokes)

    Source: Graves 2013, sections 2 and 2.1.
    """

    def __init__(
        self, units, return_sequences=False, return_state=False, gradient_clip=None, use_kernel=True, **kwargs
    ):
        cell = PeepholeLSTMCell(units, gradient_clip, use_kernel, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, return_sequences=return_sequences, return_state=return_state, **kwargs)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        cell = self.cell
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        x = ops.cast(ops.swapaxes(sequences, 0, 1), self.compute_dtype)
        if mask is not None:
            mask = ops.cast(ops.swapaxes(mask, 0, 1)[..., None], "bool")
        if self.go_backwards:
            x = ops.flip(x, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)
        kernel, recurrent, peephole, bias = cell.lstm_weights()
        z, (h_0, c_0) = (x if kernel is None else ops.matmul(x, kernel)) + bias, initial_state
        h, c_last = peephole_lstm(z, h_0, c_0, recurrent, peephole, mask, cell.gradient_clip)
        return h[-1], ops.swapaxes(h, 0, 1), [h[-1], c_last]

    @property
    def units(self):
        return self.cell.units

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        return {**config, **{key: getattr(self.cell, key) for key in ("units", "gradient_clip", "use_kernel")}}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
