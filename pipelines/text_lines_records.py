"""A line of print -> its frames and its text, or the reason why it is of no use."""

import functools
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_seqgen.data.ink_records import BadRecord
from keras_seqgen.data.line_images import LineForm, decode_grey, line_frames
from keras_seqgen.data.recognition_schema import LabelledFrames
from pipelines.files import read_bytes
from pipelines.labelled_frames import no_room
from pipelines.text_lines_sources import LineSource, read_member, with_text


@dataclass(frozen=True)
class LineRules:
    """What is done to a line, and what it must be like.

    form: how its picture becomes frames. stride: by how much a network may shorten it. split: line -> split, or None.
    max_frames, max_bytes, max_pixels: what is larger is refused.
    """

    form: LineForm
    stride: int
    split: Callable[[Any], str | None]
    max_frames: int
    max_bytes: int
    max_pixels: int


def prepare_line(source: str, rules: LineRules) -> tuple[str, LabelledFrames] | BadRecord:
    """A `LineSource` as JSON -> its split and its record, or a fault."""
    line = LineSource(**json.loads(source))
    if line.fault:
        return BadRecord(line.name, *line.fault)
    split = rules.split(line)
    if split is None:
        return BadRecord(line.name, "in no split", f"no list names {line.name} or {line.group}")
    try:
        line = with_text(line, read_of(line))
    except ValueError as error:  # UserError and UnicodeDecodeError
        return BadRecord(line.name, "unreadable text", str(error)[:500])
    if not line.text:
        return BadRecord(line.name, "no text", "the transcription is empty: there is nothing to learn to read")
    try:
        grey = decode_grey(read_of(line)(line.picture or line.path, rules.max_bytes), rules.max_pixels)
    except Exception as error:  # each codec has its own
        detail = re.sub(r"<[^>]*>", line.path, str(error))  # Pillow names the object in memory
        return BadRecord(line.name, "unreadable image", f"{type(error).__name__}: {detail}"[:500])
    frames = line_frames(grey, rules.form)
    if not frames.any():
        return BadRecord(line.name, "no ink", "the picture is of one tone")
    if len(frames) > rules.max_frames:
        return BadRecord(line.name, "too long", f"{len(frames)} frames; the limit is {rules.max_frames}")
    return no_room(line.name, line.text, len(frames), rules.stride) or (
        split,
        LabelledFrames(line.name, line.book, line.text, frames),
    )


def read_of(line: LineSource) -> Callable[[str, int], bytes]:
    """What reads a file, or a member of the line's archive, of at most so many bytes."""
    return functools.partial(read_member, _archive(line.path)) if line.picture else read_bytes


@functools.lru_cache(maxsize=2)
def _archive(path: str) -> zipfile.ZipFile:
    # Held in memory: a stream of a remote filesystem need not be seekable, and lines come one after another.
    return zipfile.ZipFile(io.BytesIO(read_bytes(path)))
