"""The Python face of writing: checks what a user asks for, in NumPy alone; a subclass holds the graph."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.row_arguments import check_seed, per_row
from keras_seqgen.errors import UserError

MAX_POINTS = 20_000  # of a line; half of the lines of IAM-OnDB have 620 or less, one in 100 more than 1,143
ROWS_AT_ONCE = 128
MAX_CHARACTERS = 200  # of a line, its primer's included; the lines of IAM-OnDB have 64 at most


def default_limit(characters):
    """The points that a text may take if its writer names no limit: 50 for each character, and 100.

    Half of the lines of IAM-OnDB take more than 21 points for each character, one in 1,000 more than 45.
    """
    return 50 * characters + 100


class Request(NamedTuple):
    """Lines that passed the checks.

    texts, primer_texts: B strings of known characters; "" where there is none.
    bias: (B,) float32. seed: (B, 2) int32. limit: (B,) int32.
    primer: (B, P, 3) float32, raw units, padded, P >= 1; primer_length: (B,) int32.
    """

    texts: list[str]
    bias: np.ndarray
    seed: np.ndarray
    limit: np.ndarray
    primer: np.ndarray
    primer_length: np.ndarray
    primer_texts: list[str]


class LineWriter:
    """Writes lines of text; subclasses say how in `generate(request) -> strokes (B, T, 3) in raw units, length (B,)`.

    Args:
        vocabulary: `data.vocabulary.Vocabulary`, or `None` for a network that writes without a text.
        max_characters: the longest text, its primer's text included.
    """

    def __init__(self, vocabulary: Vocabulary | None, max_characters: int = MAX_CHARACTERS):
        self.vocabulary = vocabulary
        self.max_characters = max_characters

    def generate(self, request: Request) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def write(self, texts=None, bias=0.0, seed=0, primers=None, max_points=None, replace=None) -> list[np.ndarray]:
        """Write each text as one line; what a row becomes depends on its own arguments only.

        Args:
            texts: a string or a sequence of B strings. `None` for a network without a text, which then draws
                `max_points` points in each row.
            bias: b >= 0, a number or B of them: 0 samples from the model, 1 writes neatly; the pen is not biased.
            seed: an int for every row, B ints, or an int32 array (B, 2). Same row and seed, same strokes.
            primers: writing to imitate: a pair (strokes (P, 3) in raw units, text) for every row, or a sequence of B
                pairs or `None`s. The text to write follows the primer's directly: begin it with a space if need be.
            max_points: the longest line, an int or B of them; left out, `default_limit` of the text's length.
            replace: what to write for unknown characters, see `Vocabulary.encode`.

        Returns:
            B float32 arrays (T, 3) of rows (dx, dy, pen) in raw units, y downward; a primer's strokes are not in them.

        Raises:
            UserError: an unknown character (named, with the alphabet), an empty or too long text, a bias that is
                negative or not finite, a seed or limit of the wrong kind, a primer without its text or the reverse.

        Source: Graves 2013, sections 5.3 (unbiased), 5.4 (biased) and 5.5 (primed).
        """
        texts = [texts] if isinstance(texts, str) else texts
        several = None if _is_pair(primers) else primers
        rows = len(texts) if texts is not None else _row_count(bias, seed, several, max_points)
        if not rows:
            return []
        strokes, primer_texts = _check_primers(primers, rows, with_text=self.vocabulary is not None)
        texts = self._check_texts(texts, rows, replace)
        primer_texts = [self._known(text, f"primers[{n}]", replace) for n, text in enumerate(primer_texts)]
        for n, (text, primer_text) in enumerate(zip(texts, primer_texts, strict=True)):
            if len(text) + len(primer_text) > self.max_characters:
                raise UserError(
                    f"`texts[{n}]` must have at most {self.max_characters} characters, its primer's text included. "
                    f"Received: {len(text) + len(primer_text)}"
                )
        primer_length = np.array([len(line) for line in strokes], np.int32)
        primer = np.zeros((rows, max(1, primer_length.max()), 3), np.float32)
        for n, line in enumerate(strokes):
            primer[n, : len(line)] = line
        request = Request(
            texts=texts,
            bias=_check_bias(bias, rows),
            seed=check_seed(seed, rows),
            limit=self._check_limit(max_points, texts),
            primer=primer,
            primer_length=primer_length,
            primer_texts=primer_texts,
        )
        lines: list[np.ndarray] = []
        for first in range(0, rows, ROWS_AT_ONCE):
            part = {name: value[first : first + ROWS_AT_ONCE] for name, value in request._asdict().items()}
            lines += [line[:length] for line, length in zip(*self.generate(Request(**part)), strict=True)]
        return lines

    def _check_texts(self, texts, rows, replace):
        if self.vocabulary is None:
            if texts is not None:
                raise UserError("`texts` must be None: this network writes without a text. Give `max_points`.")
            return [""] * rows
        if texts is None:
            raise UserError("`texts` must be given: this network writes a text. Received: texts=None")
        for n, text in enumerate(texts):
            if not isinstance(text, str) or not text:
                raise UserError(f"`texts[{n}]` must be a string that is not empty. Received: {text!r}")
        return [self._known(text, f"texts[{n}]", replace) for n, text in enumerate(texts)]

    def _known(self, text, name, replace):
        if not text or self.vocabulary is None:
            return ""
        known = self.vocabulary.decode(self.vocabulary.encode(text, replace=replace))
        if not known:
            raise UserError(f"`{name}` is empty after its unknown characters are left out. Received: {text!r}")
        return known

    def _check_limit(self, max_points, texts):
        if max_points is None:
            if self.vocabulary is None:
                raise UserError("`max_points` must be given: this network writes without a text.")
            return np.array([default_limit(len(text)) for text in texts], np.int32)
        limit = per_row("max_points", max_points, len(texts))
        if limit.dtype.kind not in "iu" or (limit < 1).any() or (limit > MAX_POINTS).any():
            raise UserError(f"`max_points` must be an integer in 1..{MAX_POINTS}, or one for each row: {max_points}")
        return limit.astype(np.int32)


def _row_count(*arguments):
    """The length that the arguments without a text agree on: 1 if none is a sequence."""
    return max((len(x) for x in arguments if isinstance(x, Sequence) or np.ndim(x)), default=1)


def _check_bias(bias, rows):
    value = per_row("bias", bias, rows)
    if value.dtype.kind not in "iuf" or not np.all(np.isfinite(value) & (value >= 0)):
        raise UserError(f"`bias` must be a finite number that is not negative, or one for each row. Received: {bias}")
    return value.astype(np.float32)


def _is_pair(primer):
    """Whether it is one primer, (strokes, text or `None`), not a tuple of two of which the second may be `None`."""
    if not isinstance(primer, tuple) or len(primer) != 2 or not isinstance(primer[1], str | None):
        return False
    return not _is_pair(primer[0])


def _check_primers(primers, rows, with_text):
    """-> the strokes (P, 3) and the text of each row's primer; (0, 3) and "" where a row has none."""
    if primers is None or _is_pair(primers):
        primers = [primers] * rows
    if len(primers) != rows:
        raise UserError(f"`primers` must be one pair or one for each of the {rows} rows. Received: {len(primers)}")
    strokes, texts = [], []
    for n, primer in enumerate(primers):
        line, text = (None, "") if primer is None else primer
        line = np.zeros((0, 3), np.float32) if line is None else np.asarray(line, np.float32)
        text = text or ""
        if line.ndim != 2 or line.shape[1] != 3 or not np.isfinite(line).all():
            raise UserError(f"`primers[{n}]` must hold finite rows (dx, dy, pen). Received: shape {line.shape}")
        if with_text and len(line) and not text:
            raise UserError(f"`primers[{n}]` has strokes but no text: the window would not know what they say.")
        if text and not len(line):
            raise UserError(f"`primers[{n}]` has a text but no strokes. Received: {text!r}")
        strokes.append(line)
        texts.append(text if with_text else "")
    return strokes, texts
