"""`keras-seqgen segment`, and what `evaluate`, `export` and `show` do for segmentation."""

import io
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.systems import default_model, register_classes
from keras_seqgen.data.exif_orientation import upright
from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.errors import UserError
from keras_seqgen.recipes import load_recipe
from keras_seqgen.recipes.segmentation import labels_of

CRF_SETTINGS = ("iterations", "theta_alpha", "theta_beta", "theta_gamma", "spatial_weight", "bilateral_weight")


def evaluate_run(run, recipe, data, split, crf=None) -> dict:
    """The numbers of a run's best weights.

    Args:
        run, recipe, data, split: as everywhere.
        crf: settings of a CRF after a network that was trained without one (`models.segmenter.with_crf`): its numbers
            as post-processing; `None`: the network as it is.
    """
    from keras_seqgen.training.segmentation_scores import score

    model = model_of(run, recipe, crf)
    batches = recipe.evaluation_batches(data, split, run)
    return score(labeller(model), batches, labels_of(run).count).report(labels_of(run))


def evaluate_model(folder, data, split) -> dict:
    """The same numbers of an exported model, by its signature `segment_pixels`."""
    import_tensorflow()
    from keras_seqgen.data.segmentation import segmentation_batches
    from keras_seqgen.serving.saved_segmentation import SavedSegmentation
    from keras_seqgen.training.segmentation_scores import score

    model = SavedSegmentation(folder)
    if labels_of(data).count != model.labels.count:
        raise UserError(f"{folder} knows {model.labels.count} labels, {data} has {labels_of(data).count}")

    def predict(images):
        return np.stack([model.segment(image)[0] for image in images.numpy()])

    return score(predict, segmentation_batches(data, split, 4), model.labels.count).report(model.labels)


def export_run(run, recipe, to, card) -> Path:
    """Writes the next version of a SavedModel; its folder."""
    from keras_seqgen.serving.segmentation import export_segmentation

    return export_segmentation(model_of(run, recipe), labels_of(run), to, card)


def crf_settings(texts) -> dict:
    """The settings of a CRF as post-processing, "NAME=VALUE" each; those that are not named are `with_crf`'s own."""
    settings = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            settings[name] = int(value) if name == "iterations" else float(value)
        except ValueError as error:
            raise UserError(f"--crf {text}: write NAME=NUMBER") from error
        if name not in CRF_SETTINGS:
            raise UserError(f"--crf {text}: the name must be one of {', '.join(CRF_SETTINGS)}")
    return settings


def model_of(run, recipe, crf=None):
    """A run's best weights, with the CRF's iterations of a test; or a network with another CRF after it."""
    register_classes()
    import keras

    from keras_seqgen.models.segmenter import has_crf, with_crf

    if not (Path(run) / "best.keras").exists():
        raise UserError(f"{run} has no best.keras yet: train for at least one epoch")
    model = keras.models.load_model(Path(run) / "best.keras", compile=False)
    if crf is None:
        return recipe.evaluation_model(model)
    if has_crf(model):
        raise UserError(f"{run} was trained with a CRF: another one after it is for networks without")
    return _checked_crf(with_crf, model, crf)


def _checked_crf(make, what, settings):
    """`make(what, **settings)`, a network or layer with a CRF of a user's settings."""
    for name, value in settings.items():
        if not math.isfinite(value):
            raise UserError(f"`{name}` must be finite. Received: {name}={value}")
    try:
        return make(what, **settings)
    except ValueError as error:
        raise UserError(str(error)) from error


def labeller(model):
    """Pictures (B, h, w, 3) -> labels (B, h, w), compiled."""
    tf = import_tensorflow()

    @tf.function(reduce_retracing=True)
    def label(images):
        return tf.argmax(model({"image": images}, training=False), axis=-1, output_type=tf.int32)

    return label


def segment(arguments) -> int:
    """Writes the labels of pictures, and the pictures under their colours."""
    of_crf = [name for name in ("labels", *CRF_SETTINGS) if getattr(arguments, name) is not None]
    if of_crf and not arguments.logits:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in of_crf)
        raise UserError(f"{flags}: these belong to --logits FILE; an exported model has labels and a CRF of its own")
    if arguments.logits and arguments.model:
        raise UserError("--logits and --model exclude each other: the CRF alone needs no model")
    if arguments.logits and len(arguments.image) != 1:
        raise UserError("--logits belong to one picture")
    if not 0 <= arguments.strength <= 1:
        raise UserError(f"--strength must lie in 0..1. Received: {arguments.strength}")
    stems: dict[str, str] = {}
    for path in arguments.image:
        if (stem := Path(path).stem) in stems:
            raise UserError(f"{stems[stem]} and {path} have the same name: write them to different folders")
        stems[stem] = path
    label, labels = _by_crf(arguments) if arguments.logits else _by_model(arguments)
    report = []
    for stem, path in stems.items():
        pixels = read_picture(path)
        try:
            found, probabilities = label(pixels)
        except (UserError, ValueError) as error:
            raise UserError(f"{path} cannot be labelled: {error}. Is it too large? Make it smaller first") from error
        files = _write(arguments, stem, pixels, found, probabilities, labels)
        values, counts = np.unique(found, return_counts=True)
        shares = {labels.name(int(v)): round(int(n) / found.size, 4) for v, n in zip(values, counts, strict=True)}
        report.append({"image": path, "files": files, "shares": shares})
        print(" ".join(files), file=sys.stderr)
    if arguments.json:
        print_json({"images": report})
    return 0


