"""Vocabularies of bytes and of words, and files from before there were kinds."""

import json

import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

WORDS = Vocabulary(["<eos>", "<unk>", "a", "cat"], kind="word")


def test_bytes_round_trip_whatever_they_are():
    vocabulary = Vocabulary([chr(n) for n in range(256)], kind="byte")
    text = "e\u0301 \u4e2d \U0001f600\n"
    assert vocabulary.encode(text).tolist() == [byte + 1 for byte in text.encode()]
    assert vocabulary.decode(vocabulary.encode(text)) == text  # not normalised
    assert vocabulary.decode([0xE4 + 1, ord("x") + 1]) == "\ufffdx"
    assert vocabulary.normalization is None
    with pytest.raises(UserError, match=r"byte .*\(U\+00C3\)"):
        Vocabulary("ab", kind="byte").encode("\u00e9")


def test_words_and_ends_of_lines():
    assert WORDS.encode("a  cat\na dog\n").tolist() == [3, 4, 1, 3, 2, 1]
    assert WORDS.decode([3, 4, 1, 3, 2, 1, 0]) == "a cat\na <unk>\n"
    assert WORDS.decode([1, 1, 3, 1, 1]) == "\n\na\n\n"
    assert WORDS.encode("").tolist() == []
    assert WORDS.encode("dog", replace={"dog": "cat a"}).tolist() == [4, 3]
    assert Vocabulary(["a", "b"], kind="word").encode("a\nb").tolist() == [1, 2]


def test_unknown_words_without_a_token_for_them():
    with pytest.raises(UserError, match=r"vocabulary of 1 words has no <unk> and does not have 'dog' 'fox'"):
        Vocabulary(["a"], kind="word").encode("a fox dog")


def test_unknown_characters_with_a_token_for_them():
    vocabulary = Vocabulary(["<unk>", "a", "b"])
    assert vocabulary.encode("a?b").tolist() == [2, 1, 3]
    assert vocabulary.encode("a?b", replace="").tolist() == [2, 3]


def test_normalisation_is_the_vocabularys():
    decomposed = "e\u0301\ufb01"
    assert Vocabulary("\u00e9\ufb01").encode(decomposed).tolist() == [1, 2]
    assert Vocabulary("\u00e9fi", normalization="NFKC").encode(decomposed).tolist() == [1, 2, 3]
    assert Vocabulary("e\u0301\ufb01", normalization=None).encode(decomposed).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "vocabulary", [WORDS, Vocabulary("ab\n", normalization=None), Vocabulary([chr(n) for n in range(256)], kind="byte")]
)
def test_file_round_trip(tmp_path, vocabulary):
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


def test_an_old_file_is_of_characters(tmp_path):
    (tmp_path / "vocabulary.json").write_text(json.dumps({"pad": 0, "tokens": ["a", "b"]}))
    assert Vocabulary.load(tmp_path / "vocabulary.json") == Vocabulary("ab", "character", "NFC")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"kind": "letter"}, "`kind`"), ({"normalization": "NFD"}, "`normalization`"), ({"kind": "byte"}, "U\\+00FF")],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        Vocabulary(["a", "\u4e2d"], **arguments)


def test_ids_are_int32():
    assert WORDS.encode("a").dtype == np.int32
