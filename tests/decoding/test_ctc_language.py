"""A recogniser's language models: estimated, mixed, kept, and of use to a beam search."""

import numpy as np
import pytest

from keras_seqgen.decoding.beam import beam_search
from keras_seqgen.decoding.ctc_language import CTCLanguage
from keras_seqgen.errors import UserError

TEXTS = ["the cat sat", "the cat ran", "a dog sat", "the dog ran", "a cat sat on the mat"] * 4
TOKENS = sorted(set("".join(TEXTS)) | set("xq"))


@pytest.fixture(scope="module")
def language():
    made = CTCLanguage.estimate(TEXTS, orders={"character": 4, "word": 2})
    made.weights = {"character": (0.5, 0.5), "word": (1.0, 1.0), "both": (0.5, 0.0)}
    return made


def doubtful(text, wrong, place):
    """Logits of a text, five frames a character, in which one character is a little likelier to be another."""
    logits = np.full((5 * len(text), len(TOKENS) + 1), -8.0)
    for number, character in enumerate(text):
        logits[5 * number : 5 * number + 2, TOKENS.index(character) + 1] = 4
        logits[5 * number + 2 : 5 * number + 5, 0] = 4
    logits[5 * place : 5 * place + 2, TOKENS.index(wrong) + 1] = 4.5
    return logits


def read(logits, scorer=None):
    return "".join(TOKENS[number - 1] for number in beam_search(logits, 25, scorer)[0].ids)


@pytest.mark.parametrize("kind", ["character", "word", "both"])
def test_the_language_decides_what_the_network_leaves_open(language, kind):
    logits = doubtful("the cat sat", "x", 5)
    assert read(logits) == "the cxt sat"
    assert read(logits, language.scorer(kind, TOKENS)) == "the cat sat"


def test_what_is_kept_comes_back(language, tmp_path):
    assert not CTCLanguage.is_in(tmp_path)
    language.tuned = {"lines": 3}
    language.save(tmp_path)
    again = CTCLanguage.load(tmp_path)
    assert CTCLanguage.is_in(tmp_path)
    assert (again.weights, again.tuned) == (language.weights, {"lines": 3})
    for kind, sentence in (("character", list("the cat")), ("word", ["the", "cat"])):
        np.testing.assert_allclose(again.model(kind).score(sentence), language.model(kind).score(sentence), atol=1e-6)


def test_another_corpus_is_mixed_in_as_far_as_it_helps():
    other = ["a mat sat on a dog", "the mat ran"] * 6
    useless = ["qqxx xqxq"] * 6
    held_out = ["the mat ran", "a cat sat", "a dog sat on a mat"]
    mixed = CTCLanguage.estimate(TEXTS, [other, useless], held_out, {"character": 3, "word": 2})
    for kind in ("character", "word"):
        own, helpful, nothing = mixed.shares[kind]
        assert min(own, helpful) > 0.1 > nothing
    assert sum(mixed.model("word").score(["the", "mat", "ran"])) > sum(
        CTCLanguage.estimate(TEXTS).model("word").score(["the", "mat", "ran"])
    )


def test_mistakes_are_named(language, tmp_path):
    with pytest.raises(UserError, match="one of character, word, both"):
        language.scorer("sense", TOKENS)
    with pytest.raises(UserError, match="`keras-seqgen tune` finds them"):
        CTCLanguage.estimate(TEXTS).scorer("word", TOKENS)
    with pytest.raises(UserError, match="has no language model"):
        CTCLanguage.load(tmp_path)
    (tmp_path / "language.json").write_text("[]")
    with pytest.raises(UserError, match="cannot be read"):
        CTCLanguage.load(tmp_path)
