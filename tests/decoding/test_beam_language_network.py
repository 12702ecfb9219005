"""A character model of the house in the beam search: its numbers are those of the model over whole texts."""

import math

import keras
import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.beam import beam_search
from keras_seqgen.decoding.language_network import language_network
from keras_seqgen.errors import UserError
from keras_seqgen.models.language import char_lm
from tests.reference.ctc import every_labelling, log_softmax

TOKENS = ("b", "a", " ")  # of the recogniser, in an order of its own
VOCABULARY = Vocabulary(["\n", " ", "a", "b", "c"])


@pytest.fixture(scope="module", params=["peephole_lstm", "gru"])
def model(request):
    keras.utils.set_random_seed(0)
    model = char_lm(len(VOCABULARY), units=6, depth=2, cell=request.param)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    return model


def text_nats(model, text):
    """log Pr of a line and its end, from the network over the whole line at once."""
    ids = VOCABULARY.encode("\n" + text + "\n")
    log_p = log_softmax(np.array(model(ids[None, :-1]))[0])
    return sum(log_p[t, k - 1] for t, k in enumerate(ids[1:]))


def test_the_search_finds_the_best_of_all_labellings(model):
    scorer = language_network(model, VOCABULARY, TOKENS, alpha=0.7, beta=0.4)
    logits = np.random.default_rng(2).normal(size=(4, 4)) * 2
    exact = {
        labels: math.log(p) + 0.7 * text_nats(model, "".join(TOKENS[k - 1] for k in labels)) + 0.4 * len(labels)
        for labels, p in every_labelling(logits).items()
    }
    found = {one.ids: one.score for one in beam_search(logits, 1000, scorer)}
    assert found == pytest.approx(exact, abs=1e-4)


def test_characters_that_the_model_does_not_know(model):
    with pytest.raises(UserError, match="'x' 'y'"):
        language_network(model, VOCABULARY, ("a", "x", "y"))
