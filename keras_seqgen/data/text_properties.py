"""What holds at each place of a text: inside quotes, in brackets, so far into the line, so deep indented.

Every property of place t is a function of the characters 0..t alone: a network that has read them could know it. So an
opening quote is already inside the quotes and the closing one no longer.
"""

from collections.abc import Callable, Sequence

import numpy as np

from keras_seqgen.data.python_places import BRACKETS, COMMENT, STRING, TRIPLE, python_places
from keras_seqgen.errors import UserError

_TAB = 8


def inside_quotes(text: str) -> np.ndarray:
    """Between double quotes, straight ("...") or curved; a blank line ends them, as in a quotation left open.

    >>> inside_quotes('a "b" c').astype(int).tolist()
    [0, 0, 1, 1, 0, 0, 0]
    """
    inside, places = False, np.zeros(len(text), bool)
    for t, character in enumerate(text):
        if character == '"':
            inside = not inside
        elif character in "\u201c\u201d":
            inside = character == "\u201c"
        elif character == "\n" and text[t - 1 : t] == "\n":
            inside = False
        places[t] = inside
    return places


def inside_brackets(text: str) -> np.ndarray:
    """Within ( ), [ ] or { }; a closing bracket closes the last one that is open, a blank line closes all.

    >>> inside_brackets("f(a[1]) ").astype(int).tolist()
    [0, 1, 1, 1, 1, 1, 0, 0]
    """
    depth, places = 0, np.zeros(len(text), bool)
    for t, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(depth - 1, 0)
        elif character == "\n" and text[t - 1 : t] == "\n":
            depth = 0
        places[t] = depth > 0
    return places


def line_position(text: str) -> np.ndarray:
    """The number of characters since the last end of a line.

    >>> line_position("ab\\nc").tolist()
    [1, 2, 0, 1]
    """
    places = np.arange(1, len(text) + 1)
    ends = np.frombuffer(text.encode("utf-32-le"), "<u4") == ord("\n")
    return places - np.maximum.accumulate(np.where(ends, places, 0))


def indentation(text: str) -> np.ndarray:
    """The width of the blanks that the line begins with, as far as it has been read; a tab goes on to a multiple of 8.

    >>> indentation("if a:\\n  b\\n").tolist()
    [0, 0, 0, 0, 0, 0, 1, 2, 2, 0]
    """
    width, leading, places = 0, True, np.zeros(len(text), int)
    for t, character in enumerate(text):
        if character == "\n":
            width, leading = 0, True
        elif leading and character == " ":
            width += 1
        elif leading and character == "\t":
            width += _TAB - width % _TAB
        else:
            leading = False
        places[t] = width
    return places


def after_space(text: str) -> np.ndarray:
    """The character is a space: what any network knows, trained or not, for its input says it."""
    return np.frombuffer(text.encode("utf-32-le"), "<u4") == ord(" ")


def _python(bit: int) -> Callable[[str], np.ndarray]:
    return lambda text: (python_places(text) & bit) > 0


PROPERTIES: dict[str, Callable[[str], np.ndarray]] = {
    "quotes": inside_quotes,
    "brackets": inside_brackets,
    "line-position": line_position,
    "indentation": indentation,
    "after-space": after_space,
    "python-string": _python(STRING | TRIPLE),
    "python-docstring": _python(TRIPLE),
    "python-comment": _python(COMMENT),
    "python-text": _python(STRING | TRIPLE | COMMENT),  # "inside comments and quotes": Karpathy et al. 2016, figure 2
    "python-prose": _python(TRIPLE | COMMENT),
    "python-brackets": _python(BRACKETS),
}


def text_property(name: str, pieces: Sequence[str]) -> np.ndarray:
    """A property of a text after each of its pieces.

    Args:
        name: one of `PROPERTIES`.
        pieces: strings that make up the text when joined: its characters, or its words with the blanks behind them.

    Returns:
        (T,) boolean, or int64 for a property that is a number: its value at the last character of each piece.

    Raises:
        UserError: an unknown name.

    Example:

        >>> text_property("line-position", ["one ", "two\\n", "three\\n"]).tolist()
        [4, 0, 0]
    """
    if name not in PROPERTIES:
        raise UserError(f"there is no property `{name}`; there are: {', '.join(PROPERTIES)}")
    ends = np.cumsum([len(piece) for piece in pieces]) - 1
    return PROPERTIES[name]("".join(pieces))[ends]
