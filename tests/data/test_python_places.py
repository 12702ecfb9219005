import io
import sysconfig
import tokenize
from pathlib import Path

import numpy as np
import pytest

from keras_seqgen.data.python_places import BRACKETS, COMMENT, STRING, TRIPLE, python_places

SOURCES = ("textwrap.py", "ast.py", "argparse.py", "tokenize.py", "json/decoder.py", "email/header.py", "turtle.py")


def places_by_tokenize(text: str) -> np.ndarray:
    """The same from the tokens of the standard library, but for what the second of three opening quotes is."""
    lines = np.cumsum([0, *(len(line) for line in text.splitlines(keepends=True))])
    wanted, depth, opened, f_strings = np.zeros(len(text), int), 0, 0, []
    f_start, f_end = (getattr(tokenize, name, None) for name in ("FSTRING_START", "FSTRING_END"))

    def string(start, stop):
        quote = next(at for at in range(start, stop) if text[at] in "'\"")
        long = text[quote : quote + 3] in ("'''", '"""')
        wanted[quote] |= STRING
        wanted[quote + (2 if long else 1) : stop - 1] |= TRIPLE if long else STRING

    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        start, stop = (int(lines[row - 1]) + column for row, column in (token.start, token.end))
        if token.type == f_start:
            f_strings.append(start)
        elif token.type == f_end:
            start = f_strings.pop()
            if not f_strings:
                string(start, stop)
        elif f_strings:
            continue
        elif token.type == tokenize.STRING:
            string(start, stop)
        elif token.type == tokenize.COMMENT:
            wanted[start:stop] |= COMMENT
        elif token.type == tokenize.OP and token.string in "([{":
            depth, opened = depth + 1, opened if depth else start
        elif token.type == tokenize.OP and token.string in ")]}":
            depth -= 1
            if not depth:
                wanted[opened:start] |= BRACKETS
    return wanted


@pytest.mark.parametrize("name", SOURCES)
def test_agrees_with_tokenize_on_the_standard_library(name):
    text = Path(sysconfig.get_path("stdlib"), name).read_text(encoding="utf-8")
    places, wanted = python_places(text), places_by_tokenize(text)
    assert len(text) > 1000
    for bit in (COMMENT, STRING, TRIPLE, BRACKETS):
        assert (wanted & bit).any()
    different = np.flatnonzero(places != wanted)
    assert not different.size, repr(text[different[0] - 40 : different[0] + 5])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("'\\'' ", "22200"),  # an escaped quote
        ("'\\\\' ", "22200"),  # an escaped backslash
        ('""""""x', "2044400"),  # a long string of nothing
        ('"""a""b"""', "2044444440"),
        ('"" ""', "20020"),
        ('"""\\"""""c', "2044444022"),
        ('"""""\\n"b"""', "204444444440"),  # quotes with something escaped between them are not in a row
        ("'a\nb", "2200"),  # a string ends with its line
        ("'a\\\nb'", "222220"),  # unless the end of the line is escaped
        ("#'\n'", "1102"),
        ("(#)\n)", "89980"),
    ],
)
def test_corners(text, wanted):
    assert "".join(map(str, python_places(text))) == wanted
