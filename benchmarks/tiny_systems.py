"""Untrained networks of every system that is served, exported in seconds, for loads where nothing is trained yet."""

import json
from pathlib import Path

import keras
import numpy as np

from keras_seqgen.data.ink_features import FEATURES
from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.data.line_images import LineForm
from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.script_classes import CLASSES
from keras_seqgen.data.speech_features import SpeechForm
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.models.ctc_recogniser import ctc_recogniser
from keras_seqgen.models.frame_labeller import frame_labeller
from keras_seqgen.models.handwriting import handwriting_synthesis
from keras_seqgen.models.language import language_model
from keras_seqgen.models.segmenter import segmenter
from keras_seqgen.serving import export_handwriting, export_text
from keras_seqgen.serving.models_config import model_names
from keras_seqgen.serving.recognition import export_recogniser
from keras_seqgen.serving.script_detection import export_detector
from keras_seqgen.serving.segmentation import export_segmentation
from keras_seqgen.serving.versions import newest_version

CARD = "# Untrained\n\nRandom weights, trained on nothing, free of terms.\n"
ALPHABET = Vocabulary(" abcdefghijklmnopqrstuvwxyz")
_LOUD = 15  # logits of random weights are all alike; so much larger, a network finds something


def _handwriting(folder, units):
    model = handwriting_synthesis(len(ALPHABET), units, depth=1, window_components=4, mixture_components=4)
    return export_handwriting(model, ALPHABET, [8.0, 0.5], [40.0, 30.0], folder, CARD)


def _text(folder, units):
    return export_text(language_model(len(ALPHABET), units=units, depth=1), ALPHABET, folder, CARD)


def _segmentation(folder, _units):
    return export_segmentation(segmenter(11), LabelSet(11), folder, CARD)


def _recogniser(kind, names):
    def export(folder, units):
        model = ctc_recogniser(len(ALPHABET), len(names), units, convolutions=((16, 3, 2),))
        _make_loud(model)
        return export_recogniser(model, ALPHABET, _unit(kind, names), folder, CARD)

    return export


def _detector(folder, units):
    form = LineForm(24)
    model = frame_labeller(len(CLASSES), len(form.names), units=units, convolutions=((16, 3, 2),))
    _make_loud(model)
    return export_detector(model, _unit(form.kind, form.names), (8.0, 2.0), folder, CARD)


def _make_loud(model):
    output = model.get_layer("logits")
    output.kernel.assign(_LOUD * output.kernel)


def _unit(kind, names):
    return FrameUnit(kind, tuple(names), np.zeros(len(names), np.float32), np.ones(len(names), np.float32))


SYSTEMS = {
    "handwriting": _handwriting,
    "text": _text,
    "segmentation": _segmentation,
    "ink-recognition": _recogniser("preprocessed", FEATURES["preprocessed"]),
    "text-lines": _recogniser(LineForm(24).kind, LineForm(24).names),
    "speech": _recogniser(SpeechForm(16_000).kind, SpeechForm(16_000).names),
    "script-detection": _detector,
}


def export_tiny(system, folder, units=64, seed=0):
    """Write the next version of an untrained model.

    Args:
        system: one of SYSTEMS. folder: `saved_models/NAME`. units: of its recurrent layers. seed: of its weights.

    Returns:
        The `Path` of the version.
    """
    keras.utils.set_random_seed(seed)
    return SYSTEMS[system](Path(folder), units)


def folder_of_all_systems(models, folder):
    """Make `folder` a folder of models of every system: links to those in `models`, untrained ones of the others.

    Returns:
        List of the systems whose models are untrained.
    """
    models, folder = Path(models), Path(folder)
    missing = dict.fromkeys(SYSTEMS)
    for name in model_names(models) if models.is_dir() else ():
        (folder / name).symlink_to((models / name).absolute())
        missing.pop(_system(newest_version(models / name)), None)
    for system in missing:
        export_tiny(system, folder / f"{system}-untrained")
    return list(missing)


def _system(version):
    description = version / "assets.extra" / "model.json"
    return json.loads(description.read_text(encoding="utf-8"))["system"] if description.exists() else "handwriting"
