"""Scheduled sampling: in training, some inputs are what the network itself would have written."""

import keras
from keras import ops

from keras_seqgen.layers.peephole_lstm import check_positive_integer


@keras.saving.register_keras_serializable(package="keras_seqgen")
class ScheduledSampling(keras.layers.Layer):
    """Replaces input tokens by draws from the network's own predictions of them, in training only.

        x~_1 = x_1        x~_{t+1} = draw from softmax(y_t) with probability e, else x_{t+1}
        e = rate * min(1, updates / ramp)

    y_t are the logits of a first pass over the true tokens; the network then reads x~ and is asked for the true next
    tokens. No derivative passes through the draw.

    It is off in every recipe, for its objective is improper (Huszar 2015). Take two tokens, x_2 = x_1, both values
    equally likely. With e = 1 the network reads a draw that knows nothing of the x_1 of this example, so that the best
    Q(x_2 | x_1) is the marginal P(x_2), 1/2: a model that has unlearned what it was given. Of e = 0 alone the true
    conditional probabilities are the optimum. `tests/layers/test_scheduled_sampling.py` trains both.

    Args:
        rate: e at the end, in [0, 1].
        ramp: training calls over which e rises from 0 in a line.
        seed: of the draws; an integer or `None`.

    Call: `layer([tokens (B, T) int32, logits (B, T, V)])` -> (B, T) int32. `logits[:, t]` predicts `tokens[:, t + 1]`;
    V logits are for the ids 1..V. `training=False` returns `tokens`.

    Raises:
        ValueError: `rate` lies outside [0, 1], or `ramp` is not a positive integer.

    Example:

        >>> mixed = ScheduledSampling(0.25, ramp=1000)([tokens, network(tokens)])

    Differs: the paper draws step by step, so that a draw may follow a draw; here all draws follow true tokens (two
    passes, each at the speed of training). For sequences of two tokens it is the same.

    Source: Bengio et al. 2015 (arXiv 1506.03099), section 2.4; Huszar 2015 (arXiv 1511.05101), section 2.
    """

    def __init__(self, rate, ramp=1, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"`rate` must lie in [0, 1]. Received: rate={rate}")
        check_positive_integer("ramp", ramp)
        self.rate, self.ramp, self.seed = float(rate), ramp, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        self.updates = self.add_weight((), initializer="zeros", dtype="float32", trainable=False, name="updates")

    def call(self, inputs, training=None):
        tokens, logits = inputs
        if not training:
            return tokens
        self.updates.assign_add(1.0)
        share = self.rate * ops.minimum(self.updates / self.ramp, 1.0)
        shape = ops.shape(tokens)
        V = logits.shape[-1]
        flat = ops.reshape(ops.stop_gradient(logits), (-1, V))
        drawn = keras.random.categorical(flat, 1, dtype="int32", seed=self.seed_generator) + 1
        drawn = ops.reshape(drawn, shape)[:, :-1]
        chosen = keras.random.uniform(shape, seed=self.seed_generator)[:, 1:] < share
        return ops.concatenate([tokens[:, :1], ops.where(chosen, drawn, tokens[:, 1:])], axis=1)

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs[0].shape, dtype=inputs[0].dtype)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "ramp": self.ramp, "seed": self.seed}
