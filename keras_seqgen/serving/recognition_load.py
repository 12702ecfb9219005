"""Reading ink with an exported model, without Keras."""

import json
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.serving.versions import newest_version


@dataclass(frozen=True)
class ReadLine:
    """What was read from a line of ink.

    text: of it. confidence: 0..1. begin: for each character the number of the point at which it was first recognised.
    probability: of each character.
    """

    text: str
    confidence: float
    begin: list[int]
    probability: list[float]


class SavedRecogniser:
    """Reads ink with a SavedModel of `export_ink_recognition`.

    Args:
        folder: `saved_models/NAME`, of which the newest version is taken, or one version.

    Attributes:
        folder: the version's `Path`. vocabulary: its characters. features: which it computes. signatures: the
        SavedModel's.

    Raises:
        UserError: there is no such model.

    Example:

        >>> SavedRecogniser("saved_models/ink-recognition").recognise([points])[0].text
        'a line of ink'
    """

    def __init__(self, folder):
        self.folder = newest_version(folder)
        extra = self.folder / "assets.extra"
        try:
            description = json.loads((extra / "model.json").read_text(encoding="utf-8"))
            if description["system"] != "ink-recognition":
                raise UserError(f"{self.folder} is a model for {description['system']}, not for reading ink")
            self.features = description["features"]
        except (OSError, KeyError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self.folder} is no recogniser of keras-seqgen: {error}") from error
        self.vocabulary = Vocabulary.load(extra / "vocabulary.json")
        self._model = tf.saved_model.load(str(self.folder))
        self.signatures = self._model.signatures

    def recognise(self, lines) -> list[ReadLine]:
        """Read lines by the best path.

        Args:
            lines: arrays (N, 3) of x, y (downward) and pen: 1 on the last point of a stroke.

        Returns:
            A `ReadLine` for each.

        Raises:
            UserError: what the model's `error` says, with the number of the line.
        """
        found = self._ask("recognise", lines)
        rows = zip(*(found[name] for name in ("text", "confidence", "characters", "begin", "probability")), strict=True)
        return [
            ReadLine(text.decode(), float(sure), begin[:n].tolist(), probability[:n].tolist())
            for text, sure, n, begin, probability in rows
        ]

    def logits(self, lines) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each line the logits (T, C + 1) and the number of the point (T,) that each of their frames is at."""
        found = self._ask("logits", lines)
        rows = zip(found["logits"], found["point"], found["frames"], strict=True)
        return [(logits[:n], point[:n]) for logits, point, n in rows]

    def _ask(self, signature, lines):
        lines = [np.asarray(line, np.float32).reshape(-1, 3) for line in lines]
        length = np.array([len(line) for line in lines], np.int32)
        longest = max(length, default=0)
        points = np.stack([np.pad(line, ((0, longest - len(line)), (0, 0))) for line in lines])
        found = self.signatures[signature](points=tf.constant(points), length=tf.constant(length))
        for number, message in enumerate(found["error"].numpy(), start=1):
            if message:
                raise UserError(f"line {number}: {message.decode()}")
        return {name: value.numpy() for name, value in found.items()}
