"""The Python face of sampling text: checks what a user asks for, in NumPy alone; a subclass holds the graph."""

import codecs
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.row_arguments import check_seed, per_row
from keras_seqgen.decoding.text_pieces import TextPieces
from keras_seqgen.errors import UserError

MAX_TOKENS = 100_000  # to read or to draw in one call
MAX_STOP = 32  # tokens of a stop string
ROWS_AT_ONCE = 128
TEMPERATURE_RULE = (
    "`temperature` must be a positive number: 1 draws as the network predicts, 0.01 takes the likeliest token each time"
)
TOP_K_RULE = "`top_k` must be a whole number: how many of the likeliest tokens may be drawn, or 0 for all"
TOP_P_RULE = "`top_p` must lie above 0 and be 1 at most (1 leaves every token in)"
LENGTH_RULE = f"`length` must be a whole number in 1..{MAX_TOKENS}"


class Request(NamedTuple):
    """What to write, a row each; it passed the checks.

    primers, stops: B arrays of ids, empty where there is none. temperature, top_p: (B,) float32. top_k, limit: (B,)
    int32. seed: (B, 2) int32.
    """

    primers: list[np.ndarray]
    temperature: np.ndarray
    top_k: np.ndarray
    top_p: np.ndarray
    seed: np.ndarray
    limit: np.ndarray
    stops: list[np.ndarray]


