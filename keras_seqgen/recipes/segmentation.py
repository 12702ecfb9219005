"""Recipes for segmentation: a network, its data and how it learns, as plain values."""

import dataclasses
import json
import math
from pathlib import Path

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class SegmentationRecipe:
    """One way to train a network that labels pictures.

    Attributes:
        backbone: "small" or "vgg16" (see `models.segmenter`).
        weights: for vgg16, a file of `keras.applications.VGG16`'s weights, or "imagenet" to download them; "": none.
        crf: whether the CRF follows the network.
        iterations, test_iterations: T of the CRF in training and in validation, evaluation and export.
        theta_alpha, theta_beta, theta_gamma: widths of its kernels, in pixels, levels of a colour, pixels.
        spatial_weight, bilateral_weight: at which multiples of the unit matrix its Ws and Wb begin.
        optimizer: "adam" or "sgd".
        learning_rate: of the network, for a loss that is a mean over pixels.
        filter_factor, compatibility_factor: how many times that rate the CRF's Ws and Wb, and its mu, learn with.
        momentum: of SGD.
        weight_decay: of Adam, decoupled; 0 for none.
        updates: the length of the whole run, over whose last half the rate falls in a line to a hundredth; 0: the rate
            stays, and the run has no end.
        average: momentum of the running average of the weights that is evaluated and kept, 0 for none.
        balance: a label that is f of the training pixels weighs f^-balance in the loss; 0: all pixels alike.
        batch_size: pictures per update.
        crop_height, crop_width: of the window of a picture that an update sees; 0: the whole picture.
        zoom: pictures are magnified by 1/zoom to zoom; 1: not at all.
        light: how much contrast and brightness vary (see `data.segmentation`).
        flip: whether every second picture is mirrored.
        steps_per_epoch: updates between two validations.
        patience: the run ends after so many validations without a better one; 0: never.
        seed: of the initial weights and of the order and the changes of the pictures.
        goal: the number to reach, and whose it is.
    """

    backbone: str = "small"
    weights: str = ""
    crf: bool = False
    iterations: int = 5
    test_iterations: int = 10
    theta_alpha: float = 160.0
    theta_beta: float = 3.0
    theta_gamma: float = 3.0
    spatial_weight: float = 3.0
    bilateral_weight: float = 5.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    filter_factor: float = 1.0
    compatibility_factor: float = 1.0
    momentum: float = 0.0
    weight_decay: float = 0.0
    updates: int = 0
    average: float = 0.0
    balance: float = 0.0
    batch_size: int = 8
    crop_height: int = 0
    crop_width: int = 0
    zoom: float = 1.0
    light: float = 0.0
    flip: bool = True
    steps_per_epoch: int = 250
    patience: int = 0
    seed: int = 1
    goal: str = ""

    system = "segmentation"
    monitor = "val_one_minus_mean_iu"
    loss_scale = 1
    settled = frozenset(("backbone", "weights", "crf", "iterations", "theta_alpha", "theta_beta", "theta_gamma")) | {
        *("spatial_weight", "bilateral_weight", "filter_factor", "compatibility_factor"),
        *("optimizer", "momentum", "weight_decay"),
    }

    def check(self):
        """Raises a `UserError` for a value that would be dropped, or fail only after the first updates."""
        if min(self.crop_height, self.crop_width) < 0 or (self.crop_height > 0) != (self.crop_width > 0):
            raise UserError(
                "`crop_height` and `crop_width` must both be positive, or both 0 for the whole picture. "
                f"Received: crop_height={self.crop_height}, crop_width={self.crop_width}"
            )
        if not 1 <= self.zoom < math.inf:
            raise UserError(f"`zoom` must be 1 or more: it magnifies by 1/zoom to zoom. Received: zoom={self.zoom}")
        if not 0 <= self.light < math.inf:
            raise UserError(f"`light` must be 0 or more. Received: light={self.light}")
        for name in ("iterations", "test_iterations"):
            if getattr(self, name) < 0:
                raise UserError(f"`{name}` must be 0 or more. Received: {name}={getattr(self, name)}")

    def build(self, data):
        """The compiled model for the prepared folder `data`."""
        import keras

        from keras_seqgen.models.segmenter import segmenter, with_crf

        self.check()
        keras.utils.set_random_seed(self.seed)
        names = ("iterations", "theta_alpha", "theta_beta", "theta_gamma", "spatial_weight", "bilateral_weight")
        try:
            model = segmenter(labels_of(data).count, self.backbone, crf=False, weights=self.weights or None)
            if self.crf:
                model = with_crf(model, **{name: getattr(self, name) for name in names})
        except ValueError as error:
            raise UserError(str(error)) from error
        self.compile(model)
        return model

    def compile(self, model):
        """Give the model its loss and optimiser."""
        import keras

        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
        model.compile(optimizer=self.make_optimizer(), loss=loss, jit_compile=False)

    def make_optimizer(self):
        """The optimiser that the recipe names, with a rate for each part of the network."""
        from keras_seqgen.training.group_rates import GroupAdam, GroupSGD

        options: dict = {"use_ema": True, "ema_momentum": self.average} if self.average else {}
        options["factors"] = {"crf/": self.filter_factor, "crf/compatibility": self.compatibility_factor}
        if self.optimizer == "adam":
            return GroupAdam(self.learning_rate, weight_decay=self.weight_decay or None, **options)
        if self.optimizer == "sgd":
            return GroupSGD(self.learning_rate, momentum=self.momentum, **options)
        raise UserError(f"`optimizer` must be adam or sgd. Received: optimizer={self.optimizer}")

    def metrics(self):
        """The metrics of a validation."""
        from keras_seqgen.metrics.segmentation import MeanIoU, OneMinusMeanIoU

        return [MeanIoU(), OneMinusMeanIoU()]

    def evaluation_model(self, model):
        """A model over the same weights, with the test's number of CRF iterations."""
        from keras_seqgen.models.segmenter import with_iterations

        return with_iterations(model, self.test_iterations)

    def copy_weights(self, source, target):
        """Start `target` from the weights of `source`, with or without a CRF."""
        from keras_seqgen.models.segmenter import copy_weights

        copy_weights(source, target)

    def train_batches(self, data, start_step=0):
        """Endless shuffled batches, from update `start_step` on; `weight` balances the labels."""
        import tensorflow as tf

        from keras_seqgen.data.segmentation import segmentation_batches

        self.check()
        batches = segmentation_batches(
            data,
            "train",
            self.batch_size,
            seed=self.seed,
            start_step=start_step,
            repeat=True,
            crop=(self.crop_height, self.crop_width) if self.crop_height else None,
            flip=self.flip,
            zoom=(1 / self.zoom, self.zoom) if self.zoom > 1 else None,
            light=self.light,
        )
        if not self.balance:
            return batches
        balance = tf.constant(class_weights(data, self.balance), tf.float32)
        return batches.map(lambda inputs, labels, weight: (inputs, labels, weight * tf.gather(balance, labels)))

    def evaluation_batches(self, data, split="valid", run=None):
        """One pass over a split of data with the labels of `run`, if that was trained on other data."""
        from keras_seqgen.data.segmentation import segmentation_batches

        if run is not None and labels_of(run).count != labels_of(data).count:
            raise UserError(f"{run} knows {labels_of(run).count} labels, {data} has {labels_of(data).count}")
        return segmentation_batches(data, split, 4)


