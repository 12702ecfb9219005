"""Where speech comes from: WAV files with their texts, beside them or in `.trans.txt` lists; reading a sound."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from apache_beam.io.filesystems import FileSystems

from keras_seqgen.data.speech_features import decode_wav
from keras_seqgen.data.speech_synthesis import resample
from keras_seqgen.errors import UserError
from pipelines.files import files_below, read_bytes
from pipelines.splits import stable_hash

LIST = ".trans.txt"
OTHER_SOUND = (".flac", ".mp3", ".ogg", ".opus", ".m4a", ".sph")
_SPLITS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid"}
_SPLITS |= {"dev": "valid", "development": "valid", "test": "test", "testing": "test"}
_SPLITS |= {"eval": "test", "evaluation": "test"}
_BEHIND_WORD = re.compile("[^a-z].*", re.DOTALL)  # all but the word that a folder's name begins with
_MAX_TEXT = 1 << 20
_MAX_LIST = 64 << 20
_LARGEST_FACTOR = 64  # between two rates: beyond it one of them is nonsense


class FaultError(Exception):
    """Why a record is of no use: (kind, detail)."""


@dataclass(frozen=True)
class SpeechSource:
    """An utterance: one record.

    name: unique within the corpus. path: its file, or the first of its clips. parts: the files of the clips it is
    joined from, empty for a recording. text: what is said, where the listing knows; else text_path. speaker: "" where
    nobody knows. group: of the hash split. split: "" for an utterance that no list names. seed: of what is drawn for
    it; -1: nothing is. synthetic: whether it is a copy at another speed, level and noise. fault: why it is of no use,
    kind and detail, or empty.
    """

    name: str
    path: str
    parts: list[str] = field(default_factory=list)
    text: str = ""
    text_path: str = ""
    speaker: str = ""
    group: str = ""
    split: str = ""
    seed: int = -1
    synthetic: bool = False
    fault: list[str] = field(default_factory=list)


def list_recordings(
    root: str, split_by: str, split: Callable[[Any], str | None], copies: int
) -> Iterator[SpeechSource]:
    """The recordings below a folder in order of name, and behind each one of the training split its copies.

    Args:
        root: the folder.
        split_by: "recording" or "speaker": what becomes the `group`.
        split: utterance -> its split, or None.
        copies: how many.
    """
    base = root.rstrip("/\\")
    book = FileSystems.split(base)[1]
    found = files_below(root)
    files = {file.path[len(base) :].lstrip("/\\").replace("\\", "/"): file.path for file in found}
    for stem, text, text_path, fault in sorted(_recordings(files)):
        folders = (book, *PurePosixPath(stem).parts[:-1])
        listed = not text_path
        parent = folders[-1] if len(folders) > 1 else ""
        speaker = PurePosixPath(stem).name.split("-")[0] if listed else parent
        source = SpeechSource(
            name=f"{book}/{stem}",
            path=_sound(files, stem) or files.get(stem + ".txt", root),
            text=text,
            text_path=text_path,
            speaker=speaker,
            group=f"{book}/{speaker}" if split_by == "speaker" else f"{book}/{stem}",
            split=next(filter(None, map(_split_of_folder, folders)), ""),
            fault=fault,
        )
        source = replace(source, split=split(source) or "")
        yield source
        if source.split == "train" and not fault:
            for copy in range(copies):
                name = f"{source.name}#{copy + 1}"
                yield replace(source, name=name, seed=stable_hash(name), synthetic=True)


def _split_of_folder(name: str) -> str:
    """The split that a folder's name begins with, as in LibriSpeech's train-clean-100 and dev-other; else ""."""
    return _SPLITS.get(_BEHIND_WORD.sub("", name.lower()), "")


def _sound(files: dict[str, str], stem: str) -> str:
    return files.get(stem + ".wav") or files.get(stem + ".WAV") or ""


def _recordings(files: dict[str, str]) -> Iterator[tuple[str, str, str, list[str]]]:
    """Name without ending, text, file of the text, fault of each recording of {name: path}."""
    used: set[str] = set()
    for listing in sorted(name for name in files if name.endswith(LIST)):
        folder = listing[: listing.rfind("/") + 1]
        try:
            rows = read_bytes(files[listing], _MAX_LIST).decode("utf-8-sig").split("\n")
        except ValueError as error:  # UserError and UnicodeDecodeError
            yield listing, "", "", ["unreadable text", str(error)[:500]]
            continue
        for number, row in enumerate(filter(str.strip, rows), start=1):
            identity, _, text = row.strip().partition(" ")
            stem = folder + identity
            fault = ["named twice", f"{listing} names {identity} again"] if stem in used else []
            if not _sound(files, stem):
                other = [stem + ending for ending in OTHER_SOUND if stem + ending in files]
                there = f"; {other[0]} is there, but only WAV is read: convert it" if other else ""
                fault = ["no sound", f"{listing} names {identity}, which has no .wav{there}"]
            yield stem if stem not in used else f"{stem}#{number}", text, "", fault
            used.add(stem)
    for name in files:
        stem, _, ending = name.rpartition(".")
        if stem in used or "." + ending.lower() not in (".wav", *OTHER_SOUND):
            continue
        text_path = files.get(stem + ".txt", "")
        fault = [] if text_path else ["no text", f"neither {stem}.txt nor a row of a {LIST} is there"]
        if ending.lower() != "wav":
            fault = ["no sound", f"{name} is no WAV file: convert it"]
        yield stem, "", text_path, fault


def with_text(source: SpeechSource) -> SpeechSource:
    """The utterance with its text: NFC, single blanks between words.

    Raises:
        FaultError: it cannot be read, or there is none.
    """
    text = source.text
    if source.text_path:
        try:
            text = read_bytes(source.text_path, _MAX_TEXT).decode("utf-8-sig")
        except ValueError as error:  # UserError and UnicodeDecodeError
            raise FaultError("unreadable text", str(error)[:500]) from error
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text:
        raise FaultError("no text", "the transcription is empty: there is nothing to learn to hear")
    return replace(source, text=text)


def load_sound(path: str, rate: int, convert: bool, max_bytes: int) -> np.ndarray:
    """The samples of a WAV file at a rate: float32 (N,).

    Args:
        path: of the file.
        rate: samples a second that are wanted.
        convert: whether a file with another rate is resampled, or a fault.
        max_bytes: a larger file is a fault.

    Raises:
        FaultError: it cannot be read, has another rate, or holds nothing but one value.
    """
    try:
        samples, own = decode_wav(read_bytes(path, max_bytes))
    except UserError as error:
        raise FaultError("unreadable sound", str(error)[:500]) from error
    if own != rate:
        if not convert:
            raise FaultError("wrong sample rate", f"{own} samples a second, not {rate}; --resample converts")
        if not rate / _LARGEST_FACTOR <= own <= rate * _LARGEST_FACTOR:
            raise FaultError("wrong sample rate", f"{own} samples a second are no rate of speech")
        samples = resample(samples, own / rate)
    if not len(samples) or samples.min() == samples.max():
        raise FaultError("silent", f"{len(samples)} samples, all of one value")
    return samples
