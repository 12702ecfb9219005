"""Labelling pictures with an exported model, without Keras."""

import numpy as np
import tensorflow as tf

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.errors import UserError
from keras_seqgen.serving.row_errors import why_it_failed
from keras_seqgen.serving.versions import newest_version


class SavedSegmentation:
    """Labels pictures with a SavedModel of `export_segmentation`.

    Args:
        folder: `saved_models/NAME`, of which the newest version is taken, or one version.

    Attributes:
        folder: the version's `Path`. labels: its `LabelSet`. signatures: the SavedModel's.

    Raises:
        UserError: there is no such model.

    Example:

        >>> labels, probabilities = SavedSegmentation("saved_models/segmentation").segment(open("a.jpg", "rb").read())
    """

    def __init__(self, folder):
        self.folder = newest_version(folder)
        self.labels = LabelSet.load(self.folder / "assets.extra" / "labels.json")
        self._model = tf.saved_model.load(str(self.folder))
        self.signatures = self._model.signatures

    def segment(self, picture):
        """Label one picture.

        Args:
            picture: bytes of a JPEG or PNG, or an array (h, w, 3) in 0..255.

        Returns:
            labels (h, w) int32 and probabilities (h, w, L) float32, arrays.

        Raises:
            UserError: what the model's `error` says, or a file that cannot be decoded.
        """
        if isinstance(picture, bytes):
            signature, image = "segment", tf.constant([picture])
        else:
            signature, image = "segment_pixels", tf.constant(np.asarray(picture, np.float32)[None])
        try:
            found = self.signatures[signature](image=image)
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"the picture cannot be decoded: {why_it_failed(error)}") from error
        if message := found["error"].numpy()[0].decode():
            raise UserError(message)
        return found["labels"].numpy()[0], found["probabilities"].numpy()[0]
