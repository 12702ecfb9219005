"""Language models, lexicons and networks in the beam search, each against a sum over all labellings."""

import itertools
import math

import numpy as np
import pytest

from keras_seqgen.decoding.beam import beam_search
from keras_seqgen.decoding.network_scorer import NetworkScorer
from keras_seqgen.decoding.scorers import CharacterScorer, Lexicon, ScorerSum, WordScorer, added_by
from keras_seqgen.decoding.tuning import tune_weights
from keras_seqgen.errors import UserError
from keras_seqgen.metrics.edit_distance import character_error_rate
from keras_seqgen.ngram import estimate
from tests.reference.ctc import every_labelling

pytestmark = pytest.mark.filterwarnings("error")
TOKENS = (" ", "a", "b")
SENTENCES = ["a b", "ab a", "ba", "a ab b", "ba ba"]
WORDS = ["a", "ab", "bab"]
EVERYTHING = 10_000


def text_of(labels):
    return "".join(TOKENS[k - 1] for k in labels)


@pytest.fixture(scope="module")
def characters():
    return estimate([list(text) for text in SENTENCES], order=3)


@pytest.fixture(scope="module")
def words():
    return estimate([text.split() for text in SENTENCES], order=2)


def nats_of(model, tokens):
    return math.log(10) * float(model.score(tokens).sum())


def step(tokens, states):
    """A network of a few fixed numbers: the state is a running mixture of one-hot tokens, V = 4, id 4 is the end."""
    state = 0.5 * states[0] + np.eye(5)[tokens]
    logits = np.sin(state @ np.arange(20).reshape(5, 4))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True)), [state]


def nats_of_network(labels, ids):
    state, total, before = np.zeros((1, 5)), 0.0, 4
    for k in [ids[k - 1] for k in labels] + [4]:
        log_probs, (state,) = step(np.array([before]), [state])
        total, before = total + log_probs[0, k - 1], k
    return total


def in_lexicon(text, separator=" "):
    if separator is None:
        return text == "" or any(text.startswith(word) and in_lexicon(text[len(word) :], None) for word in WORDS)
    return all(word in WORDS for word in text.split())


def expectations(characters, words):
    """name -> (scorer, what it should add to a labelling)."""
    lexicon = Lexicon(WORDS, TOKENS)
    ids = [2, 3, 1]

    def of_words(labels):
        found = text_of(labels).split()
        return 0.6 * nats_of(words, found) + 0.4 * len(found)

    def allowed(labels, separator=" "):
        return 0.0 if in_lexicon(text_of(labels), separator) else -math.inf

    return {
        "characters": (
            CharacterScorer(characters, TOKENS, 0.7, 0.3),
            lambda labels: 0.7 * nats_of(characters, list(text_of(labels))) + 0.3 * len(labels),
        ),
        "words": (WordScorer(words, TOKENS, 0.6, 0.4), of_words),
        "lexicon": (lexicon, allowed),
        "lexicon and words": (
            ScorerSum([lexicon, WordScorer(words, TOKENS, 0.6, 0.4)]),
            lambda labels: allowed(labels) + of_words(labels),
        ),
        "network": (
            NetworkScorer(step, [np.zeros((1, 5))], ids=ids, first=4, last=4, alpha=0.8, beta=0.2),
            lambda labels: 0.8 * nats_of_network(labels, ids) + 0.2 * len(labels),
        ),
    }


@pytest.mark.parametrize("name", ["characters", "words", "lexicon", "lexicon and words", "network"])
def test_the_search_finds_the_best_of_all_labellings(characters, words, name):
    scorer, adds = expectations(characters, words)[name]
    for seed in range(4):
        logits = np.random.default_rng(seed).normal(size=(5, 4)) * 2
        exact = {labels: math.log(p) + adds(labels) for labels, p in every_labelling(logits).items()}
        found = {one.ids: one.score for one in beam_search(logits, EVERYTHING, scorer)}
        assert beam_search(logits, EVERYTHING, scorer)[0].ids == max(exact, key=exact.get)
        for labels, score in exact.items():
            assert found.get(labels, -math.inf) == pytest.approx(score, abs=1e-9), labels


@pytest.mark.parametrize("name", ["characters", "words", "lexicon", "lexicon and words", "network"])
def test_asked_for_many_tokens_or_for_one(characters, words, name):
    """`added` is `advance` for several tokens at once."""
    scorer, _ = expectations(characters, words)[name]
    for labels in itertools.product(range(1, 4), repeat=3):
        state = scorer.start()
        for token in labels:
            one_by_one = [scorer.advance(state, k)[0] for k in (1, 2, 3)]
            np.testing.assert_allclose(added_by(scorer, state, np.array([1, 2, 3])), one_by_one, rtol=1e-6)
            np.testing.assert_allclose(added_by(scorer, state, np.array([3])), one_by_one[2:], rtol=1e-6)
            score, state = scorer.advance(state, token)
            if score == -math.inf:
                break


