"""Which split a line belongs to: by official lists, or by a hash of its group that no run and no machine changes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data.ink_records import RawLine
from keras_seqgen.errors import UserError
from pipelines.files import read_bytes

SPLITS = ("train", "valid", "test")
GRAVES_2013 = {"train": ["trainset.txt", "testset_t.txt", "testset_f.txt"], "valid": ["testset_v.txt"], "test": []}


def stable_hash(text: str) -> int:
    """The first 8 bytes of the SHA-256 of a string: the same in every process (Python's `hash` is not).

    Raises:
        UserError: the string is a file's name that is no text.
    """
    try:
        return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big")
    except UnicodeEncodeError as error:
        raise UserError(f"the file name {text!a} is not UTF-8: rename the file") from error


@dataclass(frozen=True)
class HashSplit:
    """Groups fall into 100 buckets; the first `percent[0]` of them are train, the next valid, the rest test."""

    percent: tuple[int, int, int] = (90, 5, 5)

    def __post_init__(self):
        if len(self.percent) != 3 or sum(self.percent) != 100 or min(self.percent) < 0:
            raise UserError(f"--hash-split takes three percentages that add up to 100. Received: {self.percent}")

    def __call__(self, line: RawLine) -> str | None:
        bucket = stable_hash(line.group) % 100
        return "train" if bucket < self.percent[0] else "valid" if bucket < sum(self.percent[:2]) else "test"


@dataclass(frozen=True)
class ListSplit:
    """Official lists: group or record name -> split; None for a line that no list names."""

    members: dict[str, str]

    def __call__(self, line: RawLine) -> str | None:
        return self.members.get(line.group) or self.members.get(line.name)


@dataclass(frozen=True)
class PublishedSplit:
    """The split that the file itself puts the line into; a hash split where it does not tell."""

    otherwise: HashSplit = HashSplit()

    def __call__(self, line: RawLine) -> str | None:
        return line.split or self.otherwise(line)


def read_lists(files: dict[str, list[str]], roots: list[str]) -> ListSplit:
    """Reads lists of names, one per line.

    Args:
        files: Split -> paths, or names that are looked for in each input folder and its folder splits/.
        roots: The input folders.

    Raises:
        UserError: where a list is not found or is no text, or two splits name the same group.
    """
    members: dict[str, str] = {}
    for split, names in files.items():
        for name in names:
            assign(members, read_names(find_list(name, roots)), split)
    return ListSplit(members)


def assign(members: dict[str, str], names: Iterable[str], split: str) -> None:
    """Puts names into a split.

    Args:
        members: Name -> split, to be added to.

    Raises:
        UserError: a name is in another split.
    """
    for name in names:
        if members.setdefault(name, split) != split:
            raise UserError(f"{name} is in the lists of both {members[name]} and {split}: take it out of one")


def read_names(path: str) -> list[str]:
    """The lines of a file, without blanks at their ends and without empty ones; a mark of the byte order is none of it.

    Raises:
        UserError: the file cannot be read, or is no UTF-8.
    """
    try:
        return list(filter(None, map(str.strip, read_bytes(path).decode("utf-8-sig").split("\n"))))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text: {error}") from error


def find_list(name: str, roots: list[str]) -> str:
    """The path of a list.

    Raises:
        UserError: where it is not found.
    """
    places = [name, *(FileSystems.join(root, *folder, name) for root in roots for folder in (["splits"], []))]
    for place in places:
        if FileSystems.exists(place):
            return place
    raise UserError(f"the list {name} is not found: looked at {', '.join(places)}")
