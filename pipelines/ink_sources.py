"""Where lines of ink come from: listing the sources of a corpus, and reading one source.

A source is the unit of work and of sharding: a form of IAM-OnDB, a file, a stretch of a large file, a range of the
embedded corpus. Only its name and address travel through the pipeline, so memory does not grow with the corpus.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data import iam_ondb
from keras_seqgen.data.ink_formats import ENDINGS
from keras_seqgen.data.ink_formats import READERS as FORMATS
from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.quickdraw import read_quickdraw
from keras_seqgen.data.strokes import Trace, offsets_to_points
from keras_seqgen.errors import UserError
from pipelines.files import files_below, files_named, read_bytes

STRETCH = 8 << 20  # bytes of a long ndjson file that are one unit of work
LINE = 16 << 20  # bytes; a longer line of ndjson is a dead letter
BLOCK = 1 << 20
RANGE = 100  # lines of the embedded corpus that are one unit of work


@dataclass(frozen=True)
class Source:
    """One unit of work: its name, the files it is read from, and the stretch of them where they are shared."""

    name: str
    paths: tuple[str, ...]
    start: int = 0
    stop: int = 0

    def to_text(self) -> str:
        """A line of JSON: what Beam sends from worker to worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Source":
        """The inverse of `to_text`."""
        fields = json.loads(text)
        return cls(**fields | {"paths": tuple(fields["paths"])})


def list_iam_ondb(root: str) -> Iterator[Source]:
    """The forms below a folder that has lineStrokes/ and ascii/; paths[0] is the transcription."""
    folder = FileSystems.join(root, "lineStrokes")
    forms: dict[str, list[str]] = {}
    for found in files_below(folder):
        stem, dot, ending = found.path.rpartition(".")
        if dot and ending.lower() == "xml":
            forms.setdefault(stem.rpartition("-")[0], []).append(found.path)
    for stem, paths in sorted(forms.items()):
        text = FileSystems.join(root, "ascii") + stem[len(folder) :] + ".txt"
        yield Source(stem.replace("\\", "/").rpartition("/")[2], (text, *sorted(paths)))


def read_iam_ondb(source: Source, limit: int) -> Iterator[RawLine | BadRecord]:
    """The lines of one form.

    A line's number is the only link between its strokes and its text. Where the transcription has not as many lines as
    there are stroke files, the two are shifted against each other somewhere, so no line of the form can be trusted.
    """
    names = [path.replace("\\", "/").rpartition("/")[2][: -len(".xml")] for path in source.paths[1:]]
    try:
        texts = iam_ondb.read_transcription(read_bytes(source.paths[0], limit))
        numbers = [int(name.rpartition("-")[2]) for name in names]
        if max(numbers) != len(texts):
            raise UserError(f"{len(texts)} lines of text, but the last stroke file has the number {max(numbers)}")
    except ValueError as error:
        yield from (BadRecord(name, "no trusted text", str(error)) for name in names)
        return
    for name, number, path in zip(names, numbers, source.paths[1:], strict=True):
        try:
            trace = iam_ondb.read_strokes(read_bytes(path, limit))
        except UserError as error:
            yield BadRecord(name, "unreadable", str(error))
        else:
            yield RawLine(name, source.name, "", texts[number - 1] if number > 0 else "", trace)


def list_files(root: str, kind: str) -> Iterator[Source]:
    """The files of a format below a folder, or the file or pattern named itself; long ndjson files in stretches."""
    found = files_below(root)
    inside = [file for file in found if file.path.lower().endswith(ENDINGS[kind])]
    base = root.rstrip("/\\") if found else ""
    for file in inside or ([] if found else files_named(root)):
        name = file.path[len(base) :].lstrip("/\\") if base else FileSystems.split(file.path)[1]
        name = name.replace("\\", "/")
        if kind == "quickdraw" and not name.lower().endswith(".gz"):
            for start in range(0, max(file.size_in_bytes, 1), STRETCH):
                yield Source(f"{name}:{start:012d}", (file.path,), start, start + STRETCH)
        else:
            yield Source(name, (file.path,))


def read_file(source: Source, limit: int, kind: str) -> Iterator[RawLine | BadRecord]:
    """The records of one whole file."""
    return FORMATS[kind](read_bytes(source.paths[0], limit), _stem(source.name, kind))


def read_ndjson(source: Source, limit: int) -> Iterator[RawLine | BadRecord]:
    """The drawings whose lines begin in the source's stretch of the file (`stop` 0: to its end)."""
    with FileSystems.open(source.paths[0]) as stream:
        yield from read_quickdraw(lines_between(stream, source.start, source.stop, min(limit, LINE), source.name))


def lines_between(stream, start: int, stop: int, limit: int, name: str) -> Iterator[tuple[str, bytes | None]]:
    """(name:position, line) for each line that begins in start..stop; None in place of a line longer than `limit`.

    Stretches that touch share no line and lose none: reading begins one byte early, to see whether a line begins at
    `start` itself.
    """
    begin = max(start - 1, 0)
    if begin:
        stream.seek(begin)
    belongs_before, too_long, buffer = start > 0, False, b""
    while True:
        block = stream.read(BLOCK)
        *lines, buffer = (buffer + block).split(b"\n")
        if not block and buffer:
            lines = [buffer]
        for line in lines:
            if not belongs_before:
                yield f"{name}:{begin}", None if too_long or len(line) > limit else line
            begin += len(line) + 1
            belongs_before = too_long = False
            if stop and begin >= stop:
                return
        if not block:
            return
        if len(buffer) > limit:
            too_long = True
            begin += len(buffer)
            buffer = b""


def list_embedded(spec: str) -> Iterator[Source]:
    """Ranges of the embedded corpus; spec is the JSON of count, seed, hands and style."""
    count = json.loads(spec)["count"]
    for start in range(0, count, RANGE):
        yield Source(f"embedded-{start:09d}", (spec,), start, min(start + RANGE, count))


def read_embedded(source: Source, limit: int) -> Iterator[RawLine]:
    """The lines of one range, drawn on the spot; a hand is a group."""
    from keras_seqgen.data.hands import embedded_line

    spec = json.loads(source.paths[0])
    for index in range(source.start, source.stop):
        line = embedded_line(index, spec["seed"], hands=spec["hands"], style=spec["style"])
        points, pen = offsets_to_points(line.strokes)
        yield RawLine(line.name, line.writer, line.writer, line.text, Trace(points, pen))


def _stem(name: str, kind: str) -> str:
    ending = next((ending for ending in ENDINGS[kind] if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


LISTS: dict[str, Callable[[str], Iterator[Source]]] = {
    "iam-ondb": list_iam_ondb,
    "hershey": list_embedded,
    **{kind: partial(list_files, kind=kind) for kind in ("inkml", "unipen", "quickdraw", "stroke3", "svg")},
}
READERS: dict[str, Callable[[Source, int], Iterator[RawLine | BadRecord]]] = {
    "iam-ondb": read_iam_ondb,
    "hershey": read_embedded,
    "quickdraw": read_ndjson,
    **{kind: partial(read_file, kind=kind) for kind in ("inkml", "unipen", "stroke3", "svg")},
}
