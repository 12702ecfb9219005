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
ROWS, UPDATES = 32, 600


def quotes(rng, length):
    """Letters that go a, b, c, a ... outside quotes and c, b, a, c ... inside; every third is drawn anew."""
    inside, letter, text = False, 0, []
    for _ in range(length):
        if rng.random() < 1 / 20:
            inside = not inside
            text.append('"')
        else:
            letter = rng.integers(3) if rng.random() < 0.3 else (letter + (2 if inside else 1)) % 3
            text.append("abc"[letter])
    return "".join(text)


def line_position(rng, length):
    """Lines of 40 letters."""
    return "".join("".join(rng.choice(["a", "b"], 40)) + "\n" for _ in range(length // 41 + 1))[:length]


def indentation(rng, length):
    """Lines as deep as the one before, or now and then 2 deeper or less deep."""
    depth, text = 4, ""
    while len(text) < length:
        depth = int(np.clip(depth + rng.choice([-2, 0, 0, 0, 0, 0, 0, 2]), 0, 8))
        text += " " * depth + "".join(rng.choice(["a", "b", "c"], rng.integers(15, 25))) + "\n"
    return text[:length]


# for each property: its language, tokens in a row, learning rate
LANGUAGES = {
    "quotes": (quotes, 60, 2e-2),
    "line-position": (line_position, 100, 1e-2),
    "indentation": (indentation, 100, 1e-2),
}


def learn(name):
    """A network of 24 cells, trained for some seconds."""
    write, length, rate = LANGUAGES[name]
    targets = np.resize(VOCABULARY.encode(write(np.random.default_rng(0), 200_000)), (UPDATES * ROWS, length))
    keras.utils.set_random_seed(1)
    model = language_model(len(VOCABULARY), 24, 1, cell="lstm")
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), TokenLoss("sum_over_batch_size"))
    inputs = {"tokens": np.pad(targets[:, :-1], ((0, 0), (1, 0)))}
    model.fit(inputs, targets, batch_size=ROWS, epochs=1, shuffle=False, verbose=0)
    return model


@pytest.fixture(scope="module")
def trained():
    return learn("quotes")


@pytest.fixture(scope="module")
def text():
    """Held out of the training."""
    return quotes(np.random.default_rng(1), 16_000)


def search(model, text, *names, **options):
    properties = {name: text_property(name, text) for name in names}
    return search_properties(model, VOCABULARY.encode(text), properties, **options)


@pytest.mark.parametrize(
    ("name", "untrained"),
    [
        ("quotes", 0.6),
        pytest.param("line-position", 0.85, marks=pytest.mark.slow),
        pytest.param("indentation", 0.8, marks=pytest.mark.slow),
    ],
)
def test_a_trained_network_has_a_cell_that_tracks_what_an_untrained_one_does_not(request, name, untrained):
    model = request.getfixturevalue("trained") if name == "quotes" else learn(name)
    held_out = LANGUAGES[name][0](np.random.default_rng(1), 16_000)
    found = search(model, held_out, name, "brackets")
    assert list(found.trackers) == [name]  # there are no brackets
    tracker = found.trackers[name]
    assert tracker.low > 0.9
    assert found.cells[tracker.cell].startswith("c1.")
    assert (tracker.spearman is None) == (name == "quotes")
    for seed in range(2):
        other = search(untrained_copy(model, seed), held_out, name).trackers[name]
        assert other.auc < untrained
        assert other.high < tracker.low - 0.1


def test_rows_tracks_and_marks(trained, text):
    found = search(trained, text, "quotes")
    inside = np.cumsum([character == '"' for character in text]) % 2 == 1
    np.testing.assert_array_equal(found.places, np.arange(len(text)))
    np.testing.assert_array_equal(found.marks[0], inside)
    held_out = np.flatnonzero(found.held_out)  # of 8 rows every other, without its first 200 characters
    np.testing.assert_array_equal(held_out, [t for t in range(len(text)) if t // 2000 % 2 == 1 and t % 2000 >= 200])
    track = found.tracks[0]
    assert track[held_out][inside[held_out]].mean() > track[held_out][~inside[held_out]].mean() + 0.5
    tracker = found.trackers["quotes"]
    states = read_tokens(trained, VOCABULARY.encode(text[2000:4000])[None], ["c1"]).states[0]
    np.testing.assert_allclose(track[2000:4000], tracker.sign * states[:, tracker.cell], atol=1e-4)


def test_rows_of_a_long_text_are_spread_over_it(trained, text):
    found = search(trained, text, "quotes", limit=6500)
    assert found.places[[0, 1999, 2000, 3999, 4000, 5999]].tolist() == [0, 1999, 7000, 8999, 14000, 15999]
    np.testing.assert_array_equal(found.marks[0], text_property("quotes", text)[found.places])
    short = search(trained, text[:2500], "quotes")
    assert short.places[[0, 1249, 1250, 2499]].tolist() == [0, 1249, 1250, 2499]


def test_the_stretch_to_draw(trained, text):
    found = search(trained, text, "quotes")
    place = found.liveliest(300, np.arange(len(text)) % 10 == 9)
    assert place.stop - place.start == 300
    assert place.start % 10 == 0
    assert found.held_out[place].all()
    assert abs(found.marks[0][place].mean() - 0.5) < 0.02
    assert found.held_out[found.liveliest(300, np.zeros(len(text), bool))].all()  # a text without ends of lines


def test_colours_say_where_a_property_holds_as_often_as_it_does(trained, text):
    found = search(trained, text, "quotes", "line-position", limit=8000)
    scaled, held_out = found.scaled(), found.held_out
    assert scaled.min() == -1
    assert scaled.max() == 1
    np.testing.assert_allclose((scaled > 0)[:, held_out].mean(axis=1), found.marks[:, held_out].mean(axis=1), atol=1e-3)
    for track, row in zip(found.tracks, scaled, strict=True):
        assert (np.diff(row[np.argsort(track)]) >= 0).all()
        assert 0.005 < np.mean(row[held_out] == 1) < 0.025
    assert ((scaled[0] > 0) == found.marks[0])[held_out].mean() > 0.85


def test_texts_that_cannot_be_searched(trained, text):
    with pytest.raises(UserError, match=r"at least 2000 tokens. Received: 1999"):
        search(trained, text[:1999], "quotes")
    with pytest.raises(UserError, match="none of these properties changes in the text: brackets"):
        search(trained, text[:2000], "brackets")
