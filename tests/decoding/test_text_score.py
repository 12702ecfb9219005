"""Scores of sentences against the network on whole sequences and against tables of bigrams."""

import itertools
import math

import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.sentence_scorer import SENTENCES_AT_ONCE, SentenceScore
from keras_seqgen.decoding.text_score import TextScorer
from keras_seqgen.errors import UserError
from tests.decoding.toy_text import ALPHABET, bigram_model, lively


def retold(model, vocabulary, sentence, end=True):
    """log Pr of a sentence behind the end of a line, with its own or open, by the model on the whole sequence."""
    ids = vocabulary.encode(f"\n{sentence}\n" if end else f"\n{sentence}").tolist()
    if len(ids) == 1:
        return 0.0
    logits = model({"tokens": np.array([ids[:-1]])})[0].numpy().astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return sum(logs[t, ids[t + 1] - 1] for t in range(len(ids) - 1))


def test_scores_are_those_of_the_network_on_the_whole_sentence():
    model, vocabulary = lively(cell="lstm"), Vocabulary(ALPHABET)
    rng = np.random.default_rng(0)
    sentences = ["".join(rng.choice(list(ALPHABET[1:]), n)) for n in rng.integers(0, 40, SENTENCES_AT_ONCE + 9)]
    found = TextScorer(model, vocabulary).score(sentences)
    expected = [retold(model, vocabulary, sentence) for sentence in sentences[::5]]
    np.testing.assert_allclose([score.log_prob for score in found[::5]], expected, rtol=1e-5)
    assert [score.tokens for score in found] == [len(sentence) + 1 for sentence in sentences]


def test_a_table_of_bigrams_is_added_up_by_hand():
    vocabulary = Vocabulary(["<eos>", "cat", "sat", "the"], kind="word")
    p = np.array([[0.1, 0.2, 0.1, 0.6], [0.25, 0.05, 0.6, 0.1], [0.7, 0.1, 0.1, 0.1], [0.05, 0.8, 0.1, 0.05]])
    scorer = TextScorer(bigram_model(np.log(p), np.zeros(4)), vocabulary)
    the_cat_sat, nothing, the = scorer.score(["the cat  sat", "", "the\n"])
    assert the_cat_sat.log_prob == pytest.approx(math.log(0.6 * 0.8 * 0.6 * 0.7), rel=1e-5)
    assert the_cat_sat.tokens == 4
    assert the_cat_sat.perplexity == pytest.approx((0.6 * 0.8 * 0.6 * 0.7) ** -0.25, rel=1e-5)
    assert nothing == (pytest.approx(math.log(0.1), rel=1e-5), 1)
    assert the.log_prob == pytest.approx(math.log(0.6 * 0.05 * 0.1), rel=1e-5)


def test_without_ends_of_lines_a_sentence_begins_with_nothing():
    first, p = np.array([0.9, 0.1]), np.array([[0.3, 0.7], [0.6, 0.4]])
    scorer = TextScorer(bigram_model(np.log(p), np.log(first)), Vocabulary("ab"))
    abba, empty = scorer.score(["abba", ""])
    assert abba.log_prob == pytest.approx(math.log(0.9 * 0.7 * 0.4 * 0.6), rel=1e-5)
    assert abba.tokens == 4
    assert empty == (0.0, 0)
    assert empty.perplexity == 1.0


def test_lines_share_the_probability_one():
    scorer = TextScorer(lively(V=3), Vocabulary("\nab"))
    reached = 1.0  # the probability that a line has n characters or more: each that does ends there or goes on
    for n in range(5):
        lines = ["".join(letters) for letters in itertools.product("ab", repeat=n)]
        ends = sum(math.exp(score.log_prob) for score in scorer.score(lines))
        goes_on = sum(math.exp(retold(scorer.model, scorer.vocabulary, line, end=False)) for line in lines)
        assert goes_on == pytest.approx(reached, rel=1e-5)
        reached -= ends


def test_the_order_and_the_company_of_sentences_do_not_matter():
    scorer = TextScorer(lively(), Vocabulary(ALPHABET))
    sentences = ["strange", "a", "no good dogs".replace(" ", ""), "", "rest"]
    together = scorer.score(sentences)
    for sentence, score in zip(sentences, together, strict=True):
        alone = scorer.score([sentence])[0]
        assert alone.log_prob == pytest.approx(score.log_prob, rel=1e-6)
    assert scorer.score([]) == []


def test_numbers_of_a_score():
    score = SentenceScore(-math.log(1000), 3)
    assert score.per_token == pytest.approx(-math.log(10))
    assert score.perplexity == pytest.approx(10)


def test_mistakes_name_the_sentence():
    scorer = TextScorer(lively(), Vocabulary(ALPHABET))
    with pytest.raises(UserError, match=r"sentence 2: .*'X' \(U\+0058\).* It has: .*`replace` says"):
        scorer.score(["a", "Xa"])
    assert scorer.score(["Xa"], replace="b")[0].log_prob == scorer.score(["ba"])[0].log_prob
    with pytest.raises(UserError, match="predicts 11 tokens but the vocabulary has 2"):
        TextScorer(scorer.model, Vocabulary("ab"))
