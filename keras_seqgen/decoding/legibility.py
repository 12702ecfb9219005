"""The loop closed: a recogniser of ink reads drawings, and of several the one that reads best is found."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_seqgen.data.strokes import offsets_to_points
from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.distributions.ctc import ctc_log_prob
from keras_seqgen.metrics.edit_distance import character_error_rate

_AT_ONCE = 32  # drawings that are read in one batch


class Judgement(NamedTuple):
    """How well a drawing reads.

    reading: the best path's text; `None` where the drawing is too short or too long to be read. cer: of the reading,
    against the text that was to be written; 1 where there is none. nats: -log Pr(text | ink) for each character of the
    text; inf where the drawing is too short for the text.
    """

    reading: str | None
    cer: float
    nats: float


def pen_points(strokes: np.ndarray) -> np.ndarray:
    """What a writer draws as what a reader takes.

    Args:
        strokes: (T, 3) rows (dx, dy, pen), y downward.

    Returns:
        float64 (T + 1, 3) rows x, y, pen in the same unit, from the point (0, 0) on; y downward, too.
    """
    points, pen = offsets_to_points(strokes)
    return np.column_stack([points, pen])


def read_strokes(reader, drawings: Sequence[np.ndarray], max_points: int) -> list[str]:
    """What each drawing says, by the best path.

    Args:
        reader: a `SavedRecogniser` of ink, or whatever has its `recognise`.
        drawings: (T, 3) rows (dx, dy, pen) in the unit that the reader takes.
        max_points: of a line, that the reader takes.

    Returns:
        The texts, in order; "" of a drawing without a step, or with too many.
    """
    texts = [""] * len(drawings)
    usable = _usable(drawings, max_points)
    for batch in _batches(sorted(usable, key=lambda n: len(drawings[n]))):
        found = reader.recognise([pen_points(drawings[n]) for n in batch])
        for n, line in zip(batch, found, strict=True):
            texts[n] = line.text
    return texts


def judge(reader, text: str, drawings: Sequence[np.ndarray], max_points: int) -> list[Judgement]:
    """How well each of several drawings of one text reads.

    Args:
        reader: a `SavedRecogniser` of ink, or whatever has its `logits` and `vocabulary`.
        text: that was to be written; blanks at its ends do not count.
        drawings, max_points: as for `read_strokes`.

    Returns:
        A `Judgement` for each drawing.

    Raises:
        UserError: the reader does not know a character of the text.
    """
    text = text.strip()
    ids = reader.vocabulary.encode(text)
    judgements = [Judgement(None, 1.0, np.inf)] * len(drawings)
    for batch in _batches(_usable(drawings, max_points)):
        logits = [row for row, _ in reader.logits([pen_points(drawings[n]) for n in batch])]
        lengths = tf.constant([len(row) for row in logits], tf.int32)
        longest = max(len(row) for row in logits)
        padded = tf.constant(np.stack([np.pad(row, ((0, longest - len(row)), (0, 0))) for row in logits]), tf.float32)
        labels = tf.tile(tf.constant(ids, tf.int32)[None], [len(batch), 1])
        nats = -np.asarray(ctc_log_prob(labels, padded, lengths)) / max(1, len(ids))
        readings = [reader.vocabulary.decode(row) for row in best_path(padded, lengths).ids.numpy()]
        for n, reading, cost in zip(batch, readings, nats, strict=True):
            judgements[n] = Judgement(reading, character_error_rate([text], [reading]), float(cost))
    return judgements


def best_reading(judgements: Sequence[Judgement]) -> int:
    """The number of the drawing that reads best: by `cer`, and of equals by `nats`; of equals in both the first.

    The error rate comes first since it is what the reading is for: Pr(text | ink) falls with the doubts about single
    letters as well as with their number, so that alone it prefers a crisp line with a wrong letter to a plain one
    without. But a good writer draws many lines that read without a mistake, and it tells these apart.

    Raises:
        ValueError: no judgements.
    """
    if not judgements:
        raise ValueError("`judgements` must hold one or more")
    keys = [(judgement.reading is None, judgement.cer, judgement.nats) for judgement in judgements]
    return keys.index(min(keys))


def _usable(drawings, max_points):
    """The numbers of the drawings that a reader takes: of 2 points or more, and not too many."""
    return [n for n, drawing in enumerate(drawings) if 2 <= len(drawing) + 1 <= max_points]


def _batches(numbers):
    return [numbers[first : first + _AT_ONCE] for first in range(0, len(numbers), _AT_ONCE)]
