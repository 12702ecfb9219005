"""The cells of a language model that track properties of a text: reading, searching, and what is needed to draw it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_seqgen.data.text_properties import text_property
from keras_seqgen.decoding.activations import memory_names, read_tokens
from keras_seqgen.decoding.cell_search import Tracker, find_trackers
from keras_seqgen.errors import UserError

_ROWS, _WARM_UP = 16, 200  # that the text is cut into; tokens at the beginning of each that do not count


class Search(NamedTuple):
    """What a search found, over N tokens of a text.

    trackers: name of a property -> the best cell for it. cells: names of all cells, by number.
    tracks, marks: for each tracker, in order, the (N,) activations of its cell, sign applied, and the (N,) booleans of
    its property.
    held_out: (N,) boolean, the tokens that the AUC was measured on.
    """

    trackers: dict[str, Tracker]
    cells: tuple[str, ...]
    tracks: np.ndarray
    marks: np.ndarray
    held_out: np.ndarray

    def liveliest(self, size: int, ends: Sequence[bool]) -> slice:
        """The stretch of held-out text in which the share of each property is nearest to a half.

        Args:
            size: of the stretch, in tokens.
            ends: (N,), the tokens that end a line: the stretch begins after one if it can.
        """
        whole = np.convolve(self.held_out, np.ones(size), "valid") > size - 0.5
        after_end = np.concatenate([[True], np.asarray(ends, bool)[: len(whole) - 1]])
        starts = np.flatnonzero(whole & after_end)
        if not len(starts):
            starts = np.flatnonzero(whole)
        sums = np.pad(np.cumsum(self.marks, axis=1), ((0, 0), (1, 0)))
        share = (sums[:, starts + size] - sums[:, starts]) / size
        start = int(starts[np.argmax((share * (1 - share)).sum(axis=0))])
        return slice(start, start + size)


def search_properties(model, ids, pieces: Sequence[str], names: Sequence[str], seed: int = 0) -> Search:
    """Read a text and find the cell that tracks each property best.

    The text is cut into 16 rows, fewer of a short one, which the network reads side by side, each from a state of zero;
    the first 200 tokens of a row do not count. Cells are chosen on the first half of the rows, measured on the second.

    Args:
        model: of `language_model`. The text should be one that it was not trained on.
        ids: (N,) ids of the text; what does not fill the rows is left out.
        pieces: what each token adds to the text, as for `text_property`.
        names: of properties.
        seed: of the bootstrap.

    Returns:
        A `Search`, of the cell states of an LSTM and the outputs of other layers.

    Raises:
        UserError: the text has fewer than 2,000 tokens, or none of the properties changes in both halves.

    Example:

        >>> search = search_properties(model, vocabulary.encode(text), list(text), ["quotes"])
        >>> search.trackers["quotes"].auc
        0.97...
    """
    rows = min(_ROWS, len(ids) // (5 * _WARM_UP) // 2 * 2)
    if rows < 2:
        raise UserError(f"a search needs a text of at least {10 * _WARM_UP} tokens. Received: {len(ids)}")
    length = len(ids) // rows
    counted = np.tile(np.arange(length) >= _WARM_UP, rows)
    late = np.repeat(np.arange(rows) >= rows // 2, length)
    reading = read_tokens(model, np.reshape(ids[: rows * length], (rows, length)), memory_names(model), guesses=1)
    values = reading.states.reshape(rows * length, -1)
    properties = {name: text_property(name, pieces[: rows * length]) for name in names}
    there = {name: property_[counted] for name, property_ in properties.items()}
    trackers = find_trackers(values[counted], there, late[counted], seed=seed)
    if not trackers:
        raise UserError(f"none of these properties changes in the text: {', '.join(names)}")
    tracks = np.stack([tracker.sign * values[:, tracker.cell] for tracker in trackers.values()])
    marks = np.stack([tracker.holds(properties[name]) for name, tracker in trackers.items()])
    return Search(trackers, reading.cells, tracks, marks, late & counted)
