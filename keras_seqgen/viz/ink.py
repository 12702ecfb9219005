"""Ink to a file: SVG and PDF for pens and plotters (one line per stroke, nothing filled), PNG, JSON points."""

import io
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.sax import saxutils

import numpy as np

from keras_seqgen.errors import UserError
from keras_seqgen.viz.page import Page, bezier, flatten, lay_out

SUFFIXES = (".svg", ".png", ".pdf", ".json")
_MILLIMETRES_PER_LINE = 12.0  # height of a line of ink where no width is asked for
_LARGEST_PNG = 20_000  # pixels a side


def save_ink(
    path: str | Path,
    strokes,
    text: str | Sequence[str] = "",
    *,
    width_mm: float | None = None,
    line_pixels: int = 96,
    units: str = "raw",
) -> Path:
    """Writes one line of ink, or several on one page, in the format that the suffix names.

    Args:
        path: ends in .svg, .png, .pdf or .json; folders on the way are made. The file appears whole or not at all.
        strokes: (T, 3) rows of (dx, dy, pen), y downward, or a list of such arrays.
        text: what it says, or a list of as many texts: the title, and kept in JSON.
        width_mm: width of the sheet in SVG and PDF; by default a line of ink is 12 mm high.
        line_pixels: height of a line of ink in PNG.
        units: what one unit is, kept in JSON.

    Returns:
        The path.

    Raises:
        UserError: an unknown suffix, nothing to draw, a value that is not finite, or a place that cannot be written.

    Example:

    >>> from keras_seqgen.data.hands import embedded_line
    >>> line = embedded_line(0)
    >>> save_ink("line.svg", line.strokes, line.text)  # doctest: +SKIP
    """
    path, suffix = Path(path), check_suffix(path)
    single = isinstance(text, str) and not (len(strokes) and np.ndim(strokes[0]) == 2)
    inks = [strokes] if single else list(strokes)
    texts = list(text) if not isinstance(text, str) else [text] if single or text else [""] * len(inks)
    page = lay_out(inks, texts)
    if suffix == ".svg":
        content = svg(page, width_mm).encode()
    elif suffix == ".pdf":
        content = pdf(page, width_mm)
    elif suffix == ".png":
        content = png(page, line_pixels)
    else:
        records = [_points(ink, line) for ink, line in zip(inks, texts, strict=True)]
        content = json.dumps(({**records[0]} if single else {"lines": records}) | {"units": units}).encode()
    _write_whole(path, content)
    return path


def check_suffix(path: str | Path) -> str:
    """The suffix of `path` in small letters; a `UserError` that lists the formats where it is none of them."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"Ink is written as {', '.join(SUFFIXES)}. Received: {Path(path).name}")
    return suffix


def svg(page: Page, width_mm: float | None = None) -> str:
    """The page as an SVG document: a path for each line, a sub-path for each stroke, unfilled, round ends."""
    width = _millimetres(page, width_mm)
    title = _escape("\n".join(page.texts))
    groups = []
    for text, line in zip(page.texts, page.lines, strict=True):
        track = "".join(_svg_stroke(stroke) for stroke in line)
        groups.append(f'<path d="{track}"><title>{_escape(text)}</title></path>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.2f}mm" '
        f'height="{width * page.height / page.width:.2f}mm" viewBox="0 0 {page.width:.2f} {page.height:.2f}">\n'
        f"<title>{title}</title>\n"
        f'<g fill="none" stroke="black" stroke-width="{page.pen:.2f}" stroke-linecap="round" stroke-linejoin="round">\n'
        + "\n".join(groups)
        + "\n</g>\n</svg>\n"
    )


def png(page: Page, line_pixels: int = 96, finer: int = 4) -> bytes:
    """The page as a grey PNG, drawn `finer` times too large and reduced.

    Raises:
        UserError: the picture would be wider or higher than 20,000 pixels.
    """
    from PIL import Image, ImageDraw  # a user of SVG need not wait for it

    scale = line_pixels / page.line_height
    size = max(round(page.width * scale), 1), max(round(page.height * scale), 1)
    if max(size) > _LARGEST_PNG:
        raise UserError(f"A PNG of {size[0]} x {size[1]} pixels is too large; write fewer lines, or SVG")
    finer = max(1, min(finer, _LARGEST_PNG // max(size)))
    image = Image.new("L", (size[0] * finer, size[1] * finer), 255)
    canvas = ImageDraw.Draw(image)
    radius = max(page.pen * scale * finer / 2, 0.5)
    for line in page.lines:
        for stroke in line:
            segments = bezier(stroke)
            track = (flatten(segments) if len(segments) else stroke[:1]) * (scale * finer)
            if len(track) > 1:
                canvas.line([tuple(point) for point in track], fill=0, width=max(round(2 * radius), 1), joint="curve")
            for x, y in track[[0, -1]]:  # round ends
                canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(buffer, "PNG")
    return buffer.getvalue()


def pdf(page: Page, width_mm: float | None = None) -> bytes:
    """The page as a PDF document of one sheet, its strokes as Bezier curves."""
    scale = _millimetres(page, width_mm) / page.width * 72 / 25.4  # a PDF unit is 1/72 inch, y upward
    sheet = f"{page.width * scale:.3f} {page.height * scale:.3f}"
    tracks = [f"{scale:.6f} 0 0 {-scale:.6f} 0 {page.height * scale:.3f} cm 1 J 1 j {page.pen:.3f} w"]
    for line in page.lines:
        for stroke in line:
            segments = bezier(stroke)
            start = f"{stroke[0, 0]:.2f} {stroke[0, 1]:.2f}"
            curves = [" ".join(f"{value:.2f}" for value in segment[1:].ravel()) + " c" for segment in segments]
            tracks.append(f"{start} m {' '.join(curves) or start + ' l'} S")
    drawing = zlib.compress("\n".join(tracks).encode())
    title = ("\ufeff" + "\n".join(page.texts)).encode("utf-16-be").hex()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {sheet}] /Contents 4 0 R /Resources << >> >>".encode(),
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(drawing), drawing),
        f"<< /Title <{title}> /Producer (keras-seqgen) >>".encode(),
    ]
    document, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    tail = b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(document))
    return document + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + tail


def _escape(text: str) -> str:
    return saxutils.escape("".join(c for c in text if c.isprintable() or c == "\n"))  # XML has no control characters


def _svg_stroke(stroke: np.ndarray) -> str:
    start = f"M{stroke[0, 0]:.2f} {stroke[0, 1]:.2f}"
    segments = bezier(stroke)
    if not len(segments):
        return start + "h0.01"  # a dot: some programs draw nothing for a length of 0
    return start + "".join("C" + " ".join(f"{value:.2f}" for value in segment[1:].ravel()) for segment in segments)


def _points(strokes, text: str) -> dict:
    rows = np.asarray(strokes, np.float64)
    places = np.concatenate([np.zeros((1, 2)), np.cumsum(rows[:, :2], axis=0)])
    pen = np.concatenate([[0.0], rows[:, 2]])
    points = [[round(float(x), 4), round(float(y), 4), int(up > 0.5)] for (x, y), up in zip(places, pen, strict=True)]
    return {"text": text, "points": points}


def _millimetres(page: Page, width_mm: float | None) -> float:
    return width_mm or page.width * _MILLIMETRES_PER_LINE / page.line_height


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
