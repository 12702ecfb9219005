"""The signatures of a language model as a client meets them: rows by themselves, errors by row, texts in chunks."""

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_score import TextScorer
from keras_seqgen.decoding.text_writer import TextWriter
from keras_seqgen.errors import UserError
from keras_seqgen.models.language import with_batch_size
from keras_seqgen.serving.load_text import SavedText
from keras_seqgen.serving.text_model import export_text
from tests.decoding.toy_text import ALPHABET, chain, lively

CARD = "# Toy\n\nRandom weights, trained on nothing, free of terms.\n"
WORDS = Vocabulary(["<eos>", "<unk>", "N", "cat", "on", "sat", "the"], kind="word")


@pytest.fixture(scope="module")
def network():
    return lively(seed=11)


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    carried = with_batch_size(network, 3)
    return SavedText(export_text(carried, Vocabulary(ALPHABET), tmp_path_factory.mktemp("models") / "toy", CARD))


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    return SavedText(export_text(lively(V=7, cell="gru"), WORDS, tmp_path_factory.mktemp("models") / "words", CARD))


def inputs(rows, **changes):
    defaults = {
        "prime": [""] * rows,
        "temperature": [1.0] * rows,
        "top_k": [0] * rows,
        "top_p": [1.0] * rows,
        "seed": [[3, n] for n in range(rows)],
        "max_tokens": [25] * rows,
        "stop": [""] * rows,
    }
    return {**defaults, **changes}


def ask(saved, signature, **values):
    results = saved.signatures[signature](**{name: tf.constant(value) for name, value in values.items()})
    return {name: value.numpy() for name, value in results.items()}


def test_a_row_does_not_depend_on_its_batch(saved):
    rows = inputs(
        6,
        prime=["strange", "", "no\n", "a", "go", "bad"],
        temperature=[1.0, 0.5, 2.0, 0.9, 1.0, 1.3],
        top_k=[0, 5, 0, 3, 0, 0],
        top_p=[1.0, 1.0, 0.5, 0.8, 1.0, 0.9],
        max_tokens=[40, 17, 60, 33, 0, 9],
        stop=["\n", "", "a", "st", "", "n"],
    )
    together = ask(saved, "generate", **rows)
    assert len(set(together["text"])) >= 5
    assert together["length"].tolist() == [len(text) for text in together["text"]]
    assert together["length"][4] == 0
    for n in range(6):
        alone = ask(saved, "generate", **{name: value[n : n + 1] for name, value in rows.items()})
        assert alone["text"][0] == together["text"][n]
        assert alone["length"][0] == together["length"][n]


def test_it_writes_what_the_keras_model_writes(saved, network):
    writer = TextWriter(network, saved.vocabulary)
    options = {
        "primers": ["strange", "", "go\n"],
        "temperature": [0.7, 1.0, 1.5],
        "top_k": [0, 4, 0],
        "top_p": [1.0, 1.0, 0.7],
        "seed": [1, -2, 2**35],
        "length": 40,
        "stop": ["", "\n", "ab"],
    }
    assert saved.sample(**options) == writer.sample(**options)
    assert saved.sample("Str", replace="s", length=9) == writer.sample("Str", replace="s", length=9)
    assert "".join(saved.stream("no", chunk=7, length=50)) == writer.sample("no", length=50)[0]
    by_signature = ask(saved, "generate", **inputs(1, prime=["go"], max_tokens=[30]))["text"][0].decode()
    assert by_signature == writer.sample("go", seed=np.array([[3, 0]]), length=30)[0]


def test_it_scores_as_the_keras_model_scores(saved, network):
    sentences = ["strange", "", "no dogs".replace(" ", ""), "rest"]
    ours = TextScorer(network, saved.vocabulary).score(sentences)
    for a, b in zip(saved.score(sentences), ours, strict=True):
        assert a.log_prob == pytest.approx(b.log_prob, rel=1e-6)
        assert a.tokens == b.tokens
    got = ask(saved, "score", text=sentences)
    assert got["length"].tolist() == [8, 1, 7, 5]


