"""Where a Python source has strings, comments and brackets, told character by character from what came before."""

import numpy as np

COMMENT, STRING, TRIPLE, BRACKETS = 1, 2, 4, 8


def python_places(text: str) -> np.ndarray:
    """The lexical state after each character of a Python source.

    A scanner without look-ahead, for sources and for stretches of them that begin in code. It tells what a reader knows
    who has come so far: of three quotes the second closes an empty string, and only the third opens the long one. A
    backslash holds a quote back in raw strings too, as in Python. A string of one line ends with the line. An f-string
    is a string from its quote to its quote, what stands in its braces included.

    Args:
        text: any string; what is no Python gives some answer too.

    Returns:
        (T,) uint8, a sum of COMMENT, STRING (between single or double quotes), TRIPLE (between triple quotes) and
        BRACKETS (within (), [] or {} of the code, strings and comments in it included).

    Example:

        >>> python_places("f('a')  # b").tolist()
        [0, 8, 10, 10, 8, 0, 0, 0, 1, 1, 1]
    """
    places = np.zeros(len(text), np.uint8)
    inside, quote, depth = 0, "", 0
    opened = run = 0  # where the string began; how many of its quotes stand in a row
    escaped = False
    for t, character in enumerate(text):
        if inside == COMMENT:
            inside = 0 if character == "\n" else COMMENT
        elif escaped:
            escaped, run = False, 0
        elif inside and character == "\\":
            escaped = True
        elif inside == STRING:
            if character in (quote, "\n"):
                inside = 0
        elif inside == TRIPLE:
            run = run + 1 if character == quote else 0
            inside = 0 if run == 3 else TRIPLE
        elif character == "#":
            inside = COMMENT
        elif character in "'\"":
            long = t >= 2 and t - opened == 2 and text[t - 2 : t + 1] == 3 * character
            inside, quote, run = (TRIPLE if long else STRING), character, 0
            opened = t
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(depth - 1, 0)
        places[t] = inside | (BRACKETS if depth else 0)
    return places
