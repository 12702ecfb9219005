"""Recipes for language models over characters, bytes or words, as plain values."""

import dataclasses
import json
from pathlib import Path

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.recipes.optimizers import OPTIMIZER_SETTINGS, make_optimizer


@dataclasses.dataclass(frozen=True)
class TextRecipe:
    """One way to train a language model.

    Attributes:
        units, depth, cell, embedding, tied, gradient_clip, table_stddev: the network; see
            `models.language.language_model`.
        product_dtype: "bfloat16" for the products of training; see `layers.PeepholeLSTM`.
        dropout_tokens, dropout_input, dropout_hidden, dropout_output: see there.
        dropout_recurrent: fraction of the recurrent weights dropped at each update (`layers.WeightDrop`).
        scheduled_sampling: the share of inputs that the network draws itself at the end of the run, rising over
            `updates`; off, for the reason told at `layers.ScheduledSampling`.
        weight_noise: "none", "fixed" or "adaptive" (see `layers.weight_noise`), or "relative": of the recurrent weights
            alone, in proportion to each (`layers.WeightDrop`, `gaussian`).
        noise_stddev: standard deviation of the noise, or where it starts, or of each weight in units of itself; a run
            that has "fixed" or "relative" noise may go on under another.
        optimizer: "adam" or "sgd".
        learning_rate: of the sum of nats over a batch.
        beta_2: of Adam.
        momentum: of SGD.
        weight_decay: of Adam, decoupled; 0 for none.
        clip_norm: bound on the length of the gradient, in nats per row of the batch; 0 for none.
        updates: the length of the whole run, over whose last half the rate falls in a line to a hundredth; 0: the rate
            stays, and the run has no end.
        average: momentum of the running average of the weights that is evaluated and kept, 0 for none.
        batch_size, length: rows of a batch and tokens in a row: derivatives reach back so far.
        reset_every: batches after which the carried state starts from zero; 0: only where an epoch starts.
        steps_per_epoch: updates between two validations.
        patience: the run ends after so many validations without a better one; 0: never.
        seed: of the initial weights and the noise.
        goal: the number to reach, and whose it is.
    """

    units: int = 1000
    depth: int = 1
    cell: str = "peephole_lstm"
    embedding: int = 0
    tied: bool = False
    gradient_clip: float = 1.0
    product_dtype: str = "float32"
    table_stddev: float = 0.3
    dropout_tokens: float = 0.0
    dropout_input: float = 0.0
    dropout_hidden: float = 0.0
    dropout_output: float = 0.0
    dropout_recurrent: float = 0.0
    scheduled_sampling: float = 0.0
    weight_noise: str = "none"
    noise_stddev: float = 0.075
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    beta_2: float = 0.99
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    updates: int = 0
    average: float = 0.0
    batch_size: int = 32
    length: int = 100
    reset_every: int = 0
    steps_per_epoch: int = 500
    patience: int = 0
    seed: int = 1
    goal: str = ""

    system = "text"
    monitor = "val_nats_per_token"

    @property
    def settled(self):
        """The settings that a begun run keeps."""
        network = ("units", "depth", "cell", "embedding", "tied", "gradient_clip", "weight_noise")
        return {
            *network,
            *(("noise_stddev",) if self.weight_noise == "adaptive" else ()),
            "product_dtype",
            "scheduled_sampling",
            "table_stddev",
            "batch_size",
            "length",
            *OPTIMIZER_SETTINGS,
            *(f"dropout_{part}" for part in ("tokens", "input", "hidden", "output", "recurrent")),
        }

    @property
    def loss_scale(self):
        """Tokens in a batch."""
        return self.batch_size * self.length

    def build(self, data):
        """The compiled model for the prepared folder `data`."""
        import keras

        from keras_seqgen.models.language import language_model

        if self.depth < 1:
            raise UserError(f"`depth` must be positive. Received: depth={self.depth}")
        unused = () if self.embedding else ("dropout_tokens", "dropout_input")[: 1 + (self.cell == "peephole_lstm")]
        for name in unused:
            if getattr(self, name):
                raise UserError(f"`{name}` is of an embedding, which one-hot tokens do not have: --set embedding=...")
        keras.utils.set_random_seed(self.seed)
        vocabulary = Vocabulary.load(Path(data) / "vocabulary.json")
        network: tuple[str, ...] = ("units", "depth", "cell", "embedding", "tied", "batch_size", "scheduled_sampling")
        network += ("table_stddev", "dropout_tokens", "dropout_input", "dropout_hidden", "dropout_output")
        sizes = {name: getattr(self, name) for name in network}
        sizes["gradient_clip"] = self.gradient_clip or None
        sizes["product_dtype"] = None if self.product_dtype == "float32" else self.product_dtype
        sizes["sampling_ramp"] = self.updates or 1
        model = language_model(len(vocabulary), wrap=self.wrap(data), **sizes)
        self.compile(model)
        return model

    def compile(self, model):
        """Give the model its loss and optimiser."""
        from keras_seqgen.losses import TokenLoss

        model.compile(optimizer=make_optimizer(self), loss=TokenLoss(), jit_compile=False)

    def wrap(self, data):
        """What wraps each layer: weight noise, dropped recurrent weights, or nothing."""
        from keras_seqgen.layers import AdaptiveWeightNoise, WeightDrop, WeightNoise

        if self.weight_noise not in ("none", "fixed", "adaptive", "relative"):
            raise UserError(
                f"`weight_noise` must be none, fixed, adaptive or relative. Received: weight_noise={self.weight_noise}"
            )
        if self.tied and self.weight_noise in ("fixed", "adaptive"):
            raise UserError("a tied output has no weight noise: --set tied=false, or weight_noise=none or relative")
        if self.dropout_recurrent and self.weight_noise != "none":
            raise UserError("recurrent weights have noise or dropout: --set dropout_recurrent=0, or weight_noise=none")
        if self.weight_noise == "adaptive" and self.scheduled_sampling:
            raise UserError(
                "scheduled sampling calls each layer twice, which counts the divergence of adaptive noise twice: "
                "--set scheduled_sampling=0, or weight_noise=fixed"
            )
        if self.weight_noise == "fixed":
            return lambda layer: WeightNoise(layer, self.noise_stddev, name=layer.name)
        if self.weight_noise == "adaptive":
            tokens = json.loads((Path(data) / "stats.json").read_text(encoding="utf-8"))["splits"]["train"]["tokens"]
            share = self.length / tokens  # a row of a batch, of the sequences of an epoch
            return lambda layer: AdaptiveWeightNoise(layer, share, self.noise_stddev, name=layer.name)
        gaussian = self.weight_noise == "relative"
        if gaussian and self.noise_stddev < 0:
            raise UserError(f"`noise_stddev` must not be negative. Received: noise_stddev={self.noise_stddev}")
        if not (self.noise_stddev if gaussian else self.dropout_recurrent):
            return lambda layer: layer

        def dropped(layer):
            if "recurrent" not in layer.name:
                return layer
            drop = WeightDrop(layer, self.dropout_recurrent, gaussian=gaussian, name=layer.name)
            if gaussian:
                drop.stddev = self.noise_stddev
            return drop

        return dropped

    def metrics(self):
        """The metrics of an evaluation."""
        from keras_seqgen.metrics import NatsPerToken

        return [NatsPerToken()]

    def evaluation_model(self, model, batch_size=None):
        """A model over the same weights, with a carried state of its own."""
        from keras_seqgen.models.language import with_batch_size

        return with_batch_size(model, batch_size or self.batch_size)

    def copy_weights(self, source, target):
        """Start `target` from the weights of `source`, with or without noise."""
        from keras_seqgen.models.language import copy_weights

        copy_weights(source, target)

    def train_batches(self, data, start_step=0):
        """Endless batches, from update `start_step` on."""
        from keras_seqgen.data.text_batches import text_batches

        return text_batches(
            data,
            "train",
            self.batch_size,
            self.length,
            start_step=start_step,
            repeat=True,
            reset_every=self.reset_every or None,
        )

    def evaluation_batches(self, data, split="valid", run=None, batch_size=None):
        """One pass over a split, every token once, in the ids of `run` if that was trained on other data."""
        from keras_seqgen.data.text_batches import text_batches

        vocabulary = None if run is None else Vocabulary.load(Path(run) / "vocabulary.json")
        return text_batches(data, split, batch_size or self.batch_size, self.length, vocabulary=vocabulary)
