"""The real Penn Treebank: what is counted, and how (Mikolov's split, Graves 2013)."""

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from keras_seqgen.data.text_stream import TokenStream
from pipelines.text import main

LINES = {"train": 42068, "valid": 3370, "test": 3761}
WORDS = {"train": 887521, "valid": 70390, "test": 78669}
CHARACTERS = {"train": 4975414, "valid": 389672, "test": 438662}  # without the ends of lines


@pytest.fixture(scope="module")
def ptb(data, tmp_path_factory):
    def prepare(name, *flags):
        out = tmp_path_factory.mktemp(name)
        assert main([*flags, "--output", str(out)]) == 0
        return out

    named = [f for s in LINES for f in (f"--{s}", str(next((data / "ptb").glob(f"ptb.{s}.txt*"))))]
    return {
        "word": prepare("word", "--tokens", "word", "--format", "lines", *named),
        "character": prepare("character", "--format", "lines", *named),
        "graves": prepare("graves", "--format", "lines", "--no-eos", *named[2:4], "--train", *named[5:6]),
    }


def numbers(folder: Path, split: str) -> dict:
    return json.loads((folder / "stats.json").read_text())["splits"][split]


@pytest.mark.parametrize("split", LINES)
def test_each_line_has_one_end_that_counts(ptb, split):
    word, character = (numbers(ptb[kind], split) for kind in ("word", "character"))
    assert word["tokens"] == WORDS[split] + LINES[split]
    assert character["tokens"] == CHARACTERS[split] + LINES[split] == character["characters"] == word["characters"]
    assert word["lines"] == character["lines"] == LINES[split]
    assert word["unknown"] == character["unknown"] == 0


def test_the_vocabularies(ptb):
    words = TokenStream(ptb["word"], "test").vocabulary
    assert len(words) == 10_000
    assert {"<unk>", "N", "<eos>"} <= set(words.tokens)
    assert words.decode(TokenStream(ptb["word"], "test")[0:8]) == "no it was n't black monday\nbut"
    characters = TokenStream(ptb["character"], "test").vocabulary
    assert len(characters) == 50  # 49 and the end of a line
    assert len(set(characters.tokens) - {"\n"}) == 49


def test_graves_counts_49_symbols_and_5_6_characters_per_word(ptb):
    """With ends of lines as spaces there are as many tokens, and one symbol less: the 49 and the 5.6 of the paper."""
    assert "\n" not in TokenStream(ptb["graves"], "train").vocabulary.tokens
    assert numbers(ptb["graves"], "train")["tokens"] == CHARACTERS["test"] + LINES["test"]
    assert round((CHARACTERS["test"] + LINES["test"]) / WORDS["test"], 1) == 5.6


def test_the_words_are_those_of_the_file(data, ptb):
    text = lzma.decompress((data / "ptb/ptb.train.txt.xz").read_bytes()).decode()
    stream = TokenStream(ptb["word"], "train")
    wanted = text.replace("\n", " <eos> ").split()
    assert [stream.vocabulary.tokens[n - 1] for n in stream[:]] == wanted
    characters = TokenStream(ptb["character"], "train")
    wanted = "".join(" ".join(line.split()) + "\n" for line in text.removesuffix("\n").split("\n"))
    assert characters.vocabulary.decode(characters[:]) == wanted


def test_the_files_of_characters_give_the_same(data, ptb, tmp_path):
    named = [f for s in ("valid", "test") for f in (f"--{s}", str(data / "ptb" / f"ptb.char.{s}.txt"))]
    flags = ["--format", "ptb-characters", "--vocabulary", str(ptb["character"] / "vocabulary.json")]
    assert main([*named, *flags, "--output", str(tmp_path)]) == 0
    for split in ("valid", "test"):
        np.testing.assert_array_equal(TokenStream(tmp_path, split)[:], TokenStream(ptb["character"], split)[:])
