"""Reading ink, print or speech with an exported model, without Keras."""

import json
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.serving.row_errors import why_it_failed
from keras_seqgen.serving.versions import newest_version

SYSTEMS = {"ink-recognition": "points", "text-lines": "image", "speech": "wav"}  # and the name of their input


@dataclass(frozen=True)
class ReadLine:
    """What was read from a line of ink or print, or from an utterance.

    text: of it. confidence: 0..1. begin: for each character the place at which it was first recognised: the number of a
    point, a column of the picture in pixels from the left, or seconds. probability: of each character.
    """

    text: str
    confidence: float
    begin: list[float]
    probability: list[float]


class SavedRecogniser:
    """Reads with a SavedModel of `export_recogniser`.

    Args:
        folder: `saved_models/NAME`, of which the newest version is taken, or one version.

    Attributes:
        folder: the version's `Path`. system: what it reads: "ink-recognition", "text-lines" or "speech". vocabulary:
        its characters. features: which it computes. rate: of speech, samples a second. signatures: the SavedModel's.

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
            self.system = description["system"]
            if self.system not in SYSTEMS:
                raise UserError(f"{self.folder} is a model for {self.system}, not for reading ink, print or speech")
            self.features = description["features"]
            self.rate = int(description["rate"]) if self.system == "speech" else None
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
            lines: of ink: arrays (N, 3) of x, y (downward) and pen: 1 on the last point of a stroke; of print and
                speech: the bytes of PNG, JPEG or WAV files.

        Returns:
            A `ReadLine` for each.

        Raises:
            UserError: what the model's `error` says, with the number of the line; points that are no rows of three; a
                file that breaks off.
        """
        found = self._ask("recognise", lines)
        rows = zip(*(found[name] for name in ("text", "confidence", "characters", "begin", "probability")), strict=True)
        return [
            ReadLine(text.decode(), float(sure), begin[:n].tolist(), probability[:n].tolist())
            for text, sure, n, begin, probability in rows
        ]

    def logits(self, lines) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each line the logits (T, C + 1) and the place in the input (T,) that each of their frames is at."""
        found = self._ask("logits", lines)
        rows = zip(found["logits"], found["place"], found["frames"], strict=True)
        return [(logits[:n], place[:n]) for logits, place, n in rows]

    def _ask(self, signature, lines):
        try:
            found = self.signatures[signature](**self._inputs(lines))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"a file is broken or breaks off: {why_it_failed(error)}") from error
        for number, message in enumerate(found["error"].numpy(), start=1):
            if message:
                raise UserError(f"line {number}: {message.decode()}")
        return {name: value.numpy() for name, value in found.items()}

    def _inputs(self, lines):
        name = SYSTEMS[self.system]
        if name != "points":
            return {name: tf.constant(lines, tf.string)}
        lines = [np.asarray(line, np.float32) for line in lines]
        for number, line in enumerate(lines, start=1):
            if line.ndim != 2 or line.shape[1] != 3:
                raise UserError(f"line {number}: points must be rows of x, y and pen, (N, 3). Received: {line.shape}")
        length = np.array([len(line) for line in lines], np.int32)
        longest = max(length, default=0)
        points = np.stack([np.pad(line, ((0, longest - len(line)), (0, 0))) for line in lines])
        return {name: tf.constant(points), "length": tf.constant(length)}
