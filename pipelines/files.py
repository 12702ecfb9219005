"""Reading and writing through Beam's filesystems, so that a path may be local or in any store that Beam knows."""

import struct

import google_crc32c
from apache_beam.io.filesystems import FileSystems

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
        self.stream = FileSystems.create(self.part, compression_type="uncompressed")
        return self.stream

    def __exit__(self, kind, *_):
        self.stream.close()
        if kind is None:
            FileSystems.rename([self.part], [self.path])


def write_record(stream, record: bytes) -> None:
    """Appends a record in TFRecord's framing: length, its checksum, the bytes, their checksum."""
    length = struct.pack("<Q", len(record))
    stream.write(length + _masked_crc(length) + record + _masked_crc(record))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def remove_earlier(folder: str, patterns: list[str]) -> None:
    """Makes the folder where there is none; deletes an earlier run's files (with fewer shards some would stay)."""
    if not FileSystems.exists(folder):
        FileSystems.mkdirs(folder)
    for found in FileSystems.match([FileSystems.join(folder, pattern) for pattern in patterns]):
        paths = [metadata.path for metadata in found.metadata_list]
        if paths:
            FileSystems.delete(paths)
