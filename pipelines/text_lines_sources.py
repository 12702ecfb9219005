"""Where lines of print come from: pictures beside `.gt.txt` files, or listed in `lines.tsv`; in folders or archives."""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from apache_beam.io.filesystems import FileSystems

from keras_seqgen.errors import UserError
from pipelines.files import files_below, read_bytes

LIST = "lines.tsv"
TEXT = ".gt.txt"
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".ppm", ".gif")
_MADE = re.compile(r"\.(bin|nrm|dew|gray|grey|raw)$")  # what OCR tools put between a line's name and the ending
_SPLITS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid"}
_SPLITS |= {"dev": "valid", "eval": "test", "test": "test", "testing": "test"}
_MAX_TEXT = 1 << 20
_MAX_LIST = 256 << 20


@dataclass(frozen=True)
class LineSource:
    """A line of print: one record.

    name: book, folders and the line's own name. book: what its input is called. path: the archive, or the picture.
    picture: the archive's member, "" outside of archives. text: the transcription where a list has it; else
    text_path, "" or the file or member. group: lines of one group never come apart into two splits. split: of the
    folder's name, such as train/; "" where it says nothing. fault: why it is of no use, kind and detail, or empty.
    """

    name: str
    book: str
    path: str
    picture: str = ""
    text: str = ""
    text_path: str = ""
    group: str = ""
    split: str = ""
    fault: list[str] = field(default_factory=list)


def book_name(root: str) -> str:
    """What an input is called: the name of its folder or archive."""
    return FileSystems.split(root.rstrip("/\\"))[1].removesuffix(".zip")


def list_lines(root: str, split_by: str) -> Iterator[LineSource]:
    """The lines of a folder (all below it) or an archive, in order of name.

    Args:
        root: its path.
        split_by: "line", "folder" or "book": what becomes the `group`.
    """
    book = book_name(root)
    in_archive = root.lower().endswith(".zip")
    try:
        if in_archive:
            archive = zipfile.ZipFile(io.BytesIO(read_bytes(root)))
            members = {name: name for name in archive.namelist() if not name.endswith("/")}
            lines = list(_lines(members, lambda name: read_member(archive, name, _MAX_LIST)))
        else:
            base = root.rstrip("/\\")
            found = files_below(root)
            members = {file.path[len(base) :].lstrip("/\\").replace("\\", "/"): file.path for file in found}
            lines = list(_lines(members, lambda name: read_bytes(members[name], _MAX_LIST)))
    except Exception as error:  # there are many ways
        fault = ["unreadable archive" if in_archive else "unreadable folder", f"{type(error).__name__}: {error}"[:500]]
        yield LineSource(book, book, root, group=book, fault=fault)
        return
    for name, picture, text_file, text, fault in sorted(lines):
        folders = (book, *PurePosixPath(name).parts[:-1])
        yield LineSource(
            name=f"{book}/{name}",
            book=book,
            path=root if in_archive else members.get(picture) or members.get(text_file, root),
            picture=picture if in_archive else "",
            text=text,
            text_path=members.get(text_file, ""),
            group={"line": f"{book}/{name}", "folder": "/".join(folders), "book": book}[split_by],
            split=next((_SPLITS[part.lower()] for part in folders if part.lower() in _SPLITS), ""),
            fault=fault,
        )


def _lines(members, read) -> Iterator[tuple[str, str, str, str, list[str]]]:
    """name, picture, file of the text, text, fault of each line of files whose names are the keys of `members`."""
    pictures: dict[str, list[str]] = {}
    members = [name for name in members if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
    for name in members:
        stem, ending = _cut(name)
        if ending:
            pictures.setdefault(stem, []).append(name)
    used = set()
    for listing in sorted(name for name in members if PurePosixPath(name).name == LIST):
        folder = listing.removesuffix(LIST)
        try:
            rows = read(listing).decode("utf-8-sig").split("\n")
        except Exception as error:  # a broken member, or no text: the other lists are read
            yield listing, "", "", "", [f"unreadable {LIST}", f"{listing}: {type(error).__name__}: {error}"[:500]]
            continue
        for number, row in enumerate(filter(None, rows), start=1):
            file, tab, text = row.rstrip("\r").partition("\t")
            stem = _cut(folder + file)[0]
            fault = [] if tab else ["no text", f"row {number} of {listing} has no tab"]
            if folder + file not in members:
                fault = ["no image", f"row {number} of {listing} names {file}, which is not there"]
            if stem in used:
                stem, fault = f"{stem}#{number}", ["named twice", f"row {number} of {listing} names {file} again"]
            used.add(stem)
            yield stem, folder + file, "", text, fault
    texts = {name.removesuffix(TEXT): name for name in members if name.endswith(TEXT)}
    for stem in (pictures.keys() | texts.keys()) - used:
        # Of x.png and x.bin.png the first one, which is what was scanned.
        picture = min(pictures.get(stem, [""]), key=lambda name: (len(name), name))
        fault = [] if picture else ["no image", f"{texts.get(stem)} has no picture beside it"]
        if stem not in texts:
            fault = ["no text", f"neither {stem}{TEXT} nor a row of {LIST} is there"]
        yield stem, picture, texts.get(stem, ""), "", fault


def _cut(name: str) -> tuple[str, str]:
    """folder/010001.bin.png -> folder/010001 and .png; a name that is no picture's stays whole, with ""."""
    stem, dot, ending = name.rpartition(".")
    ending = (dot + ending).lower()
    return (_MADE.sub("", stem), ending) if ending in PICTURES else (name, "")


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member of an archive.

    Raises:
        UserError: it is not there, or larger than `limit` bytes.
    """
    try:
        with archive.open(name) as stream:
            content = stream.read(limit + 1)
    except KeyError as error:
        raise UserError(f"{name} is not in the archive") from error
    if len(content) > limit:
        raise UserError(f"{name} is larger than {limit} bytes")
    return content


def with_text(line: LineSource, read) -> LineSource:
    """The line with its transcription, from `read(path)` where it is in a file: NFC, single blanks between words."""
    text = line.text if not line.text_path else read(line.text_path, _MAX_TEXT).decode("utf-8-sig")
    return replace(line, text=" ".join(unicodedata.normalize("NFC", text).split()))


def runs_right_to_left(texts: list[str]) -> bool:
    """Whether most letters of the texts are of scripts that run from right to left."""
    kinds = [unicodedata.bidirectional(character) for text in texts for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > sum(kind == "L" for kind in kinds)
