"""Strings of spoken digits out of FSDD's single ones: which clip of whom goes where."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from apache_beam.io.filesystems import FileSystems

from pipelines.files import files_below
from pipelines.speech_sources import FaultError, SpeechSource, load_sound
from pipelines.splits import SPLITS, stable_hash

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST_TAKES = range(5)  # the publisher's test set
VALID_TAKES = range(5, 10)
LONGEST = 5
_CLIP = re.compile(r"(?:.*[/\\])?(\d)_([^_/\\]+)_(\d+)\.wav", re.IGNORECASE)

Pool = dict[str, dict[int, list[str]]]  # speaker -> digit -> paths


def find_clips(root: str) -> list[tuple[str, int, str, int]]:
    """(path, digit, speaker, take) of every `digit_speaker_take.wav` below a folder, in order."""
    paths = sorted(file.path for file in files_below(root))
    found = ((path, _CLIP.fullmatch(path)) for path in paths)
    return [(path, int(match[1]), match[2], int(match[3])) for path, match in found if match]


def split_of(speaker: str, take: int, left_out: str) -> str:
    """Which split a clip belongs to.

    Takes 0 to 4 are for the test, 5 to 9 for validation, the rest for training. With a speaker left out all takes of
    his are for the test and none else; of the others takes 0 to 9 are for validation.
    """
    if left_out:
        return "test" if speaker == left_out else "train" if take > VALID_TAKES[-1] else "valid"
    return "test" if take in TEST_TAKES else "valid" if take in VALID_TAKES else "train"


def list_strings(
    root: str,
    counts: dict[str, int],
    left_out: str,
    words: bool,
    synthetic: bool,
    rate: int,
    convert: bool,
    max_bytes: int,
    voices: Sequence[str] = (),
) -> Iterator[SpeechSource]:
    """Strings of 1 to 5 digits, each by one speaker, and a fault for each clip that cannot be used.

    Speaker, length, digits and takes are drawn evenly, each string's from the hash of its split and its number: a
    longer list begins as a shorter one does. People, and the voices of each folder, say
    as many training strings, but for chance.

    Args:
        root: FSDD's folder.
        counts: split -> how many strings.
        left_out: a speaker who is heard in the test alone, or "".
        words: whether the text is "three one four" or "314".
        synthetic: whether training strings get other speeds, levels and noises.
        rate, convert, max_bytes: as for `load_sound`.
        voices: folders of clips of more speakers, all of them for training.
    """
    pools: dict[str, list[Pool]] = {split: [{}] for split in SPLITS}
    clips = [(*clip, pools[split_of(*clip[2:], left_out)][0]) for clip in find_clips(root)]
    for folder in voices:
        pools["train"].append({})
        clips += [(*clip, pools["train"][-1]) for clip in find_clips(folder)]
    for path, digit, speaker, _, pool in clips:
        try:
            load_sound(path, rate, convert, max_bytes)
        except FaultError as fault:
            yield SpeechSource(FileSystems.split(path)[1], path, speaker=speaker, fault=list(fault.args))
        else:
            pool.setdefault(speaker, {}).setdefault(digit, []).append(path)
    for split, groups in pools.items():
        heard = [pool for pool in groups if pool]
        for number in range(counts[split] if heard else 0):
            name = f"{split}-{number:06d}"
            seed = stable_hash(f"{left_out} {name}")
            yield _draw(name, seed, heard, words, split, synthetic and split == "train")


def _draw(name: str, seed: int, pools: list[Pool], words: bool, split: str, synthetic: bool) -> SpeechSource:
    rng = np.random.default_rng(seed)
    pool = pools[rng.integers(len(pools))] if len(pools) > 1 else pools[0]
    speaker = sorted(pool)[rng.integers(len(pool))]
    known = pool[speaker]
    digits = rng.choice(sorted(known), rng.integers(1, LONGEST + 1)).tolist()
    parts = [known[digit][rng.integers(len(known[digit]))] for digit in digits]
    text = " ".join(WORDS[digit] for digit in digits) if words else "".join(map(str, digits))
    return SpeechSource(
        name, parts[0], parts, text, speaker=speaker, group=speaker, split=split, seed=seed, synthetic=synthetic
    )
