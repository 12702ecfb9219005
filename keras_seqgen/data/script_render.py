"""Lines of text drawn with the faces that matplotlib brings along: DejaVu, STIX and Computer Modern."""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# No face of one split is in another: what is measured on the test is read in shapes that training has not shown.
LATIN_FACES = {
    "train": (
        *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Bold"),
        *("DejaVuSerif-Italic", "DejaVuSansMono", "cmr10", "cmss10", "cmb10"),
    ),
    "valid": ("DejaVuSans-BoldOblique", "DejaVuSerif-BoldItalic", "cmti10"),
    "test": ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "DejaVuSansMono-Oblique"),
}
ARABIC_FACES = {  # those that have presentation forms
    "train": ("DejaVuSans", "DejaVuSans-Bold"),
    "valid": ("DejaVuSansMono",),
    "test": ("DejaVuSansMono-Bold",),
}
_EDGE = 6  # pixels of paper around the text


@functools.lru_cache(maxsize=64)
def _font(face: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
    # The basic engine draws glyph by glyph, the same on every machine; the other one needs a library of the system.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def render_text(glyphs: str, face: str, size: int) -> np.ndarray:
    """A line of glyphs from left to right, black on white.

    Args:
        glyphs: what to draw (Arabic: of `data.script_shaping.shape_arabic`).
        face: the name of one of matplotlib's fonts, without ".ttf".
        size: pixels of the em.

    Returns:
        float32 (h, w), 0 black to 1 white.

    Raises:
        OSError: there is no such face.

    Example:

        >>> render_text("a line", "DejaVuSerif", 40).shape
        (59, 138)
    """
    font = _font(face, size)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(glyphs))
    page = Image.new("L", (max(right - left, 1) + 2 * _EDGE, max(bottom - top, 1) + 2 * _EDGE), 255)
    ImageDraw.Draw(page).text((_EDGE - left, _EDGE - top), glyphs, fill=0, font=font)
    return np.asarray(page).astype(np.float32) / 255
