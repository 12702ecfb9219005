"""Languages that cannot be predicted without keeping track of a property, and networks that learn them in seconds."""

import keras
import numpy as np
import pytest

from keras_seqgen.data.text_properties import text_property
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.activations import read_tokens, untrained_copy
from keras_seqgen.decoding.property_search import search_properties
from keras_seqgen.errors import UserError
from keras_seqgen.losses import TokenLoss
from keras_seqgen.models.language import language_model

VOCABULARY = Vocabulary('\n "abc')
ROWS, LENGTH, UPDATES = 32, 80, 600


def quotes(rng, length):
    """Letters that go a, b, c, a ... outside quotes and c, b, a, c ... inside; every third is drawn anew."""
    inside, letter, text = False, 0, []
    for _ in range(length):
        if rng.random() < 1 / 12:
            inside = not inside
            text.append('"')
        else:
            letter = rng.integers(3) if rng.random() < 0.3 else (letter + (2 if inside else 1)) % 3
            text.append("abc"[letter])
    return "".join(text)


def line_position(rng, length):
    """Lines of 30 letters."""
    return "".join("".join(rng.choice(["a", "b"], 30)) + "\n" for _ in range(length // 31 + 1))[:length]


def indentation(rng, length):
    """Lines as deep as the one before, or now and then 2 deeper or less deep."""
    depth, text = 4, ""
    while len(text) < length:
        depth = int(np.clip(depth + rng.choice([-2, 0, 0, 0, 0, 0, 0, 2]), 0, 8))
        text += " " * depth + "".join(rng.choice(["a", "b", "c"], rng.integers(6, 12))) + "\n"
    return text[:length]


LANGUAGES = {"quotes": quotes, "line-position": line_position, "indentation": indentation}


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request):
    """A property, a network of 24 cells that was trained on its language, and a text that it was not trained on."""
    write = LANGUAGES[request.param]
    targets = np.resize(VOCABULARY.encode(write(np.random.default_rng(0), 200_000)), (UPDATES * ROWS, LENGTH))
    keras.utils.set_random_seed(1)
    model = language_model(len(VOCABULARY), 24, 1, cell="lstm")
    model.compile(keras.optimizers.Adam(1e-2, clipnorm=1.0), TokenLoss("sum_over_batch_size"))
    inputs = {"tokens": np.pad(targets[:, :-1], ((0, 0), (1, 0)))}
    model.fit(inputs, targets, batch_size=ROWS, epochs=1, shuffle=False, verbose=0)
    return request.param, model, write(np.random.default_rng(1), 16_000)


def search(model, text, *names, **options):
    properties = {name: text_property(name, text) for name in names}
    return search_properties(model, VOCABULARY.encode(text), properties, **options)


def test_a_trained_network_has_a_cell_for_the_property_and_an_untrained_one_has_none(language):
    name, model, text = language
    found = search(model, text, name, "brackets")
    print(found.trackers, [search(untrained_copy(model, seed), text, name).trackers[name] for seed in range(2)])
