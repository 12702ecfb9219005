"""The ink formats by name: bytes in, records out."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from keras_seqgen.data.iam_ondb import read_strokes
from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.inkml import read_inkml
from keras_seqgen.data.quickdraw import read_quickdraw
from keras_seqgen.data.stroke3 import read_stroke3
from keras_seqgen.data.unipen import read_unipen
from keras_seqgen.errors import UserError

ENDINGS = {
    "iam-ondb": (".xml",),
    "inkml": (".inkml",),
    "unipen": (".unp", ".unipen", ".dat"),
    "quickdraw": (".ndjson", ".ndjson.gz"),
    "stroke3": (".npz",),
    "svg": (".svg",),
}


def read_svg(data: bytes, name: str) -> Iterator[RawLine | BadRecord]:
    """See `svg_ink.read_svg`; its library is loaded when the first SVG file comes."""
    from keras_seqgen.data import svg_ink

    return svg_ink.read_svg(data, name)


def read_iam_ondb_line(data: bytes, name: str) -> Iterator[RawLine | BadRecord]:
    """The one line of a lineStrokes file, without its text, which is in another file."""
    yield RawLine(name, name, "", "", read_strokes(data))


def read_quickdraw_file(data: bytes, name: str) -> Iterator[RawLine | BadRecord]:
    """All drawings of an ndjson file, plain or gzipped.

    Raises:
        UserError: a gzipped file breaks off.
    """
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name} cannot be unpacked: {error}") from error
    return read_quickdraw((f"{name}:{number}", line) for number, line in enumerate(data.split(b"\n")))


READERS = {
    "iam-ondb": read_iam_ondb_line,
    "inkml": read_inkml,
    "unipen": read_unipen,
    "quickdraw": read_quickdraw_file,
    "stroke3": read_stroke3,
    "svg": read_svg,
}


def read_ink(path: str | Path) -> list[RawLine | BadRecord]:
    """The records of a file of ink, whose format its name's ending tells.

    Raises:
        UserError: where the file cannot be read, or its ending belongs to no format.
    """
    path = Path(path)
    for kind, endings in ENDINGS.items():
        if path.name.lower().endswith(endings):
            try:
                return list(READERS[kind](path.read_bytes(), path.stem))
            except OSError as error:
                raise UserError(f"cannot read {path}: {error}") from error
    known = " ".join(ending for endings in ENDINGS.values() for ending in endings)
    raise UserError(f"{path.name} is no known ink file. Known endings: {known}")