def test_words(words):
    network = lively(V=7, cell="gru")
    writer, scorer = TextWriter(network, WORDS), TextScorer(network, WORDS)
    options = {"primers": ["the cat", "", "dogs sat\n"], "seed": [1, 2, 3], "length": 20}
    texts = words.sample(**options)
    assert texts == writer.sample(**options)
    assert any("\n" in text for text in texts)
    assert "".join(words.stream("the cat", chunk=3, seed=1, length=20)) == texts[0]
    assert words.score(["the cat sat", "dogs"])[1].log_prob == pytest.approx(scorer.score(["x"])[0].log_prob, rel=1e-6)
    got = ask(words, "generate", **inputs(3, stop=["cat", "dog", " "], max_tokens=[99, 9, 9]))
    assert got["text"][0].split()[-1] == b"cat"
    assert got["error"].tolist() == [b"", *[b"`stop` has tokens that the vocabulary does not have"] * 2]


def test_a_text_ends_with_its_own_stop_string(tmp_path):
    stranger = SavedText(export_text(chain("stranoge"), Vocabulary(ALPHABET), tmp_path, CARD))
    got = ask(stranger, "generate", **inputs(4, prime=["", "st", "st", "go"], stop=["no", "ges", "", "r"]))
    assert got["text"].tolist() == [b"strano", b"ranoges", b"ranogestranogestranogestr"[:25], b"gestr"]
    assert "".join(stranger.stream("st", chunk=2, stop="ges", length=50)) == "ranoges"


def test_bytes(tmp_path):
    vocabulary = Vocabulary(sorted(map(chr, b"\na\xc3\xa9\xff")), kind="byte")
    saved = SavedText(export_text(lively(V=5), vocabulary, tmp_path, CARD))
    rows = inputs(2, prime=[b"\xff\xffa", "é"], max_tokens=[200, 200])
    got = ask(saved, "generate", **rows)
    assert got["error"].tolist() == [b"", b""]
    assert got["length"].tolist() == [len(text) for text in got["text"]] == [200, 200]
    assert set(b"".join(got["text"])) == set(b"\na\xc3\xa9\xff")
    writer = TextWriter(lively(V=5), vocabulary)
    assert saved.sample("é", seed=4, length=60) == writer.sample("é", seed=4, length=60)


def test_bad_rows_say_why_and_spare_the_others(saved):
    bad = {
        "prime": ("aXbY", "The vocabulary does not have the characters XY"),
        "temperature": (0.0, "`temperature` must be a positive number"),
        "top_k": (-1, "`top_k` must be a whole number"),
        "top_p": (0.0, "`top_p` must lie above 0"),
        "max_tokens": (100_001, "`max_tokens` must lie in 0..100000"),
        "stop": ("END", "`stop` has tokens that the vocabulary does not have"),
    }
    rows = inputs(len(bad) + 4)
    for n, (name, (value, _)) in enumerate(bad.items(), start=1):
        rows[name][n] = value
    rows["stop"][7], rows["temperature"][8], rows["top_p"][9] = "a" * 33, float("nan"), float("nan")
    messages = [message for _, message in bad.values()]
    messages += ["`stop` must have at most 32 tokens", bad["temperature"][1], bad["top_p"][1]]
    state = np.ones(saved.beginning(10).shape, np.float32)
    state[:, 2] = 0  # not finished
    for signature, more in (("generate", {}), ("step", {"state": state})):
        got = ask(saved, signature, **rows, **more)
        assert not got["error"][0]
        assert got["length"].tolist() == [25] + [0] * 9
        assert got["text"][1:].tolist() == [b""] * 9
        for error, message in zip(got["error"][1:], messages, strict=True):
            assert error.decode().startswith(message)
    np.testing.assert_array_equal(got["state"][1:], state[1:])
    assert np.isnan(got["log_prob"]).tolist() == [False] + [True] * 9


def test_a_batch_of_bad_rows_is_empty(saved):
    got = ask(saved, "generate", **inputs(2, temperature=[0.0, -1.0]))
    assert got["text"].tolist() == [b"", b""]


