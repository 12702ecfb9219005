import math
import random

import numpy as np
import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.ngram import BOS, MixtureModel, estimate


def corpus(seed, weights, count=100):
    rng = random.Random(seed)
    return [rng.choices("abcd", weights, k=rng.randint(1, 8)) for _ in range(count)]


@pytest.fixture(scope="module")
def models():
    return estimate(corpus(0, [8, 1, 1, 0]), 3, vocabulary="abcd"), estimate(
        corpus(1, [0, 1, 2, 8]), 2, vocabulary="dcba"
    )


def test_probabilities_are_the_weighted_mean(models):
    mixture = MixtureModel(models, [3, 1])
    assert mixture.weights == (0.75, 0.25)
    tokens = ["a", "d", "d", "zebra", "b"]
    expected = 0.75 * 10 ** models[0].score(tokens) + 0.25 * 10 ** models[1].score(tokens)
    np.testing.assert_allclose(10 ** mixture.score(tokens), expected, rtol=1e-9)
    assert mixture.perplexity([tokens])["oov"] == 1


def test_all_tokens_at_once_equal_one_by_one_and_sum_to_one(models):
    """The two have their tokens in different orders."""
    mixture = MixtureModel(models, [0.4, 0.6])
    state = mixture.start()
    for token in ["a", "d", "c"]:
        log_probs, states = mixture.advance_all(state)
        assert (10**log_probs).sum() == pytest.approx(1, abs=1e-5)
        for one, log_prob, after in zip(mixture.tokens, log_probs, states, strict=True):
            if one != BOS:
                assert mixture.advance(state, one) == (pytest.approx(log_prob, abs=1e-6), after)
        _, state = mixture.advance(state, token)
        assert state in set(states)


def test_tuning_finds_the_likeliest_weights(models):
    held_out = corpus(2, [8, 1, 1, 0], 40) + corpus(3, [0, 1, 2, 8], 10)
    tuned = MixtureModel.tuned(models, held_out, rounds=100)
    best = tuned.perplexity(held_out)["log10"]
    for weight in np.linspace(0.01, 0.99, 50):
        assert MixtureModel(models, [weight, 1 - weight]).perplexity(held_out)["log10"] <= best + 1e-6
    assert 0.6 < tuned.weights[0] < 0.95
    with pytest.raises(UserError, match="no sentence"):
        MixtureModel.tuned(models, [])


@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [-1, 2], [0, 0], [math.inf, 1]])
def test_weights_that_do_not_fit(models, weights):
    with pytest.raises(ValueError, match="2 models"):
        MixtureModel(models, weights)
