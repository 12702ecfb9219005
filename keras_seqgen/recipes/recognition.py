"""Recipes for recognisers of ink, print and speech, as plain values."""

import dataclasses
from pathlib import Path

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.recipes.optimizers import OPTIMIZER_SETTINGS, make_optimizer

BLANK_ID = 1  # of the blank between words: the pipeline makes it the first character of every vocabulary


@dataclasses.dataclass(frozen=True)
class RecognitionRecipe:
    """One way to train a network that reads.

    Attributes:
        system: what it reads: "ink-recognition", "text-lines" or "speech", as `keras-seqgen prepare` has them.
        features: what the prepared folder has to hold: of ink "raw" or "preprocessed" (see `data.ink_features`); "" is
            whatever the system has.
        picture_filters: channels of a convolution over time and features, 3 x 3 in steps of 2 x 2, that comes first and
            halves the line; 0: none.
        filters, kernel, stride: a convolution over time before the recurrent layers, that shortens the line by
            `stride`; 0 filters: none.
        units, depth, cell, dropout: of the recurrent layers (see `models.ctc_recogniser`).
        hidden: units of a dense layer behind them; 0: none.
        activation: of convolutions and of the dense layer: "relu" or "clipped_relu" (Deep Speech).
        centred: whether a line's own mean is taken off its frames: a microphone's colour, in speech.
        noise, masks, mask_frames, slant, turn, scale, stretch, warp, room: how training lines are distorted (see
            `data.distortion.Distortion`).
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
        goal: the number to reach, and whose it is.
    """

    system: str = "ink-recognition"
    features: str = "preprocessed"
    picture_filters: int = 0
    filters: int = 0
    kernel: int = 5
    stride: int = 1
    units: int = 100
    depth: int = 1
    cell: str = "lstm"
    hidden: int = 0
    activation: str = "relu"
    dropout: float = 0.0
    centred: bool = False
    noise: float = 0.0
    masks: int = 0
    mask_frames: int = 0
    slant: float = 0.0
    turn: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    warp: float = 0.0
    room: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    beta_2: float = 0.99
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 5.0
    updates: int = 0
    average: float = 0.0
    batch_size: int = 32
    steps_per_epoch: int = 500
    patience: int = 0
    seed: int = 1
    goal: str = ""

    monitor = "val_cer"
    settled = frozenset(
        ("system", "features", "picture_filters", "filters", "kernel", "stride", "units", "depth", "cell", "hidden")
    ) | {"activation", "dropout", "centred", *OPTIMIZER_SETTINGS}

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

        from keras_seqgen.data.recognition_batches import FrameUnit
        from keras_seqgen.layers.clipped_relu import clipped_relu
        from keras_seqgen.models.ctc_recogniser import ctc_recogniser

        activations = {"relu": "relu", "clipped_relu": clipped_relu}
        if self.activation not in activations:
            raise UserError(f"`activation` must be relu or clipped_relu. Received: activation={self.activation}")
        activation = activations[self.activation]
        keras.utils.set_random_seed(self.seed)
        unit = self._unit(data, FrameUnit)
        try:
            model = ctc_recogniser(
                len(Vocabulary.load(Path(data) / "vocabulary.json")),
                features=len(unit.names),
                units=self.units,
                depth=self.depth,
                cell=self.cell,
                convolutions=self._convolutions(),
                hidden=(self.hidden,) if self.hidden else (),
                activation=activation,
                dropout=self.dropout,
                centred=self.centred,
            )
        except ValueError as error:
            raise UserError(str(error)) from error
        self.compile(model)
        return model

    def _convolutions(self):
        picture = ((self.picture_filters, (3, 3), (2, 2)),) if self.picture_filters else ()
        return (*picture, (self.filters, self.kernel, self.stride)) if self.filters else picture

    def compile(self, model):
        """Give the model its loss and optimiser."""
        from keras_seqgen.losses import CTCLoss

        model.compile(optimizer=make_optimizer(self), loss=CTCLoss(reduction="sum"), jit_compile=False)

    def metrics(self):
        """The metrics of a validation, of the best path."""
        from keras_seqgen.metrics import CharacterErrorRate, WordErrorRate

        return [CharacterErrorRate(), WordErrorRate(BLANK_ID)]

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
        from keras_seqgen.data.recognition_batches import FrameUnit, recognition_batches

        names = [field.name for field in dataclasses.fields(Distortion)]
        distortion = Distortion(**{name: getattr(self, name) for name in names})
        return recognition_batches(
            data,
            "train",
            self.batch_size,
            seed=self.seed,
            start_step=start_step,
            repeat=True,
            unit=self._unit(data, FrameUnit),
            distortion=distortion,
            shortest=2 * self.time_stride,  # one of the network's frames for a character, one for a blank before it
        )

    def evaluation_batches(self, data, split="valid", run=None):
        """One pass over a split, in the unit and the alphabet of `run` if that was trained on other data.

        Raises:
            UserError: the run was trained on features of another kind.
        """
        from keras_seqgen.data.recognition_batches import FrameUnit, recognition_batches

        home = Path(data if run is None else run)
        vocabulary = Vocabulary.load(home / "vocabulary.json")
        unit = self._unit(home, FrameUnit)
        if (kind := self._unit(data, FrameUnit).kind) != unit.kind:
            raise UserError(f"{data} holds {kind} features; {home} was trained on {unit.kind} ones")
        return recognition_batches(data, split, 64, vocabulary=vocabulary, unit=unit)

    def _unit(self, folder, loader):
        """The features of a folder, which have to be the recipe's."""
        from keras_seqgen.data.line_images import LineForm
        from keras_seqgen.data.speech_features import SpeechForm

        unit = loader.load(Path(folder) / "stats.json")
        if self.features and unit.kind != self.features:
            ink = self.system == "ink-recognition"
            hint = f": `keras-seqgen prepare {self.system} --features {self.features}` writes them" if ink else ""
            raise UserError(f"{folder} holds {unit.kind} features; this recipe reads {self.features} ones{hint}")
        try:
            if self.system == "text-lines":
                LineForm.from_kind(unit.kind, len(unit.names))
            elif self.system == "speech":
                SpeechForm.from_kind(unit.kind, len(unit.names))
        except ValueError as error:
            raise UserError(
                f"{folder} holds {unit.kind} features; this recipe reads those of `keras-seqgen prepare {self.system}`"
            ) from error
        return unit


