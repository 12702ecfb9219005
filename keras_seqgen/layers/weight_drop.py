"""Dropout of recurrent connections, by a coin (AWD-LSTM) or as noise in proportion to each weight, as a wrapper."""

import math

import keras

from keras_seqgen.layers.weight_noise import NoisyWeights


@keras.saving.register_keras_serializable(package="keras_seqgen")
class WeightDrop(NoisyWeights):
    """DropConnect on a layer's recurrent kernel, in training only.

        R' = R * m,    m ~ Bernoulli(1 - rate) / (1 - rate),    or, `gaussian`, m ~ N(1, rate / (1 - rate))

    Either m has the mean 1 and the same variance; it is drawn once per call.

    Args:
        layer: a recurrent layer; `.layer` is it, and `.cell` its cell.
        rate: the fraction of recurrent weights that are zero during a training call.
        seed: of the masks or factors; an integer or `None`.
        gaussian: whether the weights are noisy instead, by a deviation of sqrt(rate / (1 - rate)) times each.

    Attributes:
        stddev: that of m, sqrt(rate / (1 - rate)); set it, and `rate` becomes stddev^2 / (1 + stddev^2).

    Call: as the layer.

    Raises:
        ValueError: `rate` does not lie in [0, 1), or `stddev` is set to a negative number.

    Example:

        >>> layer = WeightDrop(keras.layers.LSTM(400, return_sequences=True), rate=0.5)

    Source: Merity, Keskar and Socher 2018 (arXiv 1708.02182), section 2; Srivastava et al. 2014, "Dropout", section
    10, and Wen et al. 2018, "Flipout" (arXiv 1803.04386), for Gaussian factors.
    """

    def __init__(self, layer, rate=0.5, seed=None, gaussian=False, **kwargs):
        super().__init__(layer, seed=seed, **kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must lie in [0, 1). Received: rate={rate}")
        self.rate = float(rate)
        self.gaussian = bool(gaussian)

    @property
    def stddev(self):
        return math.sqrt(self.rate / (1 - self.rate))

    @stddev.setter
    def stddev(self, value):
        if not value >= 0:
            raise ValueError(f"`stddev` must not be negative. Received: stddev={value}")
        self.rate = value**2 / (1 + value**2)

    def draw(self, weights, pick=lambda value: value):
        names = [variable.name for variable in self.layer.trainable_variables]
        return [
            self._dropped(weight) if name == "recurrent_kernel" else weight
            for name, weight in zip(names, weights, strict=True)
        ]

    def _dropped(self, weight):
        if self.gaussian:
            return weight * (1 + self.stddev * self._normal(weight))
        return keras.random.dropout(weight, self.rate, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "gaussian": self.gaussian}
