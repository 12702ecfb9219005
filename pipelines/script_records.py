"""A number -> a spliced line: which pieces it has, all drawn by a generator that the line's name seeds."""

import json
import re
from dataclasses import dataclass

import numpy as np

from keras_seqgen.data.ink_records import BadRecord
from keras_seqgen.data.line_images import LineForm
from keras_seqgen.data.recognition_schema import LabelledFrames
from keras_seqgen.data.script_classes import ARABIC, GARBAGE, LATIN, labels_to_text, segments_of
from keras_seqgen.data.script_pieces import (
    FLIPPED,
    ROWS,
    SHORTEST,
    Piece,
    bent,
    figure,
    flip,
    noise,
    normalised,
    text_piece,
)
from keras_seqgen.data.script_render import ARABIC_FACES, LATIN_FACES, render_text
from keras_seqgen.data.script_shaping import shape_arabic
from keras_seqgen.data.script_splice import frames_and_owners, splice, wear
from pipelines.script_sources import SplicedSource, latin_words, printed_lines, read_normalised, text_of
from pipelines.splits import stable_hash

MOST_PIECES = 6
_TRIES = 20  # lines that are drawn, one after another, until one is long enough
_SIZES = 24, 64  # of rendered text, pixels of the em
_BENT = 0.6  # of the texts of training: their faces and printed lines are few


@dataclass(frozen=True)
class SpliceRules:
    """What the lines of every split are made of.

    form: how pictures become frames. seed: another one makes other lines. arabic, latin: split -> folders and archives
    of printed lines. latin_text: a file of words for rendered Latin, "" for Python's own. rendered_arabic,
    printed_latin: the shares of the Arabic pieces that are rendered, of the Latin ones that are printed.
    max_bytes, max_pixels: a larger picture is refused.
    """

    form: LineForm
    seed: int
    arabic: dict[str, tuple[str, ...]]
    latin: dict[str, tuple[str, ...]]
    latin_text: str
    rendered_arabic: float
    printed_latin: float
    max_bytes: int
    max_pixels: int


class _UnreadableError(Exception):
    """A printed line's picture cannot be read."""


def splice_line(source: str, rules: SpliceRules) -> tuple[str, LabelledFrames] | BadRecord:
    """A `SplicedSource` as JSON -> its split and its record, or a fault.

    The record's text has a letter for each frame (`data.script_classes`); its writer tells the source of each segment
    (print, render, flip, noise, figure), in their order, with blanks between.
    """
    line = SplicedSource(**json.loads(source))
    if line.fault:
        return BadRecord(line.name, *line.fault)
    rng = np.random.default_rng([rules.seed, stable_hash(line.name)])
    draw = PieceDrawer(rules, line.split, rng)
    try:
        pieces = draw.pieces()
    except _UnreadableError as error:
        return BadRecord(line.name, "unreadable image", str(error)[:500])
    if pieces is None:
        return BadRecord(line.name, "no ink", f"{_TRIES} printed lines, one after another, are too short")
    darkness, owners = splice(pieces, rng)
    frames, owners = frames_and_owners(wear(darkness, rng), owners, rules.form)
    labels = np.array([0, *(piece.label for piece in pieces)], np.int32)[owners]
    sources = [pieces[owners[segment.begin] - 1].source for segment in segments_of(labels)]
    return line.split, LabelledFrames(line.name, " ".join(sources), labels_to_text(labels), frames)


class PieceDrawer:
    """Draws the pieces of one line.

    Args:
        rules: as everywhere. split: whose lines, faces and words are taken. rng: its only source of chance.
    """

    def __init__(self, rules: SpliceRules, split: str, rng: np.random.Generator):
        self._rules, self._split, self._rng = rules, split, rng

    def pieces(self) -> list[Piece] | None:
        """One to six, neighbours of different classes; None where the printed lines are too short for any."""
        labels = [int(self._rng.integers(1, 4))]
        for _ in range(int(self._rng.integers(MOST_PIECES))):
            labels.append((labels[-1] - 1 + int(self._rng.integers(1, 3))) % 3 + 1)
        pieces = []
        for label in labels:
            piece = self._garbage() if label == GARBAGE else self._text(label, SHORTEST)
            if piece is None:
                return None
            pieces.append(piece)
        return pieces

    def _garbage(self) -> Piece | None:
        chance = self._rng.random()
        if chance < 0.5:
            piece = self._text(ARABIC if self._rng.random() < 0.5 else LATIN, FLIPPED)
            return piece and flip(piece, self._rng)
        for _ in range(_TRIES):
            piece = noise(self._rng) if chance < 0.75 else figure(self._rng)
            if piece.darkness.shape[1] >= ROWS * SHORTEST:
                return piece
        return None

    def _text(self, label: int, shortest: float) -> Piece | None:
        """Words of at least 0.8 `shortest` heights."""
        rules, rng = self._rules, self._rng
        printed = printed_lines((rules.arabic if label == ARABIC else rules.latin).get(self._split, ()))
        share = 1 - rules.rendered_arabic if label == ARABIC else rules.printed_latin
        from_print = bool(printed) and rng.random() < share
        for _ in range(_TRIES):
            if from_print:
                source, line = "print", self._printed(printed)
            else:
                source, line = "render", self._rendered(label, printed)
            if self._split == "train" and rng.random() < _BENT:
                line = bent(line, rng)
            piece = text_piece(label, source, line, rng, shortest)
            if piece.darkness.shape[1] >= 0.8 * shortest * ROWS:
                return piece
        return None

    def _printed(self, lines) -> np.ndarray:
        line = lines[self._rng.integers(len(lines))]
        try:
            return read_normalised(line.path, line.picture, self._rules.max_bytes, self._rules.max_pixels)
        except Exception as error:  # each codec has its own
            detail = re.sub(r"<[^>]*>", line.path, str(error))  # Pillow names the object in memory
            raise _UnreadableError(f"{line.name} in {line.path}: {type(error).__name__}: {detail}") from error

    def _rendered(self, label: int, printed) -> np.ndarray:
        """A line drawn with a face of the split: Arabic of the words of a printed line, Latin of those of a text."""
        rng = self._rng
        if label == ARABIC:
            words = text_of(printed[rng.integers(len(printed))]).split() if printed else []
            text, faces = shape_arabic(" ".join(words[: int(rng.integers(2, 12))])), ARABIC_FACES[self._split]
        else:
            every = latin_words(self._rules.latin_text)[self._split]
            begin, count = int(rng.integers(max(len(every) - 12, 1))), int(rng.integers(2, 10))
            text, faces = " ".join(every[begin : begin + count]), LATIN_FACES[self._split]
            case = rng.random()
            text = text.upper() if case < 0.1 else text.title() if case < 0.2 else text
        face, size = faces[rng.integers(len(faces))], int(rng.integers(*_SIZES))
        return normalised(render_text(text or ".", face, size))
