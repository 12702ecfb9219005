"""Reading and writing through Beam's filesystems, so that a path may be local or in any store that Beam knows."""

import contextlib
import os
import re
import struct
from collections.abc import Iterable, Iterator

import google_crc32c
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data.folder_lock import locked
from keras_seqgen.errors import UserError


def read_bytes(path: str, limit: int | None = None) -> bytes:
    """The content of a file.

    Raises:
        UserError: where it cannot be read, or is larger than `limit` bytes.
    """
    try:
        with FileSystems.open(path) as stream:
            data = stream.read(limit + 1) if limit else stream.read()
    except Exception as error:  # each filesystem has its own
        raise UserError(f"cannot read {path}: {error}") from error
    if limit and len(data) > limit:
        raise UserError(f"{path} is larger than {limit} bytes")
    return data


def files_below(folder: str, limit: int | None = None) -> list[FileMetadata]:
    """The files below a folder, in order of their paths: none where there is no such folder.

    Args:
        folder: its path, in which `*`, `?` and `[` are characters like others.
        limit: how many are enough, for a caller who only wants to know whether there are any.

    Raises:
        UserError: as `match` does.
    """
    found = match(_loose(folder).rstrip("/\\") + "/**", limit if _loose(folder) == folder else None)
    return sorted((file for file in found if _is_below(file.path, folder)), key=lambda file: file.path)


def file_at(path: str) -> FileMetadata | None:
    """The file of this very path, whatever characters it has."""
    return next((file for file in match(_loose(path)) if file.path == path), None)


def files_named(path: str) -> list[FileMetadata]:
    """The file of this very path, else those that it matches as a pattern."""
    exact = file_at(path)
    return [exact] if exact else match(path)


def place(path: str) -> str:
    """The same for all spellings of a path: mine, mine/, ./mine."""
    return path if "://" in path else os.path.abspath(path)


def distinct(paths: list[str]) -> list[str]:
    """The paths without those that are another spelling of an earlier one."""
    found: dict[str, str] = {}
    for path in paths:
        found.setdefault(place(path), path)
    return list(found.values())


def check_apart(folders: list[str]) -> None:
    """Raises a `UserError` where one of the folders, which are searched through, lies in another."""
    for inner in folders:
        for outer in folders:
            if place(inner).startswith(place(outer).rstrip("/\\") + os.sep):
                raise UserError(f"{inner} lies in {outer}: what is in it would count twice")


def check_names(paths: Iterable[str]) -> None:
    """Raises a `UserError` where a path is no text: what a pipeline sends from step to step is UTF-8."""
    for path in paths:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(f"the file name {path!a} is not UTF-8: rename it") from error


def match(pattern: str, limit: int | None = None) -> list[FileMetadata]:
    """The files that a pattern matches; no folders.

    Raises:
        UserError: the store is none that Beam knows here, or does not answer.
    """
    special = not set(pattern).isdisjoint("*?[")
    here = "./" if special and "://" not in pattern and not os.path.isabs(pattern) else ""
    try:
        # Beam finds nothing where a local pattern has its first `*` before its first `/`.
        found = FileSystems.match([here + pattern], None if limit is None else [limit])[0].metadata_list
    except Exception as error:  # each filesystem has its own
        raise UserError(f"cannot read {pattern}: {error}") from error
    if here:
        return [FileMetadata(file.path[2:], file.size_in_bytes, file.last_updated_in_seconds) for file in found]
    return [file for file in found if special or not os.path.isdir(file.path)]  # a local folder has its own name


def _loose(path: str) -> str:
    """A pattern that matches the path, and few others: Beam's patterns know no way to write a literal `[`."""
    return re.sub(r"[*?\[]", "?", path)


def _is_below(path: str, folder: str) -> bool:
    """Whether a path that was found by a loose pattern is in the folder that was meant."""
    return _loose(folder) == folder or path.startswith(folder)


def write_text(path: str, text: str) -> None:
    """Writes a file whole: a reader never sees half of it."""
    with Replacing(path) as stream:
        stream.write(text.encode("utf-8"))


class Replacing:
    """A binary file that takes its name only when it is complete; a bundle that runs twice writes the same twice."""

    def __init__(self, path: str):
        self.path = path
        self.part = path + ".part"

    def __enter__(self):
        with _told(self.path):
            self.stream = FileSystems.create(self.part, compression_type="uncompressed")
        return self.stream

    def __exit__(self, kind, error, _):
        with _told(self.path):
            self.stream.close()
            if isinstance(error, OSError):
                raise error
            if kind is None:
                FileSystems.rename([self.part], [self.path])


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """What keeps a file from being written, such as a full disk, becomes a `UserError` that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each filesystem has its own
        raise UserError(f"cannot write {path}: {error}") from error


def write_record(stream, record: bytes) -> None:
    """Appends a record in TFRecord's framing: length, its checksum, the bytes, their checksum."""
    length = struct.pack("<Q", len(record))
    stream.write(length + _masked_crc(length) + record + _masked_crc(record))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


@contextlib.contextmanager
def emptied(folder: str, patterns: list[str]) -> Iterator[None]:
    """Makes the folder where there is none, deletes an earlier run's files (with fewer shards some would stay), and
    keeps other runs out of it, as far as it is local.

    Raises:
        UserError: nothing can be written there, or another run is writing there.
    """
    with contextlib.ExitStack() as stack:
        with _told(folder):
            if not FileSystems.exists(folder):
                FileSystems.mkdirs(folder)
        if os.path.isdir(folder):
            taken = f"another run is writing into {folder}: wait for its end, or name another folder"
            stack.enter_context(locked(folder, taken))
        for pattern in patterns:
            for ending in ("", ".part"):
                found = match(FileSystems.join(_loose(folder), pattern + ending))
                paths = [file.path for file in found if _is_below(file.path, folder)]
                for path in paths:
                    _delete(path)
        with _told(folder):  # now, not after an hour
            trial = FileSystems.join(folder, "stats.json.part")
            FileSystems.create(trial).close()
            _delete(trial)
        yield


def _delete(path: str) -> None:
    with _told(path):
        if os.path.isfile(path):
            os.remove(path)  # Beam takes a path to delete for a pattern
        else:
            FileSystems.delete([path])