def test_a_lexicon_without_separator_lets_words_follow_each_other():
    tokens = ("a", "b")
    lexicon = Lexicon(WORDS, tokens, separator=None)
    logits = np.random.default_rng(1).normal(size=(6, 3))
    found = {"".join(tokens[k - 1] for k in one.ids): one.score for one in beam_search(logits, EVERYTHING, lexicon)}
    for labels in every_labelling(logits):
        text = "".join(tokens[k - 1] for k in labels)
        assert (found.get(text, -math.inf) > -math.inf) == in_lexicon(text, None), text


def test_a_lexicon_says_what_is_wrong_with_a_word():
    with pytest.raises(UserError, match="'c'"):
        Lexicon(["a", "ac"], TOKENS)
    with pytest.raises(UserError, match="no words"):
        Lexicon([], TOKENS)
    with pytest.raises(UserError, match="empty"):
        Lexicon([""], TOKENS)
    with pytest.raises(UserError, match="' '"):
        Lexicon(["a b"], TOKENS)
    with pytest.raises(UserError, match="separator"):
        Lexicon(["a"], TOKENS, separator="_")
    with pytest.raises(UserError, match="separator"):
        WordScorer(None, ("a", "b"))


def test_a_network_runs_once_for_each_labelling_and_in_batches():
    asked = []

    def counted(tokens, states):
        asked.append(len(tokens))
        assert all(len(state) == len(tokens) for state in states)
        return step(tokens, states)

    scorer = NetworkScorer(counted, [np.zeros((1, 5))], first=4)
    logits = np.random.default_rng(0).normal(size=(30, 4))
    beam_search(logits, beam=8, scorer=scorer)
    assert len(asked) <= 30 + 8, "about one batch a frame"
    assert max(asked) > 1
    assert sum(asked) < 30 * 8


def test_a_language_model_repairs_what_was_misread(words):
    """Frames that favour `bb` by a little, where the language has `ba` alone."""
    logits = np.full((6, 4), -6.0)
    for t, k in enumerate([0, 3, 0, 3, 0, 0]):
        logits[t, k] = 3
    logits[3, 2] = 2
    assert text_of(beam_search(logits)[0].ids) == "bb"
    assert text_of(beam_search(logits, scorer=WordScorer(words, TOKENS))[0].ids) == "ba"
    assert text_of(beam_search(logits, scorer=Lexicon(["ba", "ab"], TOKENS))[0].ids) == "ba"


def test_weights_are_found_by_a_grid_and_its_refinements():
    """An error with one valley, whose bottom lies between the points of the grid."""
    asked = []

    def make(alpha, beta):
        asked.append((alpha, beta))

    bottom = [0.8, 1.3]

    def valley(texts, read):
        return (asked[-1][0] - bottom[0]) ** 2 + 0.1 * (asked[-1][1] - bottom[1]) ** 2

    seen = []
    options = {"make_scorer": make, "text_of": str, "error_rate": valley, "progress": lambda *x: seen.append(x)}
    found = tune_weights([np.zeros((2, 3))], [""], **options, refinements=4)
    assert found.alpha == pytest.approx(0.8, abs=0.05)
    assert found.beta == pytest.approx(1.3, abs=0.1)
    assert len(asked) == len(set(asked)) == len(found.tried) == len(seen), "no point is tried twice"
    assert found.error == min(found.tried.values())
    coarse = tune_weights([np.zeros((2, 3))], [""], **options, refinements=0)
    assert (coarse.alpha, coarse.beta) == (1.0, 1.0)
    assert len(coarse.tried) == 30
    bottom[:] = 3.6, 6.5  # outside of the first grid: many steps away
    far = tune_weights([np.zeros((2, 3))], [""], **options, refinements=3)
    assert far.alpha == pytest.approx(3.6, abs=0.1)
    assert far.beta == pytest.approx(6.5, abs=0.2)
    flat = tune_weights([np.zeros((2, 3))], [""], make, str, lambda *_: 0.5)
    assert (flat.alpha, flat.beta) == (0.0, 0.0), "no model where it does not help"
    with pytest.raises(ValueError, match="2 inputs, 1 texts"):
        tune_weights([np.zeros((2, 3))] * 2, [""], make, str)


def test_tuned_weights_read_better(characters):
    """Noisy frames of the sentences that the model knows."""
    rng = np.random.default_rng(4)
    texts = [SENTENCES[n % len(SENTENCES)] for n in range(20)]
    logits = []
    for text in texts:
        one = rng.normal(size=(3 * len(text) + 2, 4)) * 1.5
        one[:, 0] += 2
        for u, character in enumerate(text):
            one[3 * u + 1, TOKENS.index(character) + 1] += 4
        logits.append(one)
    found = tune_weights(
        logits,
        texts,
        lambda alpha, beta: CharacterScorer(characters, TOKENS, alpha, beta),
        text_of,
        character_error_rate,
        alphas=(0.0, 0.5, 1.0),
        betas=(0.0, 1.0),
        refinements=1,
        beam=8,
    )
    assert found.alpha > 0
    assert found.error < 0.8 * found.tried[0.0, 0.0]
