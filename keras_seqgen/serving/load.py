"""Writing with an exported model, without Keras."""

import json

import numpy as np
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.line_writer import LineWriter, Request
from keras_seqgen.errors import UserError
from keras_seqgen.serving.versions import newest_version


class SavedHandwriting(LineWriter):
    """Writes with a SavedModel of `export_handwriting`: the `write` of `HandwritingWriter`, nothing traced anew.

    Args:
        folder: `saved_models/NAME`, of which the newest version is taken, or one version.

    Attributes:
        folder: the version's `Path`.
        signatures: the SavedModel's, among them `score` and `step`.

    Raises:
        UserError: there is no such model.

    Example:

        >>> SavedHandwriting("saved_models/handwriting").write("a line", bias=1.0, seed=3)[0].shape
        (163, 3)
    """

    def __init__(self, folder):
        self.folder = newest_version(folder)
        extra = self.folder / "assets.extra"
        try:
            stats = json.loads((extra / "stats.json").read_text(encoding="utf-8"))
            super().__init__(Vocabulary.load(extra / "vocabulary.json"), stats["max_characters"])
        except (OSError, KeyError, ValueError) as error:
            raise UserError(f"{self.folder} is not a handwriting model of keras-seqgen: {error}") from error
        self._model = tf.saved_model.load(str(self.folder))
        self.signatures = self._model.signatures

    def generate(self, request: Request):
        results = self.signatures["generate_primed"](
            text=tf.constant(request.texts),
            bias=tf.constant(request.bias),
            seed=tf.constant(request.seed),
            max_points=tf.constant(request.limit),
            primer_strokes=tf.constant(request.primer),
            primer_length=tf.constant(request.primer_length),
            primer_text=tf.constant(request.primer_texts),
        )
        error = [message.decode() for message in results["error"].numpy() if message]
        if error:
            raise UserError(error[0])
        return results["strokes"].numpy(), np.asarray(results["length"])
