"""The peephole LSTM of Graves 2013, with his derivative clipping inside back-propagation through time."""

import keras
from keras import ops

from keras_seqgen.layers.peephole_recursion import peephole_gates, peephole_lstm, product_in


def check_positive_integer(name, value):
    """Raise `ValueError` unless `value` is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value}")


def check_gradient_clip(value):
    """Raise `ValueError` unless `value` is `None` or a positive number."""
    if value is not None and not value > 0:
        raise ValueError(f"`gradient_clip` must be None or a positive number. Received: gradient_clip={value}")


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
        product_dtype: of the factors of the products with the two kernels, and of their derivatives, in training:
            "bfloat16" where the processor multiplies such numbers faster (AVX512-BF16, AMX, a GPU). Gates, state and
            weights keep their dtype, and so does everything outside training. `None`: the compute dtype.
        **kwargs: of `keras.layers.RNN`: `go_backwards`, `stateful`, `name`, `dtype`.

    Call: `layer(sequences (B, T, D), initial_state=None, mask=None)` -> (B, T, H) or (B, H), in the compute dtype, and
    with `return_state` also h and c, each (B, H). A step with a false mask leaves the state as it was.

    Raises:
        ValueError: as `PeepholeLSTMCell`, or an unknown `product_dtype`.

    Example:

        >>> PeepholeLSTM(400, return_sequences=True, gradient_clip=10.0)(strokes)

    Source: Graves 2013, sections 2 and 2.1.
    """

    def __init__(
        self,
        units,
        return_sequences=False,
        return_state=False,
        gradient_clip=None,
        use_kernel=True,
        product_dtype=None,
        **kwargs,
    ):
        if product_dtype not in (None, "float32", "bfloat16"):  # float16 would overflow in a sum over a batch
            raise ValueError(f"`product_dtype` must be None, float32 or bfloat16. Received: {product_dtype=}")
        cell = PeepholeLSTMCell(units, gradient_clip, use_kernel, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, return_sequences=return_sequences, return_state=return_state, **kwargs)
        self.product_dtype = product_dtype

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
        product_dtype = self.product_dtype if training else None
        entering = x if kernel is None else product_in(product_dtype, x, kernel, self.compute_dtype)
        z, (h_0, c_0) = entering + bias, initial_state
        h, c_last = peephole_lstm(z, h_0, c_0, recurrent, peephole, mask, cell.gradient_clip, product_dtype)
        return h[-1], ops.swapaxes(h, 0, 1), [h[-1], c_last]

    @property
    def units(self):
        return self.cell.units

    def get_config(self):
        config = super().get_config()
        del config["cell"]
        own = {key: getattr(self.cell, key) for key in ("units", "gradient_clip", "use_kernel")}
        return {**config, **own, "product_dtype": self.product_dtype}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
