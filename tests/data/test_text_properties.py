import random
import re

import numpy as np
import pytest

from keras_seqgen.data.text_properties import PROPERTIES, text_property
from keras_seqgen.errors import UserError


def drawn(name, text):
    """The text with the places where a property holds, or its number, as a string."""
    return "".join(str(int(value)) for value in text_property(name, list(text)))


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("quotes", 'he "so" \u201cno\u201d', "000111001110"),
        ("quotes", '"a\n\nb', "11100"),
        ("brackets", "a(b[)]){}", "011110010"),
        ("brackets", "((\n\n)a", "111000"),
        ("line-position", "ab\n\ncde", "1200123"),
        ("indentation", "  a b\n\tc\n d", "12222088011"),
        ("after-space", "a b\n ", "01001"),
        ("python-string", "'a' # 'b\n'c\nd", "1100000001100"),
        ("python-docstring", "'''a''' ''", "0011110000"),
        ("python-comment", "'#' # a\nb", "000011100"),
        ("python-text", "'a' # 'b\nc", "1100111100"),
        ("python-prose", "'a' # 'b\nc", "0000111100"),
        ("python-brackets", "f('(')) # (", "01111000000"),
    ],
)
def test_properties_of_small_texts(name, text, wanted):
    assert drawn(name, text) == wanted


@pytest.mark.parametrize("name", PROPERTIES)
def test_what_comes_later_changes_nothing(name):
    rng = random.Random(0)
    text = "".join(rng.choice("ab \n\n\t'''\"\"\"\\#()[]{}\u201c\u201d") for _ in range(400))
    whole = PROPERTIES[name](text)
    assert whole.shape == (len(text),)
    assert PROPERTIES[name]("").shape == (0,)
    for stop in range(0, len(text), 7):
        np.testing.assert_array_equal(PROPERTIES[name](text[:stop]), whole[:stop])


def test_line_position_and_indentation_as_a_regular_expression_says():
    rng = random.Random(1)
    text = "".join(rng.choice("ab  \n") for _ in range(500))
    for t in range(len(text)):
        line = text[: t + 1].rpartition("\n")[2]
        assert PROPERTIES["line-position"](text)[t] == len(line)
        assert PROPERTIES["indentation"](text)[t] == len(re.match(" *", line)[0])


def test_words_have_the_property_of_their_last_character():
    words = ["he ", 'said "so ', 'it is" ', "\n"]
    assert text_property("quotes", words).tolist() == [False, True, False, False]
    assert text_property("line-position", words).tolist() == [3, 12, 19, 0]


def test_an_unknown_property_is_named():
    with pytest.raises(UserError, match=r"`rhyme`.*quotes, brackets"):
        text_property("rhyme", ["a"])