def test_score_of_bad_rows_is_nan(saved):
    good = ask(saved, "score", text=["rest"])
    got = ask(saved, "score", text=["rest", "aX", "", b"\xff"])
    assert [bool(error) for error in got["error"]] == [False, True, False, True]
    assert np.isnan(got["log_prob"]).tolist() == [False, True, False, True]
    assert got["log_prob"][0] == pytest.approx(good["log_prob"][0], rel=1e-6)
    assert got["length"].tolist() == [5, 0, 1, 0]
    with pytest.raises(UserError, match=r"sentence 2: .*'X'"):
        saved.score(["a", "X"])


def test_chunks_make_up_the_text(saved):
    rows = inputs(3, prime=["strange", "", "no"], stop=["", "a", "\n"], temperature=[0.8, 1.0, 1.2], top_k=[0, 4, 0])
    whole = ask(saved, "generate", **{**rows, "max_tokens": [60, 60, 60]})
    state, parts = saved.beginning(3).numpy(), [b""] * 3
    for turn in range(60):
        prime = rows["prime"] if turn == 0 else [""] * 3
        room = [min(wanted, 60 - len(part)) for wanted, part in zip([5, 7, turn % 3], parts, strict=True)]
        got = ask(saved, "step", **{**rows, "prime": prime, "max_tokens": room}, state=state)
        state, parts = got["state"], [a + b for a, b in zip(parts, got["text"], strict=True)]
    assert parts == whole["text"].tolist()
    assert got["finished"].tolist() == [False, parts[1].endswith(b"a"), parts[2].endswith(b"\n")]


def test_step_reads_scores_and_goes_on(saved, network):
    """A text read in two parts: its log probability is the sum, and what is written next is as if it were one."""
    wishes = inputs(2, max_tokens=[0, 0])
    one = ask(saved, "step", **{**wishes, "prime": ["stran", "no"]}, state=saved.beginning(2).numpy())
    two = ask(saved, "step", **{**wishes, "prime": ["ge", ""], "max_tokens": [20, 20]}, state=one["state"])
    ids = saved.vocabulary.encode("strange")
    logits = network({"tokens": np.array([[0, *ids[:-1]]])})[0].numpy().astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = logs[np.arange(7), ids - 1]
    assert one["log_prob"][0] == pytest.approx(expected[:5].sum(), rel=1e-5)
    assert two["log_prob"].tolist() == [pytest.approx(expected[5:].sum(), rel=1e-5), 0]
    assert two["text"][0] == ask(saved, "generate", **inputs(2, prime=["strange", ""], max_tokens=[20, 1]))["text"][0]
    assert one["state"][:, 0].tolist() == [ids[4], saved.vocabulary.ids["o"]]


def test_mistakes_come_as_user_errors(saved):
    with pytest.raises(UserError, match=r"`primers\[0\]`: .*'X'"):
        saved.sample("X")
    with pytest.raises(UserError, match="must be a positive number"):
        saved.stream(temperature=0)


@pytest.mark.parametrize("kind", ["saved", "words"])
def test_what_is_no_state_fails_its_row_alone(kind, request):
    model = request.getfixturevalue(kind)
    wrong = [1e9, -1.0, len(model.vocabulary) + 1.0, np.nan, np.inf]
    state = np.zeros((len(wrong) + 1, model.beginning(1).shape[1]), np.float32)
    state[1:, 0] = wrong
    state[-1, [0, -1]] = 0, np.inf  # in a cell
    rows = inputs(len(state), max_tokens=[9] * len(state))
    got = ask(model, "step", **rows, state=state)
    assert got["text"][0] == ask(model, "generate", **inputs(1, max_tokens=[9]))["text"][0]
    assert got["error"].tolist() == [b"", *[b"`state` must be what `step` returned, or zeros"] * len(wrong)]
    assert got["length"].tolist() == [9] + [0] * len(wrong)
    assert np.isfinite(got["state"]).all()
