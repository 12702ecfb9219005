"""Dropout of recurrent connections: the regularisation of AWD-LSTM, as a wrapper."""

import keras

from keras_seqgen.layers.weight_noise import NoisyWeights


@keras.saving.register_keras_serializable(package="keras_seqgen")
class WeightDrop(NoisyWeights):
    """DropConnect on a layer's recurrent kernel, in training only.

        R' = R * m / (1 - rate),    m ~ Bernoulli(1 - rate), drawn once per call

    Args:
        layer: a recurrent layer; `.layer` is it, and `.cell` its cell.
        rate: the fraction of recurrent weights that are zero during a training call.
        seed: of the masks; an integer or `None`.

    Call: as the layer.

    Raises:
        ValueError: `rate` does not lie in [0, 1).

    Example:

        >>> layer = WeightDrop(keras.layers.LSTM(400, return_sequences=True), rate=0.5)

    Source: Merity, Keskar and Socher 2018 (arXiv 1708.02182), section 2.
    """

    def __init__(self, layer, rate=0.5, seed=None, **kwargs):
        super().__init__(layer, seed=seed, **kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must lie in [0, 1). Received: rate={rate}")
        self.rate = float(rate)

    def draw(self, weights, pick=lambda value: value):
        names = [variable.name for variable in self.layer.trainable_variables]
        return [
            keras.random.dropout(weight, self.rate, seed=self.seed_generator) if name == "recurrent_kernel" else weight
            for name, weight in zip(names, weights, strict=True)
        ]

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
