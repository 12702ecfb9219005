import json
import re
import zlib
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from keras_seqgen.data.hands import embedded_line
from keras_seqgen.errors import UserError
from keras_seqgen.viz.ink import save_ink
from keras_seqgen.viz.page import bezier, flatten, lay_out, split_strokes

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def line():
    return embedded_line(3, seed=1)


def on_curve_points(track: str) -> list[np.ndarray]:
    """The end points of the M and C commands of an SVG path, stroke by stroke."""
    strokes = []
    for piece in track.split("M")[1:]:
        numbers = [np.array(re.findall(r"-?\d+(?:\.\d+)?", part), float) for part in piece.split("h")[0].split("C")]
        strokes.append(np.array([part[-2:] for part in numbers]))
    return strokes


def test_split_strokes_keeps_dots_and_an_unfinished_last_stroke():
    strokes = split_strokes([[1, 0, 1], [5, 5, 1], [1, 0, 0], [1, 1, 0]])
    assert [len(stroke) for stroke in strokes] == [2, 1, 2]
    np.testing.assert_allclose(strokes[2], [[7, 5], [8, 6]])


def test_svg_goes_through_the_points(tmp_path, line):
    root = ElementTree.parse(save_ink(tmp_path / "line.svg", line.strokes, line.text)).getroot()
    assert root.find(f"{SVG}title").text == line.text
    left, top, width, height = map(float, root.get("viewBox").split())
    drawn = on_curve_points(root.find(f"{SVG}g/{SVG}path").get("d"))
    wanted = split_strokes(line.strokes)
    assert len(drawn) == len(wanted)
    shift = drawn[0][0] - wanted[0][0]
    for ours, theirs in zip(drawn, wanted, strict=True):
        np.testing.assert_allclose(ours - shift, theirs, atol=0.011)
        assert (ours > (left, top)).all()
        assert (ours < (width, height)).all()
    assert root.find(f"{SVG}g").get("fill") == "none"


def test_svg_of_a_dot_and_of_a_text_with_markup(tmp_path):
    path = save_ink(tmp_path / "dot.svg", [[10, 0, 1], [5, 5, 1]], "<&>\x00")
    root = ElementTree.parse(path).getroot()
    assert root.find(f"{SVG}title").text == "<&>"
    assert root.find(f"{SVG}g/{SVG}path").get("d").endswith("h0.01")


def test_svg_has_the_width_that_is_asked_for(tmp_path, line):
    root = ElementTree.parse(save_ink(tmp_path / "line.svg", line.strokes, width_mm=150)).getroot()
    assert root.get("width") == "150.00mm"


def test_png_has_ink_on_white_and_the_height_asked_for(tmp_path, line):
    path = save_ink(tmp_path / "line.png", line.strokes, line.text, line_pixels=80)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    assert abs(pixels.shape[0] - 80 * 1.6) <= 2  # margins of 0.3 above and below
    assert pixels.max() == 255
    assert pixels.min() < 40
    assert 0.002 < np.mean(pixels < 128) < 0.2
    assert (pixels[[0, -1]] == 255).all()


def test_pdf_holds_the_curves(tmp_path, line):
    content = save_ink(tmp_path / "line.pdf", line.strokes, line.text).read_bytes()
    assert content.startswith(b"%PDF-1.4")
    assert content.endswith(b"%%EOF\n")
    start = int(content.split(b"startxref\n")[1].split(b"\n")[0])
    assert content[start : start + 4] == b"xref"
    for place in re.findall(rb"(\d{10}) 00000 n", content):
        assert re.match(rb"\d 0 obj", content[int(place) :])
    drawing = zlib.decompress(content.split(b"stream\n")[1].split(b"\nendstream")[0]).decode()
    assert drawing.count(" m ") == len(split_strokes(line.strokes))
    assert drawing.count(" c") >= len(line.strokes) * 0.7
    assert line.text.encode("utf-16-be").hex().encode() in content


def test_json_round_trip(tmp_path, line):
    record = json.loads(save_ink(tmp_path / "line.json", line.strokes, line.text, units="mm").read_text())
    assert (record["text"], record["units"]) == (line.text, "mm")
    points = np.array(record["points"])
    strokes = np.column_stack([np.diff(points[:, :2], axis=0), points[1:, 2]])
    np.testing.assert_allclose(strokes, line.strokes, atol=2e-4)


def test_several_lines_do_not_overlap(tmp_path):
    lines = [embedded_line(i) for i in range(3)]
    page = lay_out([line.strokes for line in lines])
    spans = [(np.concatenate(line)[:, 1].min(), np.concatenate(line)[:, 1].max()) for line in page.lines]
    assert all(below[0] > above[1] for above, below in pairwise(spans))
    path = save_ink(tmp_path / "page.json", [line.strokes for line in lines], [line.text for line in lines])
    assert [record["text"] for record in json.loads(path.read_text())["lines"]] == [line.text for line in lines]


def test_bezier_passes_through_its_points_and_has_a_continuous_direction():
    points = np.array([[0, 0], [1, 2], [1, 2], [4, 2], [4.1, 9], [0, 3]], float)
    segments = bezier(points)
    np.testing.assert_allclose(segments[:, 0], points[[0, 1, 3, 4]])
    np.testing.assert_allclose(segments[:, 3], points[[1, 3, 4, 5]])
    before, after = segments[:-1, 3] - segments[:-1, 2], segments[1:, 1] - segments[1:, 0]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    np.testing.assert_allclose(cross, 0, atol=1e-12)
    assert (np.sum(before * after, axis=1) > 0).all()
    flat = flatten(segments)
    assert len(flat) == 4 * 6 + 1
    np.testing.assert_allclose(flat[::6], points[[0, 1, 3, 4, 5]])


@pytest.mark.parametrize(
    ("name", "strokes", "message"),
    [
        ("line.gif", [[1, 1, 1]], ".svg, .png, .pdf, .json"),
        ("line", [[1, 1, 1]], ".svg"),
        ("line.svg", np.zeros((0, 3)), "at least one"),
        ("line.svg", [[np.nan, 0, 0]], "finite"),
        ("line.png", [[1e9, 1, 0], [-1e9 + 1, 1, 1]], "too large"),
    ],
)
def test_mistakes_are_named_and_leave_no_file(tmp_path, name, strokes, message):
    with pytest.raises(UserError, match=re.escape(message)):
        save_ink(tmp_path / name, strokes)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save_ink(tmp_path / "file" / "line.svg", [[1, 1, 1]])
    (tmp_path / "line.svg").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        save_ink(tmp_path / "line.svg", [[1, 1, 1]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "line.svg"]


def test_several_lines_need_no_texts(tmp_path):
    inks = [embedded_line(number, style="demo").strokes for number in range(2)]
    save_ink(tmp_path / "lines.svg", inks)
    svg = ElementTree.parse(tmp_path / "lines.svg")
    assert len(svg.findall(".//{http://www.w3.org/2000/svg}path")) == 2
    save_ink(tmp_path / "lines.json", inks[:1])
    assert [line["text"] for line in json.loads((tmp_path / "lines.json").read_text())["lines"]] == [""]
    with pytest.raises(UserError, match="2 inks, 1 texts"):
        save_ink(tmp_path / "lines.svg", inks, "one text")