class TextSampler:
    """Draws text from a language model; subclasses say how in `advance`.

    Args:
        vocabulary: `data.vocabulary.Vocabulary` of the model.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self.pieces = TextPieces(vocabulary)

    def advance(self, request: Request, state: Any = None) -> tuple[list[bytes], np.ndarray, Any]:
        """Read the primers and draw: the texts drawn, whether each has come to its stop string, and the state.

        Args:
            request: what to write.
            state: of the call before; `None` to begin.
        """
        raise NotImplementedError

    def sample(
        self,
        primers: str | Sequence[str] = "",
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        seed=0,
        length=200,
        stop: str | Sequence[str] = "",
        replace=None,
    ) -> list[str]:
        """Draw texts; what a row becomes depends on its own arguments only.

        Each argument is one value for all rows or a sequence of B.

        Args:
            primers: text to go on from; it is not part of what is returned. "" begins with nothing.
            temperature: T > 0: 1 draws from what the network predicts, less is bolder, more is wilder.
            top_k: draw from the k likeliest tokens; 0: from all.
            top_p: draw from the fewest tokens that are this likely together; 1: from all.
            seed: an int for every row, B ints, or an int32 array (B, 2). Same row and seed, same text.
            length: the longest text, in characters, bytes or words.
            stop: the text ends with the first place where this was drawn, which is part of it; "" for none. Words stop
                at whole words.
            replace: what to read for unknown tokens of a primer, see `Vocabulary.encode`.

        Returns:
            B strings. Bytes that are no UTF-8 are U+FFFD.

        Raises:
            UserError: an unknown character in a primer (named, with the alphabet), a temperature that is not positive,
                or any other argument of the wrong kind.

        Example:

            >>> writer.sample("The ", temperature=0.7, seed=range(2), length=12)
            ['company said', 'new york sto']
        """
        request = self._check(primers, temperature, top_k, top_p, seed, length, stop, replace)
        texts: list[bytes] = []
        for first in range(0, len(request.limit), ROWS_AT_ONCE):
            part = Request(*(value[first : first + ROWS_AT_ONCE] for value in request))
            texts += self.advance(part)[0]
        return [text.decode("utf-8", "replace") for text in texts]

    def stream(self, primer: str = "", chunk: int = 16, length: int = 200, **options) -> Iterator[str]:
        """Draw one text and give it out while it is written.

        Args:
            primer: see `sample`.
            chunk: how many tokens to draw at a time.
            length: see `sample`.
            **options: the other arguments of `sample`, for one row.

        Returns:
            An iterator of strings that are the text of `sample` together; a character is given out when all its bytes
            are there.

        Raises:
            UserError: as `sample`, before anything is drawn.
            ValueError: `chunk` below 1.
        """
        if chunk < 1:
            raise ValueError(f"`chunk` must be a positive integer. Received: chunk={chunk}")
        request = self._check(primer, length=length, **options)
        if len(request.limit) != 1:
            raise UserError(f"a stream is one text. Received: {len(request.limit)} rows")
        return self._pieces_of(request, chunk)

    def _pieces_of(self, request, chunk):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        state, left = None, int(request.limit[0])
        while left > 0:
            now = min(chunk, left)
            texts, finished, state = self.advance(request._replace(limit=np.array([now], np.int32)), state)
            request = request._replace(primers=[np.zeros(0, np.int32)])
            left = 0 if finished[0] else left - now
            yield decoder.decode(texts[0], final=not left)

    def _check(self, primers, temperature=1.0, top_k=0, top_p=1.0, seed=0, length=200, stop="", replace=None):
        rows = _row_count(primers, temperature, top_k, top_p, seed, length, stop)
        primers, stops = _strings("primers", primers, rows), _strings("stop", stop, rows)
        return Request(
            primers=[self._read(text, f"primers[{n}]", replace) for n, text in enumerate(primers)],
            temperature=_number("temperature", temperature, rows, lambda x: x > 0, TEMPERATURE_RULE),
            top_k=_integer("top_k", top_k, rows, lambda x: x >= 0, TOP_K_RULE),
            top_p=_number("top_p", top_p, rows, lambda x: (x > 0) & (x <= 1), TOP_P_RULE),
            seed=check_seed(seed, rows),
            limit=_integer("length", length, rows, lambda x: (x > 0) & (x <= MAX_TOKENS), LENGTH_RULE),
            stops=[self._stop(text) for text in stops],
        )

    def _read(self, text, name, replace):
        try:
            ids = self.vocabulary.encode(text, replace)
        except UnicodeEncodeError as error:
            raise UserError(f"`{name}` is no Unicode text: {error}") from error
        except UserError as error:
            raise UserError(f"`{name}`: {error}. `replace` says what to read in place of what is unknown.") from error
        if len(ids) > MAX_TOKENS:
            raise UserError(f"`{name}` must have at most {MAX_TOKENS} tokens. Received: {len(ids)}")
        return ids

    def _stop(self, text):
        tokens = self.vocabulary.split(text)
        strange = [token for token in tokens if token not in self.vocabulary.ids]
        if strange or (text and not tokens):
            what = " ".join(map(repr, strange)) or "any token of it"
            raise UserError(f"`stop` would never be drawn: the model's vocabulary does not have {what}: {text!r}")
        if len(tokens) > MAX_STOP:
            raise UserError(f"`stop` must have at most {MAX_STOP} tokens. Received: {len(tokens)}")
        return np.array([self.vocabulary.ids[token] for token in tokens], np.int32)


def pad_left(rows, width):
    """Arrays of ids -> (B, width) int32, the ids at the end."""
    return np.stack([np.pad(row, (width - len(row), 0)) for row in rows]).astype(np.int32)


def pad_right(rows):
    """Arrays of ids -> (B, longest) int32, the ids at the beginning, and their numbers (B,) int32."""
    length = np.array([len(row) for row in rows], np.int32)
    width = max(1, length.max())
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows]).astype(np.int32), length


def _row_count(*arguments):
    """The length that the arguments agree on: 1 if none is a sequence."""
    lengths = [len(x) for x in arguments if not isinstance(x, str) and (isinstance(x, Sequence) or np.ndim(x))]
    return max(lengths, default=1)


def _strings(name, value, rows):
    values = [value] * rows if isinstance(value, str) else list(value)
    if len(values) != rows or not all(isinstance(text, str) for text in values):
        raise UserError(f"`{name}` must be a string, or one for each of the {rows} rows. Received: {value!r}")
    return values


def _number(name, value, rows, valid, rule):
    numbers = per_row(name, value, rows)
    if numbers.dtype.kind not in "iuf" or not np.all(np.isfinite(numbers) & valid(numbers)):
        raise UserError(f"{rule}. Received: {value}")
    return numbers.astype(np.float32)


def _integer(name, value, rows, valid, rule):
    numbers = per_row(name, value, rows)
    if numbers.dtype.kind not in "iu" or not np.all(valid(numbers)):
        raise UserError(f"{rule}. Received: {value}")
    return numbers.astype(np.int32)
