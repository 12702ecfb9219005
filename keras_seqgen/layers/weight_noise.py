"""Wrappers that train a layer under noisy weights: of a fixed size (Graves 2013) or of a learned one (Graves 2011)."""

import inspect
import math

import keras
from keras import ops

from keras_seqgen.layers.table_normal import table_normal
from keras_seqgen.layers.token_embedding import FEW, TokenEmbedding, rows_in_use


class _WeightsScope(keras.StatelessScope):
    """Lends variables other values and keeps what is assigned meanwhile: seeds, statistics, a stateful RNN's state."""

    def __init__(self, values):
        whole = [(variable, value) for variable, value in values if value.shape == variable.shape]
        super().__init__(whole, collect_losses=True)
        for variable, value in values:  # the rest: cut tables, which Keras would refuse
            self.state_mapping.setdefault(id(variable), value)
        self.updates = {}

    def add_update(self, update):
        super().add_update(update)
        self.updates[id(update[0])] = update


class NoisyWeights(keras.layers.Wrapper):
    """Calls the layer with `draw(weights)` in place of its trainable weights while training, and plainly otherwise.

    The wrapper itself is float32 and casts nothing: noise and KL are computed at the weights' own precision. The layer
    keeps its dtype policy and casts the noisy weights as it would have cast its own.

    Normal numbers for large weights come from a table: `layers.table_normal`.

    Of a large `TokenEmbedding` only the rows that a call reads are drawn: most of the 40 M weights of 10,000 one-hot
    words are not.
    """

    def __init__(self, layer, seed=None, **kwargs):
        super().__init__(layer, **{**kwargs, "dtype": "float32"}, autocast=False)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = layer.supports_masking

    @property
    def cell(self):
        return self.layer.cell

    def draw(self, weights, pick=lambda value: value):
        """The noisy weights; `pick` takes from a tensor of a weight's shape the rows that `weights` are cut to."""
        raise NotImplementedError

    def call(self, inputs, initial_state=None, mask=None, training=None):
        arguments = self._layer_arguments(initial_state, mask)
        trained, state = self.layer.trainable_variables, self.layer.non_trainable_variables
        if not (training and trained):
            return self.layer(inputs, **arguments)
        weights = [ops.convert_to_tensor(v) for v in trained]
        if isinstance(self.layer, TokenEmbedding) and self.layer.vocabulary_size > FEW:
            inputs, pick = rows_in_use(inputs, self.layer.vocabulary_size)
            noisy = self.draw([pick(w) for w in weights], pick)
        else:
            noisy = self.draw(weights)
        values = [*zip(trained, noisy, strict=True), *((v, ops.convert_to_tensor(v)) for v in state)]
        with _WeightsScope(values) as scope:
            outputs = self.layer(inputs, **arguments)
        for variable, value in scope.updates.values():
            variable.assign(value)
        for loss in scope.losses:
            self.add_loss(loss * 1.0)  # a tensor of our own: the layer would report the same one a second time
        return outputs

    def _normal(self, weight):
        return table_normal(ops.shape(weight), self.seed_generator, weight.dtype)

    def _layer_arguments(self, initial_state, mask):
        arguments = {} if initial_state is None else {"initial_state": initial_state}
        if mask is not None and "mask" in inspect.signature(self.layer.call).parameters:
            arguments["mask"] = mask
        return arguments

    def compute_mask(self, inputs, mask=None):
        return self.layer.compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs, initial_state=None, mask=None, training=None):
        return self.layer.compute_output_spec(inputs, **self._layer_arguments(initial_state, mask))

    def get_config(self):
        config = super().get_config()
        del config["dtype"]
        return {**config, "seed": self.seed}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return super().from_config(dict(config), custom_objects)  # Keras takes the layer out of the dict it is given


@keras.saving.register_keras_serializable(package="keras_seqgen")
class WeightNoise(NoisyWeights):
    """Gaussian noise of a fixed size on every trainable weight of a layer, in training only.

        w' = w + stddev * n,    n ~ N(0, I), drawn once per call;    dL/dw = dL/dw'

    Args:
        layer: any Keras layer; `.layer` is it, and `.cell` its cell if it has one. Its weights keep their names and
            order, so that `noisy.layer.set_weights(plain.get_weights())` carries a trained layer over.
        stddev: standard deviation of the noise.
        seed: of the noise; an integer or `None`.

    Call: as the layer, inputs of any structure, with `initial_state` and `mask` where the layer takes them.
    `training=False` is exactly the layer. Mixed precision: the noise is added in float32.

    Raises:
        ValueError: `stddev` is negative.

    Example:

        >>> layer = WeightNoise(keras.layers.LSTM(400, return_sequences=True), stddev=0.075)

    Differs: the paper draws the noise once per training sequence, here once per call, that is per batch.

    Source: Graves 2013 (arXiv 1308.0850), section 3.1.
    """

    def __init__(self, layer, stddev=0.075, seed=None, **kwargs):
        super().__init__(layer, seed=seed, **kwargs)
        if not stddev >= 0:
            raise ValueError(f"`stddev` must not be negative. Received: stddev={stddev}")
        self.stddev = float(stddev)

    def draw(self, weights, pick=lambda value: value):
        return [w + self.stddev * self._normal(w) for w in weights]

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}


