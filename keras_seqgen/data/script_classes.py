"""What a frame of a line can belong to, as numbers for a network, names for people and letters in a record.

A record of `prepare script-detection` is one of `data.recognition_schema` whose text has one letter for each frame.
"""

import itertools
from typing import NamedTuple

import numpy as np

from keras_seqgen.data.vocabulary import Vocabulary

CLASSES = ("background", "arabic", "garbage", "latin")
BACKGROUND, ARABIC, GARBAGE, LATIN = range(len(CLASSES))
LETTERS = " agl"  # of the classes, in their order
VOCABULARY = Vocabulary(LETTERS)  # its ids are the classes plus 1; 0 pads


class Segment(NamedTuple):
    """Frames begin..end-1 of one class."""

    begin: int
    end: int
    label: int


def labels_to_text(labels: np.ndarray) -> str:
    """Classes of frames (T,) -> a letter for each.

    >>> labels_to_text(np.array([0, 1, 1, 3]))
    ' aal'
    """
    return "".join(LETTERS[label] for label in labels)


def text_to_labels(text: str) -> np.ndarray:
    """The inverse of `labels_to_text`: int32 (T,).

    Raises:
        ValueError: a letter of no class.
    """
    return np.array([LETTERS.index(letter) for letter in text], np.int32)


def segments_of(labels) -> list[Segment]:
    """The longest runs of one class, in their order, without those of the background.

    >>> segments_of([0, 1, 1, 3])
    [Segment(begin=1, end=3, label=1), Segment(begin=3, end=4, label=3)]
    """
    labels = np.asarray(labels)
    if not len(labels):
        return []
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    runs = itertools.pairwise(edges)
    return [Segment(begin, end, int(labels[begin])) for begin, end in runs if labels[begin] != BACKGROUND]
