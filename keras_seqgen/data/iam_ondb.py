"""IAM-OnDB as its publisher ships it: one XML file of strokes per line, one text file of lines per form.

    lineStrokes/a01/a01-000/a01-000u-01.xml      ascii/a01/a01-000/a01-000u.txt

The text file has two parts, "OCR:" (the printed prompt) and "CSR:" (what was written); line n of the second belongs
to the stroke file -n.
"""

import unicodedata

import numpy as np

from keras_seqgen.data.safe_xml import for_each_start
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError


def read_strokes(data: bytes) -> Trace:
    """The bytes of a lineStrokes XML file -> its trace (whiteboard units, y downward, seconds).

    Raises:
        UserError: where it is not well-formed XML, or a Point has no numeric x and y.
    """
    x: list[str] = []
    y: list[str] = []
    time: list[str] = []
    ends: list[int] = []

    def on_start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Point":
            x.append(attributes["x"])
            y.append(attributes["y"])
            time.append(attributes.get("time", "nan"))
        elif tag == "Stroke" and x:
            ends.append(len(x) - 1)

    try:
        for_each_start(data, on_start)
        points = np.column_stack([np.array(list(map(float, values))) for values in (x, y)])
        times = np.array(list(map(float, time)))
    except (KeyError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"a Point without a numeric x and y: {error}") from error
    pen = np.zeros(len(points))
    pen[[*ends, len(points) - 1][: len(points)]] = 1
    return Trace(points, pen, times)


def read_transcription(data: bytes) -> list[str]:
    """The bytes of an ascii text file -> the lines as written, NFC, without blanks at either end.

    Blank lines at the end do not count; a blank line between others does, as it has a stroke file of its own number.

    Raises:
        UserError: where the part "CSR:" is missing.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = [unicodedata.normalize("NFC", line.strip()) for line in text.replace("\r\n", "\n").split("\n")]
    if "CSR:" not in lines:
        raise UserError('no part "CSR:" in the transcription')
    lines = lines[lines.index("CSR:") + 1 :]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines
