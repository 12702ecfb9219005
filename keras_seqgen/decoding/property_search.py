"""The cells of a language model that track properties of a text: reading, searching, and what is needed to draw it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from keras_seqgen.decoding.activations import memory_names, read_tokens
from keras_seqgen.decoding.cell_search import Tracker, find_trackers
from keras_seqgen.errors import UserError

_LENGTH, _WARM_UP = 2000, 200  # of a row, in tokens; those at its beginning that do not count


class Search(NamedTuple):
    """What a search found, over N tokens of a text, row after row.

    trackers: name of a property -> the best cell for it. cells: names of all cells, by number.
    tracks, marks: for each tracker, in order, the (N,) activations of its cell, sign applied, and the (N,) booleans of
    its property.
    places: (N,) their numbers in the text. held_out: (N,) boolean, the tokens that the AUC was measured on.
    """

    trackers: dict[str, Tracker]
    cells: tuple[str, ...]
    tracks: np.ndarray
    marks: np.ndarray
    places: np.ndarray
    held_out: np.ndarray

    def scaled(self) -> np.ndarray:
        """(P, N) tracks from -1 to 1, to be coloured: as many held-out tokens are above 0 as have the property.

        The scale is even on either side of 0 and ends where 2.5 % of that side's tokens are left.
        """
        rows = []
        for track, mark in zip(self.tracks, self.marks, strict=True):
            share = mark[self.held_out].mean()
            steps = np.quantile(track[self.held_out], [0.025 * (1 - share), 1 - share, 1 - 0.025 * share])
            rows.append(np.interp(track, steps + np.array([0, 1e-9, 2e-9]), [-1, 0, 1]))
        return np.stack(rows)

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


def search_properties(model, ids, properties: Mapping[str, np.ndarray], limit: int = 100_000, seed: int = 0) -> Search:
    """Read a text and find the cell that tracks each property best.

    Rows of 2,000 tokens, spread evenly over the text, are read side by side, each from a state of zero; the first 200
    tokens of a row do not count. Cells are chosen on every other row and measured on the rows between.

    Args:
        model: of `language_model`. The text should be one that it was not trained on.
        ids: those of the text.
        properties: name -> a boolean or a number for each token, as `data.text_properties.text_property` gives them.
        limit: how many tokens to read at most.
        seed: of the bootstrap.

    Returns:
        A `Search`, of the cell states of an LSTM and the outputs of other layers.

    Raises:
        UserError: the text has fewer than 2,000 tokens, or none of the properties changes in both halves.

    Example:

        >>> search = search_properties(model, vocabulary.encode(text), {"quotes": inside_quotes(text)})
        >>> search.trackers["quotes"].auc
        0.97...
    """
    if min(len(ids), limit) < _LENGTH:
        raise UserError(f"a search needs a text of at least {_LENGTH} tokens. Received: {min(len(ids), limit)}")
    rows = max(min(len(ids), limit) // _LENGTH, 2)
    length = min(_LENGTH, len(ids) // rows)
    starts = np.linspace(0, len(ids) - length, rows).astype(int)
    places = (starts[:, None] + np.arange(length)).ravel()
    counted = np.tile(np.arange(length) >= _WARM_UP, rows)
    between = np.repeat(np.arange(rows) % 2 == 1, length)
    reading = read_tokens(model, np.asarray(ids)[places].reshape(rows, length), memory_names(model), guesses=1)
    values = reading.states.reshape(len(places), -1)
    there = {name: property_[places[counted]] for name, property_ in properties.items()}
    trackers = find_trackers(values[counted], there, between[counted], seed=seed)
    if not trackers:
        raise UserError(f"none of these properties changes in the text: {', '.join(properties)}")
    tracks = np.stack([tracker.sign * values[:, tracker.cell] for tracker in trackers.values()])
    marks = np.stack([tracker.holds(properties[name][places]) for name, tracker in trackers.items()])
    return Search(trackers, reading.cells, tracks, marks, places, between & counted)
