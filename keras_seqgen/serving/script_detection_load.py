"""Detecting scripts with an exported model, without Keras."""

import json
from typing import NamedTuple

import tensorflow as tf

from keras_seqgen.errors import UserError
from keras_seqgen.serving.row_errors import why_it_failed
from keras_seqgen.serving.versions import newest_version


class DetectedSegment(NamedTuple):
    """A piece of a line: columns begin..end of its picture, pixels from the left; the class's name; 0..1."""

    begin: float
    end: float
    label: str
    confidence: float


class SavedDetector:
    """Detects scripts with a SavedModel of `export_detector`.

    Args:
        folder: `saved_models/NAME`, of which the newest version is taken, or one version.

    Attributes:
        folder: the version's `Path`. features: how pictures become frames. stride: how many of them the
        network labels at once. signatures: the SavedModel's.

    Raises:
        UserError: there is no such model.

    Example:

        >>> SavedDetector("saved_models/script-detection").detect([open("line.png", "rb").read()])[0][0].label
        'arabic'
    """

    def __init__(self, folder):
        self.folder = newest_version(folder)
        try:
            description = json.loads((self.folder / "assets.extra" / "model.json").read_text(encoding="utf-8"))
            system = description["system"]
            if system != "script-detection":
                raise UserError(f"{self.folder} is a model for {system}, not for script-detection")
            self.features, self.stride = description["features"], description["stride"]
        except (OSError, KeyError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self.folder} is no detector of scripts: {error}") from error
        self._model = tf.saved_model.load(str(self.folder))
        self.signatures = self._model.signatures

    def detect(self, pictures):
        """Find the segments of lines.

        Args:
            pictures: bytes of PNG or JPEG files.

        Returns:
            For each a list of `DetectedSegment`, from left to right.

        Raises:
            UserError: what the model's `error` says, with the number of the picture; a file that breaks off.
        """
        try:
            found = self.signatures["detect"](image=tf.constant(pictures, tf.string))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"a picture is broken or breaks off: {why_it_failed(error)}") from error
        for number, message in enumerate(found["error"].numpy(), start=1):
            if message:
                raise UserError(f"picture {number}: {message.decode()}")
        rows = zip(*(found[name].numpy() for name in ("segments", "begin", "end", "label", "confidence")), strict=True)
        return [
            [
                DetectedSegment(float(a), float(b), name.decode(), float(sure))
                for a, b, name, sure in zip(begin[:n], end[:n], label[:n], confidence[:n], strict=True)
            ]
            for n, begin, end, label, confidence in rows
        ]
