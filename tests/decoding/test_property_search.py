"""A language whose next letter depends on whether a quotation is open: inside, the alphabet runs backward."""

import keras
import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.activations import untrained_copy
from keras_seqgen.decoding.property_search import search_properties
from keras_seqgen.errors import UserError
from keras_seqgen.losses import TokenLoss
from keras_seqgen.models.language import language_model

VOCABULARY = Vocabulary('"abc')


def quotations(length: int, seed: int) -> str:
    """Letters that go a, b, c, a ... outside quotes and c, b, a, c ... inside; every third is drawn anew."""
    rng, inside, letter, text = np.random.default_rng(seed), False, 0, []
    for _ in range(length):
        if rng.random() < 1 / 12:
            inside = not inside
            text.append('"')
        else:
            letter = rng.integers(3) if rng.random() < 0.3 else (letter + (2 if inside else 1)) % 3
            text.append("abc"[letter])
    return "".join(text)


@pytest.fixture(scope="module")
def trained():
    """24 cells after 600 updates, a few seconds."""
    ids = VOCABULARY.encode(quotations(200_000, seed=0))
    targets = np.resize(ids, (600 * 32, 60))
    keras.utils.set_random_seed(1)
    model = language_model(len(VOCABULARY), 24, 1, cell="lstm")
    model.compile(keras.optimizers.Adam(1e-2, clipnorm=1.0), TokenLoss("sum_over_batch_size"))
    inputs = {"tokens": np.pad(targets[:, :-1], ((0, 0), (1, 0)))}
    model.fit(inputs, targets, batch_size=32, epochs=1, shuffle=False, verbose=0)
    return model


@pytest.fixture(scope="module")
def text():
    return quotations(16_000, seed=1)


def test_a_trained_network_has_a_cell_for_quotes_and_an_untrained_one_has_none(trained, text):
    ids = VOCABULARY.encode(text)
    search = search_properties(trained, ids, text, ["quotes", "brackets"])
    assert list(search.trackers) == ["quotes"]  # there are no brackets
    tracker = search.trackers["quotes"]
    assert tracker.auc > 0.9
    assert tracker.low > 0.9
    assert search.cells[tracker.cell].startswith("c1.")
    for seed in range(2):
        other = search_properties(untrained_copy(trained, seed), ids, text, ["quotes"]).trackers["quotes"]
        assert other.auc < 0.6
        assert other.high < 0.7


def test_tracks_marks_and_the_stretch_to_draw(trained, text):
    search = search_properties(trained, VOCABULARY.encode(text), text, ["quotes"])
    inside = np.cumsum([character == '"' for character in text]) % 2 == 1
    np.testing.assert_array_equal(search.marks[0], inside)
    assert search.held_out.sum() == 8 * 800  # 8 of 16 rows, each without its first 200 characters
    assert not search.held_out[:8200].any()
    held = search.tracks[0][search.held_out], inside[search.held_out]
    assert held[0][held[1]].mean() > held[0][~held[1]].mean() + 0.5

    ends = np.arange(len(text)) % 10 == 9
    place = search.liveliest(300, ends)
    assert place.stop - place.start == 300
    assert place.start % 10 == 0
    assert search.held_out[place].all()
    assert abs(inside[place].mean() - 0.5) < 0.02
    assert search.held_out[search.liveliest(300, np.zeros(len(text), bool))].all()  # a text without ends of lines


def test_texts_that_cannot_be_searched(trained, text):
    with pytest.raises(UserError, match=r"at least 2000 tokens. Received: 1999"):
        search_properties(trained, VOCABULARY.encode(text[:1999]), text[:1999], ["quotes"])
    with pytest.raises(UserError, match="none of these properties changes in the text: brackets"):
        search_properties(trained, VOCABULARY.encode(text[:2000]), text[:2000], ["brackets"])
