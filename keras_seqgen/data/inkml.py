"""InkML (W3C 2011): traces of comma-separated points, with annotations for the text and the writer."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.safe_xml import tree
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError

_TEXT = ("transcription", "truth", "label", "text", "contents", "textline")
_WRITER = ("writer", "writerid", "author")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TOKEN = re.compile(r"""(['"!]?)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|#[0-9A-Fa-f]+|[*?TF])\s*""")


def read_inkml(data: bytes, name: str) -> Iterator[RawLine | BadRecord]:
    """The records of an InkML document: y downward, time in seconds where there is a channel T.

    Where the document as a whole has a text, or no trace group has one, all its traces are one record (in CROHME the
    groups are symbols of the one formula). Otherwise each innermost group with a text is a record. A point that several
    elements name is in a record once.

    Args:
        data: The file.
        name: The record's name; groups get a number appended.

    Raises:
        UserError: where it is not an InkML document.
    """
    root = tree(data)
    if _tag(root) != "ink":
        raise UserError(f"the root element is {_tag(root)!r}, not 'ink'")
    by_id = {_id(element): element for element in root.iter() if _tag(element) in ("trace", "traceGroup", "traceView")}
    groups = [] if _annotation(root, _TEXT) else _groups_with_text(root)
    writer = _annotation(root, _WRITER)
    channels = _channels(root)
    for number, element in enumerate(groups or [root]):
        record_name = f"{name}#{number}" if groups else name
        try:
            trace = _read_traces(element, by_id, channels)
        except ValueError as error:
            yield BadRecord(record_name, "unreadable", str(error))
        else:
            own = _annotation(element, _WRITER) or writer
            yield RawLine(record_name, own or name, own, _annotation(element, _TEXT), trace)


def _tag(element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _id(element) -> str:
    return element.get("{http://www.w3.org/XML/1998/namespace}id") or element.get("id") or ""


def _annotation(element, kinds: tuple[str, ...]) -> str:
    """The first annotation of one of these types directly below an element."""
    for child in element:
        if _tag(child) == "annotation" and (child.get("type") or "").lower().replace("-", "") in kinds:
            return unicodedata.normalize("NFC", (child.text or "").strip())
    return ""


def _groups_with_text(root) -> list:
    """The groups that have a text, without those that hold another such group (one pass, children before parents)."""
    found, holds = [], set()
    parents = {child: parent for parent in root.iter() for child in parent}
    for element in root.iter():
        if _tag(element) in ("traceGroup", "traceView") and _annotation(element, _TEXT):
            found.append(element)
            parent = parents.get(element)
            while parent is not None and parent not in holds:
                holds.add(parent)
                parent = parents.get(parent)
    return [element for element in found if element not in holds]


def _channels(root) -> tuple[list[str], float, float]:
    """Names of the channels in order; the sign of y; seconds per unit of time."""
    for element in root.iter():
        if _tag(element) == "traceFormat":
            channels = [channel for channel in element if _tag(channel) == "channel"]
            names = [channel.get("name", "") for channel in channels]
            if "X" in names and "Y" in names:
                y = channels[names.index("Y")]
                units = channels[names.index("T")].get("units", "ms") if "T" in names else "ms"
                return names, -1.0 if y.get("orientation") == "-ve" else 1.0, _SECONDS.get(units, 1e-3)
    return ["X", "Y"], 1.0, 1e-3


def _read_traces(element, by_id: dict, channels: tuple[list[str], float, float]) -> Trace:
    names, sign, seconds = channels
    strokes, times = [], []
    for trace, parts in _traces_below(element, by_id).items():
        if trace.get("type", "penDown") != "penDown" or not (trace.text or "").strip():
            continue
        for values in _stretches(_points(trace.text, len(names)), parts):
            strokes.append(np.column_stack([values[:, names.index("X")], sign * values[:, names.index("Y")]]))
            if "T" in names:
                times.append(seconds * values[:, names.index("T")])
    return Trace.from_strokes(strokes, times or None)


def _traces_below(element, by_id: dict) -> dict[Any, list[tuple[int, int | None]]]:
    """The traces of an element and those that its views refer to, in order -> their parts, as in `_stretches`.

    A view of what the element itself holds adds nothing: the symbols of a formula are such views of its strokes.

    Raises:
        UserError: a view of something that is not in the document, or a part of something other than a trace.
    """
    own, seen = set(element.iter()), set()
    found: dict[Any, list[tuple[int, int | None]]] = {}
    stack = [iter([element])]
    while stack:
        inner = next(stack[-1], None)
        if inner is None:
            stack.pop()
        elif inner not in seen:  # views may refer to each other, or many times to the same
            seen.add(inner)
            stack.append(iter(inner))
            name = (inner.get("traceDataRef") or "").removeprefix("#")
            if _tag(inner) == "trace":
                found[inner] = [(1, None)]
            elif _tag(inner) == "traceView" and name:
                if name not in by_id:
                    raise UserError(f"a traceView refers to {name!r}: no trace, group or view of the document")
                target, bounds = by_id[name], (inner.get("from", "").strip(), inner.get("to", "").strip())
                if target in own:
                    continue
                if not any(bounds):
                    stack.append(iter([target]))
                elif _tag(target) == "trace" and all(bound.isdecimal() or not bound for bound in bounds):
                    found.setdefault(target, []).append((int(bounds[0] or 1), int(bounds[1]) if bounds[1] else None))
                else:
                    told = " ".join(f'{key}="{bound}"' for key, bound in zip(("from", "to"), bounds, strict=True))
                    raise UserError(f"a traceView of {name!r} has {told}: understood are points of a trace alone")
    return found


def _stretches(values: np.ndarray, parts: list[tuple[int, int | None]]) -> list[np.ndarray]:
    """The points of a trace that are in one of its parts, (first, last) from 1 on, cut where some are left out.

    Raises:
        UserError: a part that the trace does not have.
    """
    kept = np.zeros(len(values), bool)
    for first, end in parts:
        last = len(values) if end is None else end
        if not 1 <= first <= last <= len(values):
            raise UserError(f"a traceView is of the points {first} to {last} of a trace that has {len(values)}")
        kept[first - 1 : last] = True
    numbers = np.flatnonzero(kept)
    return np.split(values[numbers], np.flatnonzero(np.diff(numbers) > 1) + 1)


def _points(text: str, width: int) -> np.ndarray:
    """The text of a trace -> (N, channels); what stands after a colon belongs to intermittent channels: left out."""
    points = [point.partition(":")[0] for point in text.strip().rstrip(",").split(",")]
    try:
        return np.array([list(map(float, point.split())) for point in points]).reshape(len(points), width)
    except ValueError:  # the compressed form
        return _differences(points, width)


def _differences(points: list[str], width: int) -> np.ndarray:
    """Points where ' and " mark first and second differences, ! plain values, * a value as before, ? an unknown one."""
    out = np.zeros((len(points), width))
    mode = ["!"] * width
    step = np.zeros(width)
    second = np.zeros(width)
    for row, point in enumerate(points):
        tokens = _TOKEN.findall(point)
        if len(tokens) != width or "".join(map("".join, tokens)) != "".join(point.split()):
            raise UserError(f"a trace's point is not {width} values: {point.strip()[:60]!r}")
        for column, (prefix, value) in enumerate(tokens):
            mode[column] = prefix or mode[column]
            before = out[row - 1, column] if row else 0.0
            if value in "*?":
                second[column] *= value == "*" and mode[column] == '"'
                step[column] = step[column] + second[column] if mode[column] != "!" else 0.0
                out[row, column] = before + step[column]
                continue
            number = _number(value)
            if mode[column] == "!":
                out[row, column], step[column], second[column] = number, (number - before) * (row > 0), 0.0
            else:
                second[column] = number if mode[column] == '"' else 0.0
                step[column] = step[column] + number if mode[column] == '"' else number
                out[row, column] = before + step[column]
    return out


def _number(value: str) -> float:
    if value.startswith("#"):
        return float(int(value[1:], 16))
    return {"T": 1.0, "F": 0.0}[value] if value in ("T", "F") else float(value)
