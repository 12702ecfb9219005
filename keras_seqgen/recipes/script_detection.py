"""Recipes for the detector of Arabic script, as plain values."""

import dataclasses
from pathlib import Path

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.recipes.optimizers import OPTIMIZER_SETTINGS, make_optimizer


@dataclasses.dataclass(frozen=True)
class ScriptRecipe:
    """One way to train a network that tells the script of each frame of a line.

    Attributes:
        picture_filters: channels of a convolution over time and rows, 3 x 3 in steps of 2 x 2, that comes first and
            halves the line; 0: none.
        filters, kernel, stride: a convolution over time before the recurrent layers, that shortens the line by
            `stride`; 0 filters: none.
        units, depth, cell, dropout: of the recurrent layers (see `models.frame_labeller`).
        noise, masks, mask_frames: how training lines are distorted (see `data.distortion.Distortion`).
        optimizer: "adam" or "sgd".
        learning_rate: of the sum of nats over a batch.
        beta_2: of Adam.
        momentum: of SGD.
        weight_decay: of Adam, decoupled; 0 for none.
        clip_norm: bound on the length of the gradient, in nats per line of the batch; 0 for none.
        updates: the length of the whole run, over whose last half the rate falls in a line to a hundredth; 0: the rate
            stays, and the run has no end.
        average: momentum of the running average of the weights that is evaluated and kept, 0 for none.
        batch_size: lines per update.
        steps_per_epoch: updates between two validations.
        patience: the run ends after so many validations without a better one; 0: never.
        seed: of the initial weights, the order of the lines and their distortion.
        goal: the number to reach.
    """

    picture_filters: int = 16
    filters: int = 64
    kernel: int = 5
    stride: int = 2
    units: int = 64
    depth: int = 2
    cell: str = "peephole_lstm"
    dropout: float = 0.2
    noise: float = 0.1
    masks: int = 0
    mask_frames: int = 0
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    beta_2: float = 0.99
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 10.0
    updates: int = 8_000
    average: float = 0.998
    batch_size: int = 32
    steps_per_epoch: int = 300
    patience: int = 0
    seed: int = 1
    goal: str = "on unseen books: frame accuracy 97 %, F1 of segments 95 %"

    system = "script-detection"
    monitor = "val_frame_error"
    settled = frozenset(("picture_filters", "filters", "kernel", "stride", "units", "depth", "cell", "dropout")) | {
        *OPTIMIZER_SETTINGS
    }

    @property
    def time_stride(self):
        """Frames of the input for one of the network's output."""
        return (2 if self.picture_filters else 1) * (self.stride if self.filters else 1)

    @property
    def loss_scale(self):
        """Lines in a batch."""
        return self.batch_size

    def build(self, data):
        """The compiled model for the prepared folder `data`."""
        import keras

        from keras_seqgen.data.script_classes import CLASSES
        from keras_seqgen.models.frame_labeller import frame_labeller

        keras.utils.set_random_seed(self.seed)
        sizes = {name: getattr(self, name) for name in ("units", "depth", "cell", "dropout")}
        try:
            model = frame_labeller(len(CLASSES), len(unit_of(data).names), convolutions=self._convolutions(), **sizes)
        except ValueError as error:
            raise UserError(str(error)) from error
        self.compile(model)
        return model

    def _convolutions(self):
        picture = ((self.picture_filters, (3, 3), (2, 2)),) if self.picture_filters else ()
        return (*picture, (self.filters, self.kernel, self.stride)) if self.filters else picture

    def compile(self, model):
        """Give the model its loss, the sum of nats over all frames, and its optimiser."""
        import keras

        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        model.compile(optimizer=make_optimizer(self), loss=loss, jit_compile=False)

    def metrics(self):
        """The metric of a validation, before any smoothing."""
        from keras_seqgen.metrics.frame_error import FrameError

        return [FrameError()]

    def evaluation_model(self, model):
        """A model over the same weights."""
        import keras

        return keras.Model(model.input, model.output)

    def copy_weights(self, source, target):
        """Start `target` from the weights of `source`."""
        target.set_weights(source.get_weights())

    def train_batches(self, data, start_step=0):
        """Endless shuffled batches, from update `start_step` on."""
        from keras_seqgen.data.distortion import Distortion
        from keras_seqgen.data.script_batches import script_batches

        distortion = Distortion(noise=self.noise, masks=self.masks, mask_frames=self.mask_frames)
        order = {"seed": self.seed, "start_step": start_step, "repeat": True}
        return script_batches(
            data, "train", self.batch_size, self.time_stride, unit=unit_of(data), distortion=distortion, **order
        )

    def evaluation_batches(self, data, split="valid", run=None):
        """One pass over a split, in the unit of `run` if that was trained on other data.

        Raises:
            UserError: the pictures of `run` became frames in another way.
        """
        from keras_seqgen.data.script_batches import script_batches

        home, unit = data if run is None else run, unit_of(data if run is None else run)
        check_unit(data, home)
        return script_batches(data, split, 32, self.time_stride, unit=unit)


def check_unit(data, home):
    """Raise `UserError` unless the frames of a prepared folder are made as those that a run or a model has learnt."""
    own, other = unit_of(home), unit_of(data)
    if (own.kind, own.names) != (other.kind, other.names):
        raise UserError(f"{data} holds {other.form}; {home} was trained on {own.form}: prepare the data anew")


def unit_of(folder):
    """How the pictures of a prepared folder, of a run or of an exported model's assets became frames.

    Returns:
        A `data.recognition_batches.FrameUnit`.

    Raises:
        UserError: the folder is not one of spliced lines.
    """
    from keras_seqgen.data.line_images import LineForm
    from keras_seqgen.data.recognition_batches import FrameUnit
    from keras_seqgen.data.script_classes import LETTERS

    unit = FrameUnit.load(Path(folder) / "stats.json")
    letters = set(Vocabulary.load(Path(folder) / "vocabulary.json").tokens)
    try:
        LineForm.from_kind(unit.kind, len(unit.names))
        if letters <= set(LETTERS):
            return unit
    except ValueError:
        pass
    raise UserError(f"{folder} holds no frames with their scripts: `keras-seqgen prepare script-detection` writes them")


SCRIPT_RECIPES = {"script-detection": ScriptRecipe()}
