"""The Python face of sampling: whole texts, streams, and the one line that a user reads after a mistake."""

import inspect

import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_pieces import TextPieces, spelled_for_encoding
from keras_seqgen.decoding.text_sampler import MAX_STOP, MAX_TOKENS, ROWS_AT_ONCE
from keras_seqgen.decoding.text_writer import TextWriter
from keras_seqgen.errors import UserError
from tests.decoding.toy_text import ALPHABET, bigram_model, chain, lively


@pytest.fixture(scope="module")
def writer():
    return TextWriter(lively(seed=3), Vocabulary(ALPHABET))


@pytest.fixture(scope="module")
def stranger():
    return TextWriter(chain("stranoge"), Vocabulary(ALPHABET))


def test_spells_and_goes_on(stranger):
    assert stranger.sample(length=9) == ["stranoges"]
    assert stranger.sample(["", "str", "no"], length=[3, 5, 1]) == ["str", "anoge", "g"]
    assert stranger.sample("st", seed=range(3), length=4, stop="no") == ["rano"] * 3
    assert stranger.sample("st", length=12, stop=["no", "", "r", "ger"]) == [
        "rano",
        "ranogestrano",
        "r",
        "ranogestrano",
    ]


def test_a_row_does_not_depend_on_its_batch(writer):
    options = {
        "primers": ["strange", "", "no\n", "a", "st"],
        "temperature": [1.0, 0.5, 2.0, 0.9, 1.3],
        "top_k": [0, 5, 0, 3, 0],
        "top_p": [1.0, 1.0, 0.5, 0.8, 1.0],
        "seed": [1, 2, 3, 2**40, 4],
        "length": [40, 17, 60, 33, 50],
        "stop": ["\n", "", "a", "st", ""],  # the last row asks for nothing: alone it is drawn by a loop of its own
    }
    together = writer.sample(**options)
    assert len(set(together)) == 5
    for n in range(5):
        assert writer.sample(**{name: [value[n]] for name, value in options.items()}) == [together[n]]


def test_forms_of_the_seed(writer):
    a, b = writer.sample(seed=[5, 5], length=30)
    assert a == b == writer.sample(seed=np.array([[5, 0]]), length=30)[0]
    assert len({a, *writer.sample(seed=[5 + 2**32, -5, 6], length=30)}) == 4


def test_temperatures_and_filters_tell(writer):
    cold = writer.sample(seed=range(8), temperature=1e-3, length=20)
    assert len(set(cold)) == 1
    assert set(writer.sample(seed=range(8), top_k=1, length=20)) == set(cold)
    assert set(writer.sample(seed=range(8), top_p=1e-6, length=20)) == set(cold)
    assert len(set(writer.sample(seed=range(8), length=20))) == 8
    hot = "".join(writer.sample(seed=range(50), temperature=1e6, length=80))
    assert min(hot.count(letter) for letter in ALPHABET) > 0.8 * len(hot) / len(ALPHABET)


def test_long_batches_are_written_in_parts(writer):
    rows = ROWS_AT_ONCE + 3
    texts = writer.sample(seed=range(rows), length=5)
    assert len(texts) == rows
    assert texts[-1] == writer.sample(seed=rows - 1, length=5)[0]


