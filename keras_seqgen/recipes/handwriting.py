"""Recipes for handwriting: a network, its data and how it learns, as plain values."""

import dataclasses
import json
from pathlib import Path

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.recipes.optimizers import make_optimizer


@dataclasses.dataclass(frozen=True)
class HandwritingRecipe:
    """One way to train a handwriting network.

    Attributes:
        text: whether the network is given the text (synthesis) or not (prediction).
        units, depth, mixture_components, window_components: the network's sizes.
        weight_noise: "none", "fixed" or "adaptive" (see `layers.weight_noise`).
        noise_stddev: standard deviation of the noise, or where it starts; a run that has "fixed" noise may go on under
            another.
        optimizer: "adam" or "graves-rmsprop".
        learning_rate: of the sum of nats over a batch.
        updates: the length of the whole run, over whose last half the rate falls in a line to a hundredth; 0: the rate
            stays, and the run has no end.
        average: momentum of the running average of the weights that is evaluated and kept, 0 for none.
        batch_size: sequences per update.
        steps_per_epoch: updates between two validations.
        max_points: longer lines are left out of training; `None` keeps all.
        seed: of the initial weights, the order of the data and the noise.
        goal: the number to reach, and whose it is.
    """

    text: bool = True
    units: int = 400
    depth: int = 3
    mixture_components: int = 20
    window_components: int = 10
    weight_noise: str = "none"
    noise_stddev: float = 0.075
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    updates: int = 0
    average: float = 0.995
    batch_size: int = 16
    steps_per_epoch: int = 500
    max_points: int | None = None
    seed: int = 1
    goal: str = ""

    system = "handwriting"
    monitor = "val_nats_per_sequence"
    beta_2 = 0.99  # of Adam
    patience = 0

    @property
    def settled(self):
        """The settings that a begun run keeps."""
        network = ("text", "units", "depth", "mixture_components", "window_components", "weight_noise", "optimizer")
        return {*network, *(("noise_stddev",) if self.weight_noise == "adaptive" else ())}

    @property
    def loss_scale(self):
        """Sequences in a batch."""
        return self.batch_size

    def build(self, data):
        """The compiled model for the prepared folder `data`."""
        import keras

        from keras_seqgen.models import handwriting_prediction, handwriting_synthesis

        for field in ("depth", "mixture_components", "window_components"):
            if getattr(self, field) < 1:
                raise UserError(f"`{field}` must be positive. Received: {field}={getattr(self, field)}")
        keras.utils.set_random_seed(self.seed)
        sizes = {"units": self.units, "depth": self.depth, "mixture_components": self.mixture_components}
        sizes["wrap"] = self.noise(data)
        if not self.text:
            model = handwriting_prediction(**sizes)
        else:
            alphabet = Vocabulary.load(Path(data) / "vocabulary.json")
            model = handwriting_synthesis(len(alphabet), window_components=self.window_components, **sizes)
        self.compile(model)
        return model

    def compile(self, model):
        """Give the model its loss and optimiser."""
        from keras_seqgen.losses import StrokeLoss

        model.compile(optimizer=make_optimizer(self), loss=StrokeLoss(), jit_compile=False)

    def noise(self, data):
        """What wraps each layer: weight noise, or nothing."""
        from keras_seqgen.layers import AdaptiveWeightNoise, WeightNoise

        if self.weight_noise == "none":
            return lambda layer: layer
        if self.weight_noise == "fixed":
            return lambda layer: WeightNoise(layer, self.noise_stddev, name=layer.name)
        if self.weight_noise == "adaptive":
            from keras_seqgen.data.batches import count_lines

            lines = count_lines(data, "train", self.max_points)
            return lambda layer: AdaptiveWeightNoise(layer, 1 / lines, self.noise_stddev, name=layer.name)
        raise UserError(f"`weight_noise` must be none, fixed or adaptive. Received: weight_noise={self.weight_noise}")

    def metrics(self):
        """The metrics of an evaluation."""
        from keras_seqgen.metrics import NatsPerPoint, NatsPerSequence, StrokeError

        return [NatsPerSequence(), NatsPerPoint(), StrokeError()]

    def evaluation_model(self, model):
        """A model over the same weights."""
        import keras

        return keras.Model(model.input, model.output)

    def copy_weights(self, source, target):
        """Start `target` from the weights of `source`, with or without noise."""
        from keras_seqgen.models.handwriting import copy_weights

        copy_weights(source, target)

    def train_batches(self, data, start_step=0):
        """Endless shuffled batches, from update `start_step` on."""
        from keras_seqgen.data.batches import handwriting_batches

        return handwriting_batches(
            data,
            "train",
            self.batch_size,
            with_text=self.text,
            seed=self.seed,
            start_step=start_step,
            repeat=True,
            max_length=self.max_points,
        )

    def evaluation_batches(self, data, split="valid", run=None):
        """One pass over a split, in the unit and the alphabet of `run` if that was trained on other data."""
        from keras_seqgen.data.batches import handwriting_batches
        from keras_seqgen.data.strokes import StrokeStatistics

        home = Path(data if run is None else run)
        statistics = StrokeStatistics.load(home / "stats.json")
        vocabulary = Vocabulary.load(home / "vocabulary.json") if self.text else None
        if vocabulary is not None:
            _check_characters(Path(data), split, vocabulary, home)
        return handwriting_batches(data, split, 64, with_text=self.text, statistics=statistics, vocabulary=vocabulary)


def _check_characters(data, split, vocabulary, home):
    splits = json.loads((data / "stats.json").read_text(encoding="utf-8"))["splits"]
    unknown = sorted(set(splits.get(split, {}).get("characters", {})) - set(vocabulary.ids))
    if unknown:
        raise UserError(
            f"the network of {home} does not know {' '.join(map(repr, unknown[:10]))}, which texts of {data} have: "
            "leave these lines out, or train on such data"
        )
