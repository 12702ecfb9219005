import re

import numpy as np
import pytest
from PIL import Image

from keras_seqgen.errors import UserError
from keras_seqgen.viz import text_page
from keras_seqgen.viz.text_page import Box, ansi, save_rows, shade

ORANGE, BLUE = (245, 140, 40), (70, 130, 220)
ROWS = [[Box(0, 2, "", ORANGE), Box(4, 3, "", BLUE)], [], [Box(1, 1, "")], [Box(0, 6, "", ORANGE)]]


def test_shades_go_from_blue_over_white_to_orange():
    assert [shade(value) for value in (-2, -1, 0, 1, np.float32(3))] == [BLUE, BLUE, (255, 255, 255), ORANGE, ORANGE]
    assert shade(0.5) == (250, 198, 148)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_boxes_have_their_colours_and_places(tmp_path):
    save_rows(tmp_path / "page.png", ROWS)
    picture = pixels(tmp_path / "page.png")
    character, row = text_page._ADVANCE * 150 / 72, text_page._LEADING * 150 / 72
    for colour, characters in ((ORANGE, 8), (BLUE, 3)):
        area = (np.abs(picture - colour).sum(axis=-1) < 12).sum()
        assert area == pytest.approx(characters * character * row, rel=0.06)
    blue = np.argwhere(np.abs(picture - BLUE).sum(axis=-1) < 12)
    margin = text_page._MARGIN * 150 / 72
    assert blue.min(axis=0) == pytest.approx([margin, margin + 4 * character], abs=2)
    assert blue.max(axis=0) == pytest.approx([margin + row, margin + 7 * character], abs=3)
    assert (picture[[0, -1]] == 255).all()


def dark(rows, tmp_path, limit=300):
    """Dark pixels of a page; white is 765."""
    save_rows(tmp_path / "dark.png", rows)
    return int((pixels(tmp_path / "dark.png").sum(axis=-1) < limit).sum())


def test_text_frames_and_lines_are_drawn(tmp_path):
    plain = dark([[Box(0, 3, "ab$")]], tmp_path)
    assert plain > 100
    assert dark([[Box(0, 3, "   ")]], tmp_path) == 0
    assert dark([[Box(0, 3, "ab$", bold=True)]], tmp_path) > 1.15 * plain
    assert dark([[Box(0, 3, "ab$", framed=True)]], tmp_path) > plain + 80
    assert plain + 30 < dark([[Box(0, 3, "ab$", underlined=True)]], tmp_path) < plain + 200
    assert dark([[Box(0, 2, "ab$")]], tmp_path) < plain  # what does not fit is left out
    assert dark([[Box(0, 3, "___")]], tmp_path, 600) > 30  # thin strokes do not fall between the pixels
    stranger = dark([[Box(0, 1, "\ufffd")]], tmp_path)
    assert stranger > 20
    assert dark([[Box(0, 1, "\U00013080")]], tmp_path) == stranger  # the font has no hieroglyphs


@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")])
def test_formats(tmp_path, suffix, magic):
    path = tmp_path / "new" / f"page.{suffix}"
    save_rows(path, [*ROWS, [Box(0, 4, "a $_", ORANGE)]])
    assert path.read_bytes().startswith(magic)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_terminal(tmp_path, capsys):
    rows = [[Box(0, 2, "ab"), Box(3, 2, "cdef", BLUE, bold=True)], [], [Box(0, 1, "x", underlined=True)]]
    wanted = "ab \x1b[1;38;2;0;0;0;48;2;70;130;220mcd\x1b[0m\n\n\x1b[4mx\x1b[0m"
    assert ansi(rows) == wanted
    save_rows("-", rows)
    assert capsys.readouterr().out == wanted + "\n"
    save_rows(tmp_path / "page.ansi", rows)
    assert (tmp_path / "page.ansi").read_text() == wanted + "\n"


def test_mistakes_are_named_and_leave_no_file(tmp_path):
    with pytest.raises(UserError, match=re.escape(".png, .svg, .pdf, .ansi, or - for the terminal. Received: a.gif")):
        save_rows(tmp_path / "a.gif", ROWS)
    with pytest.raises(UserError, match="20,000 pixels"):
        save_rows(tmp_path / "a.png", [[Box(0, 1, "a")]] * 1000)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save_rows(tmp_path / "file" / "a.png", ROWS)
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        save_rows(tmp_path / "a.png", ROWS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "file"]
