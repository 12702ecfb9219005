import numpy as np
import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.viz import text
from keras_seqgen.viz.text import save_activations, save_guesses, visible
from keras_seqgen.viz.text_page import shade


@pytest.fixture
def rows(monkeypatch):
    """The rows of the last picture, in place of a picture."""
    pages = []
    monkeypatch.setattr(text, "save_rows", lambda path, rows: pages.append(rows))
    return lambda: [list(row) for row in pages[-1]]


def written(row):
    """A row as it reads."""
    line = ""
    for box in sorted(row):
        line = line.ljust(box.column) + box.text.ljust(box.width)
    return line


def test_what_has_no_shape_is_shown_by_another():
    assert [visible(token) for token in ("\n", "<eos>", "\t", "<unk>", "\x07", "\xa0", " ", "of", "a\tb")] == [
        *"↵↵⇥�� "[:5],
        "�",
        " ",
        "of",
        "a⇥b",
    ]
    assert visible(" ", "␣") == "␣"


def test_guesses_stand_below_their_character(rows):
    guesses = [["a", "b"], [" ", "\n"], ["c", "b"]]
    save_guesses("-", "a b", guesses, [[0.5, 0.25], [0.9, 0.05], [0.7, 0.2]], title="net")
    title, legend, gap, actual, best, second = rows()
    assert written(title) == "net"
    assert written(legend).split() == ["probability", "0", "0.25", "0.5", "0.75", "1"]
    assert gap == []
    assert [written(row) for row in (actual, best, second)] == ["a b", "a␣c", "b↵b"]
    assert [box.framed for box in best + second] == [True, True, False, False, False, True]
    assert [box.colour for box in best] == [shade(p) for p in (0.5, 0.9, 0.7)]
    assert [box.colour for box in actual] == [shade(p) for p in (0.5, 0.9, 0.2)]
    assert all(box.bold for box in actual)
    save_guesses("-", "abc", guesses, np.zeros((3, 2)), likelihoods=[1, 0, 0.5])
    assert [box.colour for box in rows()[2]] == [shade(p) for p in (1, 0, 0.5)]


def test_words_are_set_apart_and_have_room_for_their_guesses(rows):
    save_guesses("-", ["he", "<eos>", "ran"], [["she"], ["walks"], ["we"]], [[0.5], [0.5], [0.5]], columns=12)
    lines = [written(row) for row in rows()[1:] if row]
    assert lines == ["he  ↵    ", "she walks", "ran", "we "]
    assert [box.width for box in rows()[3]] == [3, 5]


def test_lines_end_where_those_of_the_text_do_and_where_they_are_full(rows):
    save_activations("-", "ab\n\nabcdef\n", np.zeros((1, 11)), columns=5)
    assert [written(row) for row in rows()[1:] if row] == ["ab↵↵", "abcde", "f↵"]


def test_a_text_is_coloured_by_its_cells(rows):
    values = np.array([[-1, 0, 0.5], [1, 2, -0.25]])
    marks = [[False, True, True], [True, False, False]]
    save_activations("-", "a\nb", values, ["c1.0", "h2.13"], marks=marks, title="net")
    blocks = [row for row in rows()[2:] if row]
    assert [written(row) for row in blocks] == ["c1.0   a↵", "h2.13  a↵", "c1.0   b", "h2.13  b"]
    coloured = [[box for box in row if box.colour] for row in blocks]
    assert [[box.colour for box in row] for row in coloured] == [
        [shade(-1), shade(0)],
        [shade(1), shade(1)],
        [shade(0.5)],
        [shade(-0.25)],
    ]
    assert [[box.underlined for box in row] for row in coloured] == [[False, True], [True, False], [True], [False]]
    assert written(rows()[1]).split() == ["activation", "-1", "-0.5", "0", "0.5", "1"]


def test_one_cell_needs_no_names_and_no_gaps(rows):
    save_activations("-", "a\nb", np.zeros((1, 3)))
    assert [written(row) for row in rows()[1:]] == ["", "a↵", "b"]


@pytest.mark.parametrize(
    ("values", "marks"), [(np.zeros((1, 2)), None), (np.zeros((1, 3)), [[True]]), (np.zeros(3), None)]
)
def test_as_many_values_as_tokens(values, marks):
    with pytest.raises(ValueError, match="must be rows of 3"):
        save_activations("-", "abc", values, marks=marks)


def test_pictures(tmp_path):
    letters = "if $x_1$:\n\treturn 'é'\n"
    save_activations(tmp_path / "a.png", letters, np.sin(np.arange(2 * len(letters))).reshape(2, -1), ["c1.0", "c1.1"])
    guesses = [["a", " ", "\n", "$", "\\"]] * len(letters)
    save_guesses(tmp_path / "g.svg", letters, guesses, np.full((len(letters), 5), 0.2))
    assert all((tmp_path / name).stat().st_size > 4000 for name in ("a.png", "g.svg"))
    with pytest.raises(UserError, match=r"a\.txt"):
        save_activations(tmp_path / "a.txt", "a", [[0.5]])