def labels_of(folder):
    """The labels of prepared data, of a run or of an exported model's assets."""
    return LabelSet.load(Path(folder) / "labels.json")


def class_weights(data, balance):
    """f^-balance of each label, f its share of the training pixels, scaled so that a pixel weighs 1 on average.

    A label that does not occur in training has the weight of one that fills a single pixel.
    """
    path = Path(data) / "stats.json"
    try:
        pixels = json.loads(path.read_text(encoding="utf-8"))["splits"]["train"]["class_pixels"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not tell the pixels of each label: {error}") from error
    weights = [max(count, 1) ** -balance for count in pixels]
    mean = sum(count * weight for count, weight in zip(pixels, weights, strict=True)) / max(sum(pixels), 1)
    return [weight / mean for weight in weights]


_FCN = SegmentationRecipe(
    learning_rate=1e-3,
    weight_decay=0.01,
    updates=7_000,
    average=0.995,
    balance=0.5,
    crop_height=256,
    crop_width=320,
    zoom=2.0,
    light=0.2,
    goal="the network alone, which a CRF is to improve",
)
_VOC = SegmentationRecipe(
    backbone="vgg16",
    optimizer="sgd",
    learning_rate=2.5e-5,  # 1e-10 of a sum over 500 x 500 pixels
    momentum=0.99,
    batch_size=1,
    flip=False,
    updates=100_000,
    steps_per_epoch=4_000,
    goal="61.3 mean IU on VOC's reduced val (Zheng et al. 2015); --set weights=FILE names the weights of VGG16",
)
SEGMENTATION_RECIPES = {
    "segmentation-fcn": _FCN,
    "segmentation-crf-rnn": dataclasses.replace(
        _FCN,
        crf=True,
        theta_alpha=320.0,  # this and the next four were chosen on the validation split of CamVid
        theta_beta=30.0,
        theta_gamma=1.0,
        spatial_weight=1.0,
        bilateral_weight=4.0,
        learning_rate=3e-5,
        filter_factor=30.0,
        compatibility_factor=10.0,
        updates=600,
        balance=0.0,  # a balanced loss raises the rare labels again that the CRF takes away, and mean IU falls
        batch_size=2,
        crop_height=0,
        crop_width=0,
        zoom=1.0,
        steps_per_epoch=50,
        goal="more than the network alone and than the CRF after it, begun --from a run of segmentation-fcn",
    ),
    "segmentation-voc-fcn": _VOC,
    "segmentation-voc-crf-rnn": dataclasses.replace(
        _VOC,
        crf=True,
        learning_rate=2.5e-8,  # 1e-13 of a sum over 500 x 500 pixels
        filter_factor=1e4,
        compatibility_factor=1e3,
        updates=0,
        goal="69.6 mean IU on VOC's reduced val, 74.7 on test with COCO (Zheng et al. 2015), begun --from a run of "
        "segmentation-voc-fcn",
    ),
}
