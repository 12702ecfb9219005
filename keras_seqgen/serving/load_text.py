"""Sampling and scoring text with an exported model, without Keras."""

import numpy as np
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.sentence_scorer import SentenceScorer
from keras_seqgen.decoding.text_pieces import spelled_for_encoding
from keras_seqgen.decoding.text_sampler import Request, TextSampler
from keras_seqgen.errors import UserError
from keras_seqgen.serving.versions import newest_version


class SavedText(TextSampler, SentenceScorer):
    """The `sample` and `stream` of `TextWriter` and the `score` of `TextScorer` with a SavedModel of `export_text`.

    Args:
        folder: `saved_models/NAME`, of which the newest version is taken, or one version.

    Attributes:
        folder: the version's `Path`.
        signatures: the SavedModel's: `generate`, `score`, `step`.

    Raises:
        UserError: there is no such model.

    Example:

        >>> SavedText("saved_models/text").sample("The ", temperature=0.7, seed=3, length=12)
        ['company said']
    """

    def __init__(self, folder):
        self.folder = newest_version(folder)
        super().__init__(Vocabulary.load(self.folder / "assets.extra" / "vocabulary.json"))
        self._model = tf.saved_model.load(str(self.folder))
        self.signatures = self._model.signatures
        if "step" not in self.signatures or "score" not in self.signatures:
            raise UserError(f"{self.folder} is not a language model of keras-seqgen: it has no `step` and `score`")
        self._spelled = spelled_for_encoding(self.vocabulary)

    def advance(self, request: Request, state: tf.Tensor | None = None):
        if state is None:
            state = self.beginning(len(request.limit))
        results = self.ask(
            "step",
            prime=tf.constant([self._spelled(ids) for ids in request.primers]),
            temperature=tf.constant(request.temperature),
            top_k=tf.constant(request.top_k),
            top_p=tf.constant(request.top_p),
            seed=tf.constant(request.seed),
            max_tokens=tf.constant(request.limit),
            stop=tf.constant([self._spelled(ids) for ids in request.stops]),
            state=state,
        )
        return results["text"].numpy().tolist(), results["finished"].numpy(), results["state"]

    def log_probs(self, sentences: list[np.ndarray]) -> np.ndarray:
        text = tf.constant([self._spelled(ids) for ids in sentences])
        return self.ask("score", text=text)["log_prob"].numpy().astype(np.float64)

    def beginning(self, rows: int) -> tf.Tensor:
        """The state of `step` before the first token."""
        size = self.signatures["step"].structured_input_signature[1]["state"].shape[1]
        return tf.zeros((rows, size))

    def ask(self, signature: str, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Call a signature.

        Raises:
            UserError: the first error that a row reports.
        """
        results = self.signatures[signature](**inputs)
        error = [message.decode() for message in results["error"].numpy() if message]
        if error:
            raise UserError(error[0])
        return results