def _write(arguments, stem, pixels, found, probabilities, labels) -> list[str]:
    """Writes what was asked for of one picture; the files."""
    from keras_seqgen.viz.segmentation import label_colours, overlay, save_labels, save_picture

    folder = Path(arguments.output)
    files = [save_labels(folder / f"{stem}.labels.png", found, labels)]
    if not arguments.no_overlay:
        mixed = overlay(pixels, found, label_colours(labels), arguments.strength)
        files.append(save_picture(folder / f"{stem}.overlay.png", mixed))
    if arguments.probabilities:
        files.append(folder / f"{stem}.probabilities.npy")
        np.save(files[-1], probabilities)
    return [str(file) for file in files]


def read_picture(path) -> np.ndarray:
    """A picture file's pixels as it is shown, (h, w, 3) float32 in 0..255, decoded as in training."""
    tf = import_tensorflow()
    from keras_seqgen.data.labelled_image import decode_picture

    try:
        return decode_picture(_upright(Path(path).read_bytes())).numpy()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except tf.errors.InvalidArgumentError as error:
        raise UserError(f"{path} is no picture (JPEG, PNG, BMP or GIF) that can be decoded") from error


def _upright(encoded) -> bytes:
    """A picture's bytes as they are, or those of a PNG, if Exif data turn it; TensorFlow's decoder does not."""
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            turned, stream = upright(picture), io.BytesIO()
            if turned is picture:
                return encoded
            turned.convert("RGB").save(stream, "PNG")
            return stream.getvalue()
    except Exception:  # what Pillow cannot read: the decoder tells
        return encoded


def show_pictures(arguments) -> None:
    """Draws pictures of a prepared folder, the first of the folders, with their labels and what runs make of them."""
    from keras_seqgen.viz.segmentation import check_picture_suffix, label_colours, save_comparison

    check_picture_suffix(arguments.output)
    if arguments.count < 1:
        raise UserError(f"`--count` must be positive. Received: {arguments.count}")
    data, *runs = arguments.folders
    import_tensorflow()
    from keras_seqgen.data.segmentation import segmentation_batches

    labels = labels_of(data)
    results = [labeller(model_of(run, load_recipe(run)[1])) for run in runs]
    colours, rows = label_colours(labels), []
    for inputs, truth, weight in segmentation_batches(data, arguments.split, 1).take(arguments.count):
        known = colours[truth.numpy()[0]] * (weight.numpy()[0] > 0)[..., None]
        found = [colours[result(inputs["image"]).numpy()[0]] for result in results]
        rows.append([inputs["image"].numpy()[0].astype(np.uint8), known, *found])
    save_comparison(arguments.output, rows, ["image", "truth", *(Path(run).name for run in runs)])


def _by_model(arguments):
    """A function pixels -> labels and probabilities, by an exported model; and its labels."""
    import_tensorflow()
    from keras_seqgen.serving.saved_segmentation import SavedSegmentation

    model = SavedSegmentation(arguments.model or default_model("segmentation"))
    return model.segment, model.labels


def _by_crf(arguments):
    """The same by the CRF alone, over a user's own logits or probabilities."""
    register_classes()
    import keras

    from keras_seqgen.models.segmenter import crf_of

    unary = _read_logits(arguments.logits, read_picture(arguments.image[0]).shape[:2])
    given = {name: getattr(arguments, name) for name in CRF_SETTINGS}
    crf = _checked_crf(crf_of, unary.shape[-1], {name: value for name, value in given.items() if value is not None})
    labels = LabelSet.load(arguments.labels) if arguments.labels else LabelSet(unary.shape[-1], None)
    if labels.count != unary.shape[-1]:
        raise UserError(f"{arguments.labels} has {labels.count} labels, {arguments.logits} {unary.shape[-1]}")

    def label(pixels):
        logits = crf([unary[None], pixels[None]])
        return np.asarray(keras.ops.argmax(logits, axis=-1))[0], np.asarray(keras.ops.softmax(logits))[0]

    return label, labels


def _read_logits(path, size) -> np.ndarray:
    """(h, w, L) float32 from a .npy of (h, w, L) or (L, h, w), a leading 1 allowed; probabilities become their logs."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as a .npy file: {error}") from error
    if not isinstance(values, np.ndarray):
        raise UserError(f"{path} holds several arrays: write one with np.save")
    shape = values.shape
    if values.ndim == 4 and shape[0] == 1:
        values = values[0]
    if values.ndim == 3 and values.shape[:2] != size and values.shape[1:] == size:
        values = np.moveaxis(values, 0, -1)
    if (
        values.ndim != 3
        or values.shape[:2] != size
        or not 1 <= values.shape[-1] <= 256
        or values.dtype.kind not in "fiu"
    ):
        raise UserError(f"{path} must hold numbers ({size[0]}, {size[1]}, labels), as the picture is. It has {shape}")
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds values that are not finite")
    if values.min() >= 0 and np.abs(values.sum(-1) - 1).max() < 1e-2:
        print(f"{path} holds probabilities: their logarithms are taken", file=sys.stderr)
        values = np.log(np.maximum(values, 1e-8))
    return values
