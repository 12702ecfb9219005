"""Karpathy's pictures: what a network expected at each token of a text, and a text coloured by its cells."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_seqgen.viz.text_page import Box, Row, save_rows, shade

COLUMNS = 100  # of a row of text
_SHOWN = {"\n": "↵", "<eos>": "↵", "<unk>": "�", "\t": "⇥"}


def visible(token: str, blank: str = " ") -> str:
    """A token as it is drawn: ends of lines and tabs as arrows, other characters without a shape as U+FFFD.

    >>> visible("\\n"), visible(" ", blank="␣"), visible("\\x00"), visible("of")
    ('↵', '␣', '�', 'of')
    """
    if token in _SHOWN:
        return _SHOWN[token]
    shown = "".join(character if character.isprintable() else _SHOWN.get(character, "�") for character in token)
    return blank if shown == " " else shown


def save_guesses(
    path: str | Path,
    tokens: Sequence[str],
    guesses: Sequence[Sequence[str]],
    probabilities,
    *,
    likelihoods=None,
    title: str = "",
    columns: int = COLUMNS,
) -> None:
    """Draws a text with the network's guesses for each token below it, the best on top, coloured by probability.

    Differs: Karpathy writes below each character the guesses for the next one; here they stand below the character that
    they are guesses for, and the one that is right is framed.

    Args:
        path: ends in .png, .svg, .pdf or .ansi, or is "-" for the terminal.
        tokens: T tokens, characters or words.
        guesses: for each its G guesses, the most probable first.
        probabilities: (T, G) of the guesses.
        likelihoods: (T,) probabilities of the tokens themselves, which colour the text; by default those of the guesses
            that are right.
        title: a line above the picture.
        columns: characters in a row.

    Raises:
        UserError: an unknown suffix, a picture too large, or a place that cannot be written.

    Example:

        >>> save_guesses("guesses.png", "to", [["t", "a"], ["o", "h"]], [[0.2, 0.1], [0.4, 0.3]])

    Source: Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural Networks".
    """
    chances = np.asarray(probabilities, np.float64)
    if likelihoods is None:
        right = np.array([[guess == token for guess in row] for token, row in zip(tokens, guesses, strict=True)])
        likelihoods = (chances * right).sum(axis=1)
    shown = [[visible(guess, "␣") for guess in row] for row in guesses]
    gap = _gap(tokens)
    widths = [max(map(len, [visible(token), *row])) + gap for token, row in zip(tokens, shown, strict=True)]
    rows = _heading(title, "probability", (0, 0.25, 0.5, 0.75, 1))
    for line in _lines(tokens, widths, columns):
        rows += [[], [Box(at, widths[t] - gap, visible(tokens[t]), shade(likelihoods[t]), bold=True) for t, at in line]]
        for rank in range(chances.shape[1]):
            rows.append(
                [
                    Box(
                        at,
                        widths[t] - gap,
                        shown[t][rank],
                        shade(chances[t, rank]),
                        framed=guesses[t][rank] == tokens[t],
                    )
                    for t, at in line
                ]
            )
    save_rows(path, rows)


def save_activations(
    path: str | Path,
    tokens: Sequence[str],
    values,
    labels: Sequence[str] = (),
    *,
    marks=None,
    title: str = "",
    columns: int = COLUMNS,
) -> None:
    """Draws a text coloured by what cells hold after each of its tokens: blue for -1, white for 0, orange for 1.

    Args:
        path: ends in .png, .svg, .pdf or .ansi, or is "-" for the terminal.
        tokens: T tokens, characters or words.
        values: (K, T), a row for each cell; the text is repeated for each of them, one row below the other.
        labels: K names, written before the rows; for one cell, the title may say it.
        marks: (K, T) boolean, where to underline the text: where what the cell is to track holds.
        title: a line above the picture.
        columns: characters in a row.

    Raises:
        ValueError: there are not as many values, or marks, as tokens.
        UserError: an unknown suffix, a picture too large, or a place that cannot be written.

    Example:

        >>> save_activations("cells.png", text, np.tanh(reading.states[0, :, [37]]), ["c1.37"])

    Source: Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural Networks".
    """
    values = np.asarray(values, np.float64)
    marks = np.zeros(values.shape, bool) if marks is None else np.asarray(marks, bool)
    if values.ndim != 2 or values.shape[1] != len(tokens) or marks.shape != values.shape:
        raise ValueError(
            f"`values` and `marks` must be rows of {len(tokens)}. Received: shapes={values.shape}, {marks.shape}"
        )
    margin = max((len(label) + 2 for label in labels), default=0)
    widths = [len(visible(token)) + _gap(tokens) for token in tokens]
    rows = _heading(title, "activation", (-1, -0.5, 0, 0.5, 1))
    for line in _lines(tokens, widths, columns):
        rows += [[]] * (len(values) > 1 or line[0][0] == 0)
        for cell, track in enumerate(values):
            name = [Box(0, margin, labels[cell])] if labels else []
            text = [
                Box(margin + at, widths[t], visible(tokens[t]), shade(track[t]), underlined=bool(marks[cell, t]))
                for t, at in line
            ]
            rows.append(name + text)
    save_rows(path, rows)


def _gap(tokens: Sequence[str]) -> int:
    """Blank columns after a token: words are set apart, characters are not."""
    return int(any(len(visible(token)) > 1 for token in tokens))


def _heading(title: str, scale: str, steps: Sequence[float]) -> list[Row]:
    """The title, and the colours of some values."""
    at = len(scale) + 1
    legend = [Box(0, at, scale), *(Box(at + 6 * n, 6, f"{step:^6g}", shade(step)) for n, step in enumerate(steps))]
    return [[Box(0, len(title), title, bold=True)], legend] if title else [legend]


def _lines(tokens: Sequence[str], widths: Sequence[int], columns: int) -> list[list[tuple[int, int]]]:
    """(token, column) line by line: a line ends after the ends of lines in the text, or where it is full."""
    lines: list[list[tuple[int, int]]] = [[]]
    at, ended = 0, False
    for t, (token, width) in enumerate(zip(tokens, widths, strict=True)):
        end = token in ("\n", "<eos>")
        if lines[-1] and ((ended and not end) or at + width > columns):
            lines.append([])
            at = 0
        lines[-1].append((t, at))
        at, ended = at + width, end
    return lines
