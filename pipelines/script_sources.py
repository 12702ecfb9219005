"""Where the pieces of spliced lines come from: pictures of printed lines, and words to draw Latin lines with."""

import functools
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from keras_seqgen.data.line_images import decode_grey
from keras_seqgen.data.script_pieces import normalised
from keras_seqgen.errors import UserError
from pipelines.files import read_bytes
from pipelines.splits import stable_hash
from pipelines.text_lines_sources import LineSource, list_lines, read_member, with_text

_WORD = re.compile(r"[A-Za-z0-9(\"'][A-Za-z0-9.,;:!?'\"()/&%-]*")
_CACHED = 1_500  # normalised lines, of some 50 kB each
_MAX_TEXT = 64 << 20


@dataclass(frozen=True)
class SplicedSource:
    """A line that is to be spliced, or a printed line that cannot be used.

    name: split and number, or the printed line's name. path: of the printed line, "" of one to be spliced. split: whose
    pieces it takes. fault: why it is of no use, kind and detail, or empty.
    """

    name: str
    path: str = ""
    split: str = ""
    fault: list[str] = field(default_factory=list)


@functools.lru_cache(maxsize=16)
def printed_lines(roots: tuple[str, ...]) -> tuple[LineSource, ...]:
    """The pictures below folders or in archives, with a transcription or without, in the order of their names."""
    return tuple(line for line in _listed(roots) if not _fault(line))


def faulty_lines(roots: tuple[str, ...]) -> Iterator[SplicedSource]:
    """What is listed there and has no picture."""
    for line in _listed(roots):
        if _fault(line):
            yield SplicedSource(line.name, line.path, fault=line.fault)


@functools.lru_cache(maxsize=16)
def _listed(roots: tuple[str, ...]) -> tuple[LineSource, ...]:
    return tuple(line for root in roots for line in list_lines(root, "book"))


def _fault(line: LineSource) -> bool:
    """Whether there is no picture; one without a transcription will do."""
    return bool(line.fault) and line.fault[0] != "no text"


@functools.lru_cache(maxsize=_CACHED)
def read_normalised(path: str, picture: str, max_bytes: int, max_pixels: int) -> np.ndarray:
    """The darkness of a printed line (a file, or a member of an archive) at the size of all pieces; not to be changed.

    Raises:
        UserError, OSError, ValueError and what else Pillow's codecs raise: it is no picture, or too large.
    """
    darkness = normalised(decode_grey(_reader(path, bool(picture))(picture or path, max_bytes), max_pixels))
    darkness.flags.writeable = False
    return darkness


def text_of(line: LineSource) -> str:
    """The transcription of a printed line, "" where there is none that can be read."""
    try:
        return "" if line.fault else with_text(line, _reader(line.path, bool(line.picture))).text
    except Exception:  # UserError, and what broken archives raise
        return ""


def _reader(path: str, in_archive: bool) -> Callable[[str, int], bytes]:
    """What reads a file, or a member of an archive, of at most so many bytes."""
    return functools.partial(read_member, _archive(path)) if in_archive else read_bytes


@functools.lru_cache(maxsize=16)
def _archive(path: str) -> zipfile.ZipFile:
    # Held in memory, all of a split's: a line takes its pieces from any of them.
    return zipfile.ZipFile(io.BytesIO(read_bytes(path)))


@functools.lru_cache(maxsize=4)
def latin_words(path: str) -> dict[str, list[str]]:
    """The words of a text, of each split; a paragraph belongs to one of them, by its hash, 80 : 10 : 10.

    Args:
        path: a file of UTF-8; "": the language reference that comes with Python (`pydoc_data.topics`).

    Raises:
        UserError: the file cannot be read, or is no such text.
    """
    if path:
        try:
            text = read_bytes(path, _MAX_TEXT).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is no text in UTF-8: {error}") from error
    else:
        from pydoc_data.topics import topics

        text = "\n\n".join(topics[name] for name in sorted(topics))
    words: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for paragraph in re.split(r"\n\s*\n", text):
        found = [word for word in paragraph.split() if _WORD.fullmatch(word)]
        bucket = stable_hash(" ".join(found)) % 10
        words["valid" if bucket == 0 else "test" if bucket == 1 else "train"] += found
    return words