_PAPER = RecognitionRecipe(
    cell="peephole_lstm",
    average=0.99,
    updates=3_000,  # the validation lines get worse after some 2,500 at the full rate
    goal="CER 11.5 %, WER 26.0 % (Graves 2008, preprocessed); 20.4 % with a language model",
)
_MODERN = RecognitionRecipe(
    cell="peephole_lstm",  # a quarter faster to train here than Keras's LSTM
    filters=128,
    kernel=7,
    stride=3,
    units=160,  # of more, the recurrent weights leave the cache of a core: 192 take twice as long an update
    depth=3,
    dropout=0.3,
    noise=0.1,
    masks=3,
    mask_frames=12,
    learning_rate=1.5e-3,
    average=0.998,
    updates=16_000,
    goal="CER 10 %, better 5 %; WER 20.4 % with a language model (Graves 2008)",
)
_PRINT = RecognitionRecipe(
    system="text-lines",
    features="",
    cell="peephole_lstm",
    picture_filters=16,
    filters=96,
    kernel=3,
    stride=2,
    units=128,
    depth=2,
    dropout=0.3,
    noise=0.2,
    masks=3,
    mask_frames=12,
    average=0.998,
    updates=15_000,
    steps_per_epoch=300,
    goal="CER 8 % on an unseen book (Adab), 3 % on unseen lines of the training books, without a language model",
)
_SPEECH = RecognitionRecipe(  # the order of layers and the stride of 2 are those of Deep Speech (Hannun et al. 2014)
    system="speech",
    features="",
    filters=96,
    kernel=7,
    stride=2,
    units=128,
    hidden=96,
    activation="clipped_relu",
    dropout=0.2,
    centred=True,  # voices that were not heard in training: less than half the errors on the one that it was tried on
    noise=0.1,
    masks=2,
    mask_frames=10,
    average=0.998,
    updates=8_000,
    steps_per_epoch=400,
    goal="CER 2 % on unseen takes of spoken digits, 95 % of the strings exact with a lexicon",
)
RECOGNITION_RECIPES = {
    "ink-recognition": _MODERN,
    "ink-recognition-raw": dataclasses.replace(
        _MODERN, features="raw", stride=4, mask_frames=18, slant=0.3, turn=0.05, scale=0.15
    ),
    "ink-recognition-paper": _PAPER,
    "ink-recognition-paper-raw": dataclasses.replace(
        _PAPER,
        features="raw",
        goal="CER 13.9 %, WER 30.1 % (Graves 2008, raw); 22.8 % with a language model",
    ),
    "text-lines": _PRINT,
    "speech-digits": _SPEECH,
}
