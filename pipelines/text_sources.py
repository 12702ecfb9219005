"""Where text comes from: the documents of a corpus, their sizes, and their bytes in blocks that end where a line ends.

A piece is the unit of work: a stretch of a plain file, or all of a packed one, which can only be read from its
beginning. Where the stretches of a file meet is decided by the same rule from both sides, and the same rule cuts a
stretch into blocks, so a file gives the same text plain and packed, in one stretch and in many.
"""

import bz2
import contextlib
import gzip
import lzma
import os
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from keras_seqgen.errors import UserError
from pipelines.files import file_at, files_below, files_named, place

BLOCK = 4 << 20  # bytes read at a time
LIMIT = 1 << 20  # how far the end of a line is looked for
_SNIFF = 1 << 16  # bytes by which text is told from what is none
_NOT_THE_LIBRARY = {"site-packages", "dist-packages", "test", "tests"}


def _only_member(stream):
    archive = zipfile.ZipFile(stream)
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise UserError(f"an archive of {len(members)} files: unpack it first")
    return archive.open(members[0])


_OPENERS: dict[str, Callable] = {
    ".gz": lambda stream: gzip.GzipFile(fileobj=stream),
    ".xz": lzma.LZMAFile,
    ".bz2": bz2.BZ2File,
    ".zip": _only_member,
}


@dataclass(frozen=True)
class Document:
    """A file of text.

    number: its place in the order of the corpus. name: its path below the input, with `/` between folders.
    split: named by the user, or "". size: in bytes, unpacked, once it is known. fault: why it cannot be used, or "".
    """

    number: int
    name: str
    path: str
    split: str = ""
    size: int = 0
    fault: str = ""

    @property
    def packed(self) -> bool:
        return self._ending in _OPENERS

    @property
    def _ending(self) -> str:
        return PurePosixPath(self.name.lower()).suffix

    @contextlib.contextmanager
    def open(self):
        """A stream of the document's bytes, unpacked in small steps whatever is in it."""
        with FileSystems.open(self.path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            if self.packed:
                with _OPENERS[self._ending](stream) as unpacked:
                    yield unpacked
            else:
                yield stream


@dataclass(frozen=True)
class Piece:
    """A stretch of a document that goes to one split. Its ends move on to the next end of a line.

    number: its place in the order of the corpus.
    """

    number: int
    split: str
    document: Document
    start: int
    stop: int


def list_documents(inputs: list[str], split: str = "", first: int = 0, output: str = "") -> list[Document]:
    """The files of the inputs: folders (all below them but what is hidden), files and patterns, each in order of name.
    A file that several of them name is listed once.

    Args:
        output: a folder whose files are no documents where it lies in a folder that is read.

    Raises:
        UserError: where an input is not there, or a folder is empty.
    """
    documents: list[Document] = []
    listed: set[str] = set()
    for root in inputs:
        below = files_below(root)
        found = below or files_named(root)
        base = root.rstrip("/\\") if below else ""
        inside = bool(base and output) and place(output).startswith(place(base) + os.sep)
        written = place(output).rstrip("/\\") + os.sep if inside else None
        named = {}
        for file in found:
            name = file.path[len(base) :] if base else FileSystems.split(file.path)[1]
            name = name.replace("\\", "/").lstrip("/")
            hidden = base and any(part.startswith(".") for part in name.split("/"))
            if not hidden and not (written and place(file.path).startswith(written)):
                named[name] = file.path
        if not named:
            raise UserError(f"no file was found at {root}")
        for name in sorted(named):
            if place(named[name]) not in listed:
                documents.append(Document(first + len(documents), name, named[name], split))
            listed.add(place(named[name]))
    return documents


def list_standard_library() -> list[Document]:
    """The source files of the running Python's standard library, without its tests and what was installed into it."""
    sources = [
        document
        for document in list_documents([sysconfig.get_paths()["stdlib"]])
        if document.name.endswith(".py") and not _NOT_THE_LIBRARY & set(document.name.split("/"))
    ]
    return [replace(document, number=number) for number, document in enumerate(sources)]


def measure(document: Document, check: Callable[[bytes], str]) -> Document:
    """The document with its size, or with what is wrong with it.

    A packed document is read to its end, so that one that breaks off is found before any of it is used.

    Args:
        check: What is wrong with the first bytes of a document ("" for nothing).
    """
    try:
        with document.open() as stream:
            head = stream.read(_SNIFF)
            size = len(head)
            if document.packed:
                while block := stream.read(LIMIT):
                    size += len(block)
            else:
                size = _size(document.path)
    except Exception as error:  # each filesystem and each way of packing has its own
        return replace(document, fault=f"unreadable: {error}"[:300])
    return replace(document, size=size, fault="empty" if not size else check(head))


def _size(path: str) -> int:
    found = file_at(path)
    if found is None:
        raise UserError("the file is not there any more")
    return found.size_in_bytes


def read_blocks(piece: Piece, by_line: bool) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of the blocks of a piece, in order, each about `BLOCK` bytes.

    Args:
        by_line: Whether blocks and pieces end where a line ends, or else, within `LIMIT` bytes, a word, or else a
            character. Without it they end at any byte.
    """
    size = piece.document.size
    with piece.document.open() as stream:
        origin = max(piece.start - 1, 0)
        stream.seek(origin)
        buffer = b""

        def end_after(position: int) -> int:
            nonlocal buffer
            if position == 0 or position >= size or not by_line:
                return min(position, size)
            wanted = min(position + LIMIT, size) - origin
            while len(buffer) < wanted and (more := stream.read(wanted - len(buffer))):
                buffer += more
            return origin + _cut(buffer, position - origin, at_end=position + LIMIT >= size)

        begin = end_after(piece.start)
        position = piece.start
        while position < piece.stop:
            position = min(position + BLOCK, piece.stop)
            end = end_after(position)
            while len(buffer) < end - origin and (more := stream.read(end - origin - len(buffer))):
                buffer += more
            if end > begin:
                yield begin, buffer[begin - origin : end - origin]
            keep = max(min(end, position) - 1, origin)
            buffer, origin, begin = buffer[keep - origin :], keep, end


def _cut(buffer: bytes, at: int, at_end: bool) -> int:
    """The first place from `at` on where a line, else a word, else the document, else a character ends."""
    for blank in (b"\n", b" "):
        found = buffer.find(blank, at - 1, at + LIMIT)
        if found >= 0:
            return found + 1
    if at_end:
        return len(buffer)
    return next((i for i in range(at, at + 3) if not 0x80 <= buffer[i] < 0xC0), at + 3)
