"""Rows of coloured boxes with text in them, on a grid of characters: to PNG, SVG or PDF, or to a terminal."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from keras_seqgen.errors import UserError

SUFFIXES = (".png", ".svg", ".pdf", ".ansi")
_FONT, _POINTS = "DejaVu Sans Mono", 10.0  # Matplotlib brings the font along
_ADVANCE, _LEADING, _GAP = 0.60205 * _POINTS, 1.45 * _POINTS, 0.6 * _POINTS  # of a character, a row, an empty row
_MARGIN, _DPI = 10.0, 150
_LARGEST = 20_000  # pixels a side
_WHITE, _LOW, _HIGH = (255, 255, 255), (70, 130, 220), (245, 140, 40)
_OUTLINE = "#202020"

Colour = tuple[int, int, int]


class Box(NamedTuple):
    """Text at a place of a row.

    column, width: in characters. text: what fits into it, from the left. colour: red, green, blue behind it, 0..255, or
    `None`. bold, framed, underlined: how it stands out.
    """

    column: int
    width: int
    text: str
    colour: Colour | None = None
    bold: bool = False
    framed: bool = False
    underlined: bool = False


Row = Sequence[Box]  # an empty one is a gap


def shade(value: float) -> Colour:
    """White for 0, orange towards 1, blue towards -1; what lies beyond is cut off.

    >>> shade(0), shade(1), shade(-2)
    ((255, 255, 255), (245, 140, 40), (70, 130, 220))
    """
    share, end = min(abs(float(value)), 1.0), _HIGH if value > 0 else _LOW
    red, green, blue = (round(white + share * (other - white)) for white, other in zip(_WHITE, end, strict=True))
    return red, green, blue


def check_suffix(path: str | Path) -> str:
    """The suffix of `path` in small letters, "-" for the terminal; a `UserError` lists them where it is neither."""
    suffix = "-" if str(path) == "-" else Path(path).suffix.lower()
    if suffix not in (*SUFFIXES, "-"):
        raise UserError(f"Text is drawn as {', '.join(SUFFIXES)}, or - for the terminal. Received: {Path(path).name}")
    return suffix


def save_rows(path: str | Path, rows: Sequence[Row]) -> None:
    """Writes rows to a file in the format that the suffix names, or to the terminal where the path is "-".

    Raises:
        UserError: an unknown suffix, a picture of more than 20,000 pixels a side, or a place that cannot be written.
    """
    suffix = check_suffix(path)
    try:
        if suffix == "-":
            print(ansi(rows))
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".ansi":
            Path(path).write_text(ansi(rows) + "\n", encoding="utf-8")
        else:
            _draw(path, rows)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error


def ansi(rows: Sequence[Row]) -> str:
    """The rows in the terminal's 24-bit colours, a line each; `less -R` shows them too. A frame is a line too."""
    lines = []
    for row in rows:
        line, column = "", 0
        for box in sorted(row):
            line += " " * (box.column - column)
            codes = ["1"] * box.bold + ["4"] * (box.framed or box.underlined)
            if box.colour:
                codes += ["38;2;0;0;0", "48;2;{};{};{}".format(*box.colour)]
            text = box.text[: box.width].ljust(box.width)
            line += f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text
            column = box.column + box.width
        lines.append(line.rstrip())
    return "\n".join(lines)


def _draw(path: str | Path, rows: Sequence[Row]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow
    from matplotlib.collections import LineCollection, PathCollection, PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties, findfont, get_font
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    tops, height = [], _MARGIN
    for row in rows:
        tops.append(height)
        height += _LEADING if row else _GAP
    height += _MARGIN
    width = 2 * _MARGIN + _ADVANCE * max((box.column + box.width for row in rows for box in row), default=1)
    if max(width, height) * _DPI / 72 > _LARGEST:
        raise UserError("the picture would have more than 20,000 pixels a side: draw a shorter stretch of the text")
    figure = Figure(figsize=(width / 72, height / 72), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))  # in points, from the upper left corner
    axes.set_axis_off()
    styles = {
        bold: FontProperties(family=_FONT, weight="bold" if bold else "normal", size=_POINTS) for bold in (False, True)
    }
    drawable = get_font(findfont(styles[False])).get_charmap()
    grounds, frames, lines = [], [], []
    glyphs: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for top, row in zip(tops, rows, strict=True):
        for box in row:
            left = _MARGIN + _ADVANCE * box.column
            right, bottom = left + _ADVANCE * box.width, top + _LEADING
            corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
            if box.colour:
                grounds.append((corners, [part / 255 for part in box.colour]))
            if box.framed:
                frames.append(corners)
            if box.underlined:
                lines.append([(left, bottom - 1.6), (right, bottom - 1.6)])
            for n, character in enumerate(box.text[: box.width]):
                if not character.isspace():
                    glyph = (character if ord(character) in drawable else "\ufffd"), box.bold
                    glyphs.setdefault(glyph, []).append((left + _ADVANCE * n, bottom - 0.42 * _POINTS))
    shapes, colours = zip(*grounds, strict=True) if grounds else ((), ())
    axes.add_collection(PolyCollection(shapes, facecolors=colours, edgecolors="none", antialiased=False, zorder=0))
    axes.add_collection(PolyCollection(frames, facecolors="none", edgecolors=_OUTLINE, linewidths=0.9, zorder=1))
    axes.add_collection(LineCollection(lines, colors=_OUTLINE, linewidths=1.3, capstyle="butt"))
    upright = Affine2D().scale(1 / 72) + figure.dpi_scale_trans  # points upward to pixels
    for (character, bold), places in glyphs.items():  # a collection for each glyph: far quicker than a text for each
        outline = TextPath((0, 0), character, size=_POINTS, prop=styles[bold])
        text = PathCollection([outline], offsets=places, offset_transform=axes.transData, transform=upright)
        text.set(facecolors="black", linewidths=0, snap=False, zorder=2)
        axes.add_collection(text)
    part = Path(path).with_name(f".{Path(path).stem}.{os.getpid()}{Path(path).suffix}")
    try:
        figure.savefig(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
