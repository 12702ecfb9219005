"""SVG drawings as ink: paths, lines and polygons become strokes; fill, width and style are not looked at."""

import unicodedata
from collections.abc import Iterator

import numpy as np
import svgelements

from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.safe_xml import tree
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError

STEPS_PER_DIAGONAL = 200  # a curve is sampled about every 1/200 of the drawing's diagonal
_MOST_PIECES = 500  # per curve
_NOT_DRAWN = {"defs", "clipPath", "mask", "pattern", "marker", "symbol", "metadata", "glyph", "font"}


def read_svg(data: bytes, name: str) -> Iterator[RawLine | BadRecord]:
    """The one drawing of an SVG file; its text is the file's <title>, else its <desc>.

    svgelements reads path data and transforms only. It never sees the document, whose `use` elements could multiply
    without end, so `use` draws nothing here.

    Raises:
        UserError: where it is not an SVG file.
    """
    root = tree(data)
    if _tag(root) != "svg":
        raise UserError(f"the root element is {_tag(root)!r}, not 'svg'")
    try:
        strokes = _read_paths(root)
    except Exception as error:  # damaged path data raises anything in svgelements
        raise UserError(f"path data is not understood: {type(error).__name__}: {error}") from error
    texts = {_tag(child): "".join(child.itertext()).strip() for child in root if _tag(child) in ("title", "desc")}
    text = unicodedata.normalize("NFC", " ".join((texts.get("title") or texts.get("desc") or "").split()))
    yield RawLine(name, name, "", text, Trace.from_strokes(strokes))


def _read_paths(root) -> list[np.ndarray]:
    """The strokes of all paths, their curves sampled on a scale that the whole drawing sets."""
    paths = list(_paths(root))
    corners = np.array([point for path in paths for segment in path for point in _ends(segment)] or [(0.0, 0.0)])
    spacing = float(np.hypot(*np.ptp(corners, axis=0))) / STEPS_PER_DIAGONAL
    return [stroke for path in paths for stroke in _strokes(path, spacing) if len(stroke) > 1]


def _tag(element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _paths(root) -> Iterator[svgelements.Path]:
    """The drawn paths in document order, in the coordinates of the whole (walked without recursion)."""
    stack = [(root, svgelements.Matrix())]
    while stack:
        element, outer = stack.pop()
        if _tag(element) in _NOT_DRAWN:
            continue
        matrix = svgelements.Matrix(element.get("transform", "")) * outer
        shape = _path_data(element)
        if shape:
            yield (svgelements.Path(shape) * matrix).reify()
        stack.extend((child, matrix) for child in reversed(element))


def _path_data(element) -> str:
    kind = _tag(element)
    if kind == "path":
        return element.get("d", "")
    if kind in ("polyline", "polygon"):
        points = element.get("points", "").strip()
        return f"M {points}{' Z' if kind == 'polygon' else ''}" if points else ""
    if kind == "line":
        return "M {} {} L {} {}".format(*(element.get(key, "0") for key in ("x1", "y1", "x2", "y2")))
    return ""


def _ends(segment) -> list[tuple[float, float]]:
    return [(point.x, point.y) for point in (segment.start, segment.end) if point is not None]


def _strokes(path: svgelements.Path, spacing: float) -> Iterator[np.ndarray]:
    """A path's subpaths as points: corners of straight parts, samples of curved ones."""
    points: list[tuple[float, float]] = []
    for segment in path:
        if isinstance(segment, svgelements.Move):
            yield np.array(points)
            points = _ends(segment)[-1:]
        elif isinstance(segment, svgelements.Line | svgelements.Close):
            points += _ends(segment)[-1:]
        else:
            corners = [
                (p.x, p.y)
                for p in (getattr(segment, key, None) for key in ("start", "control", "control1", "control2", "end"))
                if p
            ]
            reach = float(np.hypot(*np.diff(np.array(corners), axis=0).T).sum())
            if isinstance(segment, svgelements.Arc):
                reach = abs(segment.sweep) * max(segment.rx, segment.ry)
            pieces = int(np.clip(np.ceil(reach / spacing) if spacing else 1, 1, _MOST_PIECES))
            points += [(p.x, p.y) for p in (segment.point(k / pieces) for k in range(1, pieces + 1))]
    yield np.array(points)
