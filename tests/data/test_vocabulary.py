import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError


def test_ids_are_sorted_and_leave_zero_to_padding():
    vocabulary = Vocabulary.from_texts(["bad", "cab"])
    assert vocabulary.tokens == ("a", "b", "c", "d")
    assert len(vocabulary) == 4
    ids = vocabulary.encode("dab")
    assert ids.dtype == np.int32
    assert ids.tolist() == [4, 1, 2]
    assert vocabulary.decode([*ids, 0, 0]) == "dab"


def test_text_is_brought_to_nfc():
    vocabulary = Vocabulary.from_texts(["caf\u00e9"])
    assert vocabulary.encode("cafe\u0301").tolist() == vocabulary.encode("caf\u00e9").tolist()


def test_an_unknown_character_is_named_with_the_alphabet():
    with pytest.raises(UserError, match=r"'\?' \(U\+003F\).*'abc'"):
        Vocabulary("abc").encode("a?b")


def test_replacements():
    vocabulary = Vocabulary("abc ")
    assert vocabulary.decode(vocabulary.encode("a\u00e1!", replace={"\u00e1": "a", "!": ""})) == "aa"
    assert vocabulary.decode(vocabulary.encode("a?b", replace=" ")) == "a b"
    with pytest.raises(UserError, match="U\\+003F"):
        vocabulary.encode("?", replace={"x": "a"})


def test_file_round_trip(tmp_path):
    vocabulary = Vocabulary([" ", "#", "\u00e9", "\U0001f600"])
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


@pytest.mark.parametrize("content", ["", "[]", '{"tokens": 3}', '{"tokens": ["a", "a"]}', '{"tokens": [""]}'])
def test_a_file_that_is_no_vocabulary(tmp_path, content):
    (tmp_path / "vocabulary.json").write_text(content)
    with pytest.raises(UserError):
        Vocabulary.load(tmp_path / "vocabulary.json")


def test_ids_out_of_range():
    with pytest.raises(UserError, match=r"0\.\.2"):
        Vocabulary("ab").decode([3])