def gaussian_kl(means, log_variances):
    """KL(q || p) in nats, q = prod_i N(mean_i, variance_i), p = prod_i N(m, v) with the best m and v.

        m = 1/W sum_i mean_i        v = 1/W sum_i (variance_i + (mean_i - m)^2)
        KL(q || p) = 1/2 sum_i (log v - log variance_i)

    The quadratic terms of the KL add up to nothing at these m and v.

    Args:
        means, log_variances: lists of tensors of the same shapes, W values in all.

    Source: Graves 2011, "Practical variational inference for neural networks", section 4.2, Gaussian prior.
    """
    count = sum(math.prod(mean.shape) for mean in means)
    m = sum(ops.sum(mean) for mean in means) / count
    pairs = list(zip(means, log_variances, strict=True))
    v = sum(ops.sum(ops.exp(log_variance) + ops.square(mean - m)) for mean, log_variance in pairs) / count
    log_v = ops.log(v)
    return 0.5 * sum(ops.sum(log_v - log_variance) for log_variance in log_variances)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class AdaptiveWeightNoise(NoisyWeights):
    """Weights with a learned mean and a learned variance: the layer is trained as a variational posterior.

        w' = w + exp(s / 2) * n,    n ~ N(0, I), drawn once per call
        loss = nats + KL(q || p),    q = N(w, exp(s)), p = N(m, v), m and v fitted to all weights of the layer

    The mean is the layer's own weight, which inference uses; s, the log variance, is a weight of the wrapper.

    Args:
        layer: see `WeightNoise`; `adaptive.layer.set_weights(noisy.layer.get_weights())` starts from a trained layer,
            as the paper does.
        kl_weight: 1 / N, N the number of training sequences. The objective of an epoch is the sum of the nats of all N
            sequences plus one KL. A call on a batch of B adds `kl_weight * B * KL`, which over the epoch makes one KL,
            whatever the batches. That is for a loss summed over the batch; for one averaged over W values divide by W.
        initial_stddev: standard deviation of every weight at the start.
        seed: of the noise; an integer or `None`.

    Call: see `WeightNoise`. The KL is float32 and is added, with `add_loss`, in training only. A layer that is called
    twice in a batch counts its KL twice.

    Raises:
        ValueError: `kl_weight` is negative or `initial_stddev` is not positive.

    Example:

        >>> layer = AdaptiveWeightNoise(keras.layers.LSTM(400, return_sequences=True), kl_weight=1 / 5364)

    Differs: the paper estimates the derivative of the variance from squared derivatives, 1/2 (dL/dw')^2, a diagonal
    Fisher approximation; here it is that of the sampled loss itself, dL/ds = 1/2 exp(s / 2) n dL/dw', which has no
    bias. The prior is one per layer, not one per network. Noise is drawn per batch, not per sequence.

    Source: Graves 2011, "Practical variational inference for neural networks", section 4.2; Graves 2013, section 4.2.
    """

    def __init__(self, layer, kl_weight, initial_stddev=0.075, seed=None, **kwargs):
        super().__init__(layer, seed=seed, **kwargs)
        if not kl_weight >= 0:
            raise ValueError(f"`kl_weight` must not be negative. Received: kl_weight={kl_weight}")
        if not initial_stddev > 0:
            raise ValueError(f"`initial_stddev` must be positive. Received: initial_stddev={initial_stddev}")
        self.kl_weight = float(kl_weight)
        self.initial_stddev = float(initial_stddev)

    def build(self, input_shape):
        super().build(input_shape)
        start = keras.initializers.Constant(2.0 * math.log(self.initial_stddev))
        self.log_variances = [
            self.add_weight(shape=w.shape, initializer=start, dtype=w.dtype, name=f"{w.name}_{i}_log_variance")
            for i, w in enumerate(self.layer.trainable_variables)
        ]

    def draw(self, weights, pick=lambda value: value):
        log_variances = [pick(ops.convert_to_tensor(s)) for s in self.log_variances]
        return [w + ops.exp(0.5 * s) * self._normal(w) for w, s in zip(weights, log_variances, strict=True)]

    def call(self, inputs, initial_state=None, mask=None, training=None):
        outputs = super().call(inputs, initial_state=initial_state, mask=mask, training=training)
        if training and self.layer.trainable_variables:
            batch_size = ops.cast(ops.shape(keras.tree.flatten(inputs)[0])[0], "float32")
            self.add_loss(self.kl_weight * batch_size * self.kl())
        return outputs

    def kl(self):
        """KL(q || p) of the layer's weights, nats, a float32 scalar."""
        means = [ops.convert_to_tensor(w) for w in self.layer.trainable_variables]
        return ops.cast(gaussian_kl(means, [ops.convert_to_tensor(s) for s in self.log_variances]), "float32")

    def get_config(self):
        return {**super().get_config(), "kl_weight": self.kl_weight, "initial_stddev": self.initial_stddev}