@pytest.mark.parametrize("chunk", [1, 7, 16, 100])
def test_a_stream_is_the_text(writer, chunk):
    options = {"temperature": 0.9, "top_k": 8, "seed": 4, "length": 45}
    parts = list(writer.stream("strange\n", chunk=chunk, **options))
    assert len(parts) == -(-45 // chunk)
    assert "".join(parts) == writer.sample("strange\n", **options)[0]


def test_a_stream_ends_with_its_stop_string(stranger):
    """It is found although its letters come in different chunks."""
    for chunk in (1, 2, 3, 5):
        assert "".join(stranger.stream("st", chunk=chunk, stop="ges", length=50)) == "ranoges"


def test_a_stream_is_given_out_while_it_is_written(writer):
    stream = writer.stream(length=MAX_TOKENS)
    assert inspect.isgenerator(stream)
    assert len(next(stream)) == 16
    stream.close()


def words(first="the", kind="word"):
    """the -> cat -> sat -> <eos> -> the ..."""
    vocabulary = Vocabulary(["<eos>", "<unk>", "cat", "sat", "the"], kind=kind)
    order = ["the", "cat", "sat", "<eos>"]
    table = np.zeros((5, 5))
    for a, b in zip(order, order[1:] + order[:1], strict=True):
        table[vocabulary.ids[a] - 1, vocabulary.ids[b] - 1] = 30
    start = np.zeros(5)
    start[vocabulary.ids[first] - 1] = 30
    return TextWriter(bigram_model(table, start), vocabulary)


def test_words_have_blanks_and_lines():
    writer = words()
    assert writer.sample(length=9) == ["the cat sat\nthe cat sat\nthe"]
    primers = ["the", "the ", "cat sat\n", "cat"]
    assert writer.sample(primers, length=2) == [" cat sat", " cat sat", "the cat", " sat\n"]
    assert "".join(writer.stream("the", chunk=1, length=6)) == " cat sat\nthe cat sat"
    assert writer.sample("", stop="cat sat", length=9) == ["the cat sat"]
    assert writer.sample("cat", stop="\n", length=9) == [" sat\n"]


def test_pieces_together_are_what_the_vocabulary_decodes():
    rng = np.random.default_rng(0)
    for vocabulary in (
        Vocabulary(["<eos>", "<unk>", "N", "cat", "é"], kind="word"),
        Vocabulary("\nab é"),
        Vocabulary(sorted(map(chr, range(256))), kind="byte"),
    ):
        pieces = TextPieces(vocabulary)
        for _ in range(50):
            ids = rng.integers(1, len(vocabulary) + 1, 12)
            cut = rng.integers(1, 11)
            text = pieces(ids[:cut]) + pieces(ids[cut:], before=ids[cut - 1])
            assert text.decode("utf-8", "replace") == vocabulary.decode(ids)


def test_spelled_pieces_are_encoded_again():
    vocabulary = Vocabulary(["\n", "<unk>", "a", "b"])
    assert vocabulary.encode(spelled_for_encoding(vocabulary)([3, 2, 4, 1]).decode()).tolist() == [3, 2, 4, 1]
    assert TextPieces(vocabulary)([3, 2]) == b"a<unk>"


def test_bytes_make_whole_characters_in_a_stream():
    vocabulary = Vocabulary(sorted({chr(byte) for byte in "aé€".encode()}), kind="byte")
    text = "aé€".encode().decode("latin-1")
    table = np.zeros((len(vocabulary), len(vocabulary)))
    for a, b in zip(text, text[1:] + text[0], strict=True):
        table[vocabulary.ids[a] - 1, vocabulary.ids[b] - 1] = 30
    writer = TextWriter(bigram_model(table, table[vocabulary.ids[text[-1]] - 1]), vocabulary)
    assert writer.sample(length=9) == ["aé€aé"]
    assert list(writer.stream("a", chunk=1, length=5)) == ["", "é", "", "", "€"]
    assert writer.sample("a", length=1) == ["\ufffd"]
    assert writer.sample("aé", length=20, stop="€a") == ["€a"]


def test_unknown_characters_of_a_primer_can_be_replaced(stranger):
    assert stranger.sample("Str", replace={"S": "s"}, length=2) == ["an"]
    assert stranger.sample("n?o", replace="", length=2) == ["ge"]


def test_unknown_tokens_are_read_as_unk_where_there_is_one():
    assert words().sample("dogs the", length=1) == [" cat"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"primers": "Xé"}, r"`primers\[0\]`: .*'X' \(U\+0058\).* It has: '\\nabdegnorst'.*`replace` says"),
        ({"primers": ["a", 3]}, "`primers` must be a string, or one for each of the 2 rows"),
        ({"primers": ["a", "b"], "seed": [1, 2, 3]}, "one for each of the 3 rows"),
        ({"temperature": 0}, "`temperature` must be a positive number: 1 draws .* 0.01 takes .* Received: 0"),
        ({"temperature": -0.5}, "`temperature` must be a positive number.* Received: -0.5"),
        ({"temperature": float("nan")}, "`temperature` must be a positive number"),
        ({"temperature": float("inf")}, "`temperature` must be a positive number"),
        ({"temperature": "hot"}, "`temperature` must be a positive number"),
        ({"temperature": [1.0, 0.0]}, "`temperature` must be a positive number"),
        ({"top_k": -1}, "`top_k` must be a whole number"),
        ({"top_k": 2.5}, "`top_k` must be a whole number"),
        ({"top_p": 0.0}, "`top_p` must lie above 0"),
        ({"top_p": 1.2}, "`top_p` must lie above 0"),
        ({"seed": 0.5}, "`seed` must be an integer"),
        ({"length": 0}, r"`length` must be a whole number in 1\.\.100000"),
        ({"length": 10**9}, "`length` must be a whole number"),
        ({"stop": "END"}, "`stop` would never be drawn: .* does not have 'E' 'N' 'D'"),
        ({"stop": "a" * (MAX_STOP + 1)}, "`stop` must have at most 32 tokens. Received: 33"),
    ],
)
def test_mistakes_get_one_line(writer, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        writer.sample(**arguments)
    assert "\n" not in str(error.value)


def test_a_stream_is_of_one_row(writer):
    with pytest.raises(UserError, match=r"a stream is one text.* 2 rows"):
        writer.stream(seed=[1, 2])


def test_the_vocabulary_must_fit_the_model(writer):
    with pytest.raises(UserError, match=r"predicts 11 tokens but the vocabulary has 3: take the vocabulary.json"):
        TextWriter(writer.model, Vocabulary("abc"))


def test_words_that_cannot_stop():
    with pytest.raises(UserError, match="'dog'"):
        words().sample(stop="dog")
    with pytest.raises(UserError, match="any token of it"):
        words().sample(stop=" ")


def test_compiled_it_writes_the_same(stranger, writer):
    fast = TextWriter(writer.model, writer.vocabulary, jit_compile=True)
    options = {"primers": ["strange", "a"], "seed": [1, 2], "top_k": [0, 5], "length": [9, 20]}
    assert fast.sample(**options) == writer.sample(**options)
    assert "".join(fast.stream("no", length=40)) == "".join(writer.stream("no", length=40))


def test_a_writer_follows_the_training_of_its_model():
    writer = TextWriter(chain("stranoge"), Vocabulary(ALPHABET))
    before = writer.sample(length=6)
    for old, new in zip(writer.model.weights, chain("bad").weights, strict=True):
        old.assign(new)
    assert (before, writer.sample(length=6)) == (["strano"], ["badbad"])


@pytest.mark.parametrize("chunk", [0, -1])
def test_a_stream_in_pieces_of_nothing_would_never_end(writer, chunk):
    with pytest.raises(ValueError, match="`chunk` must be a positive integer"):
        writer.stream(chunk=chunk)
