"""The loop against the network on whole sequences, the softmax, and tables of bigrams that spell words."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.decoding import sampling
from keras_seqgen.decoding.next_token import token_noise
from keras_seqgen.decoding.sampling import Wishes, start
from keras_seqgen.decoding.text_sampler import MAX_STOP
from keras_seqgen.models.language import CELLS, with_batch_size
from tests.decoding.toy_text import ALPHABET, bigram_model, chain, lively, retold


@functools.cache
def traced(model, **options):
    return tf.function(functools.partial(sampling.write, model, **options), autograph=False, reduce_retracing=True)


def wishes_for(rows, temperature=1.0, top_k=0, top_p=1.0, limit=40, stop=(), first_seed=0):
    return Wishes(
        temperature=tf.fill([rows], float(temperature)),
        top_k=tf.fill([rows], top_k),
        top_p=tf.fill([rows], float(top_p)),
        seed=tf.stack([tf.range(rows) + first_seed, tf.fill([rows], 5)], -1),
        limit=tf.fill([rows], limit),
        stop=tf.constant([[0] * (MAX_STOP - len(stop)) + list(stop)] * rows),
    )


def ids(*texts):
    length = max(map(len, texts))
    return tf.constant([[ALPHABET.index(x) + 1 for x in text] + [0] * (length - len(text)) for text in texts])


def texts(tokens, length):
    return ["".join(ALPHABET[t - 1] for t in row[:end]) for row, end in zip(tokens.numpy(), length, strict=True)]


@pytest.fixture(scope="module")
def stranger():
    """Says "stranoge" for ever: a failure reads as another word."""
    return chain("stranoge")


def test_a_table_of_bigrams_spells_its_word(stranger):
    tokens, length, _, _ = traced(stranger)(wishes_for(3, limit=10))
    assert texts(tokens, length) == ["stranogest"] * 3


def test_a_primer_is_gone_on_from_row_by_row(stranger):
    primer = ids("s", "noge", "stra", "")
    run = traced(stranger)(wishes_for(4, limit=4), primer=primer, primer_length=tf.constant([1, 4, 4, 0]))
    assert texts(*run[:2]) == ["tran", "stra", "noge", "stra"]


def test_each_row_stops_at_its_own_string_and_limit(stranger):
    wishes = wishes_for(5)
    stop = np.zeros((5, MAX_STOP), np.int32)
    for row, text in enumerate(["no", "es", "", "str", "gest"]):
        stop[row, MAX_STOP - len(text) :] = ids(text)[0] if text else ()
    wishes = wishes._replace(stop=tf.constant(stop), limit=tf.constant([40, 40, 12, 2, 40]))
    tokens, length, _, _ = traced(stranger)(wishes)
    assert texts(tokens, length) == ["strano", "stranoges", "stranogestra", "st", "stranogest"]
    assert tokens.shape == (5, 40)
    assert not tokens[:, 12:].numpy().any()


def test_a_stop_string_is_looked_for_in_what_was_drawn(stranger):
    """The primer ends in "st": its own letters are no part of a stop string."""
    wishes = wishes_for(1, stop=ids("str")[0].numpy(), limit=20)
    run = traced(stranger)(wishes, primer=ids("st"), primer_length=tf.constant([2]))
    assert texts(*run[:2]) == ["ranogestr"]


def test_samples_follow_the_softmax():
    """20,000 pairs of letters against the table: chi-square, at temperature 1 and at another, and with top-k."""
    rng = np.random.default_rng(3)
    V = len(ALPHABET)
    table = rng.normal(0, 1.2, (V, V))
    model = bigram_model(table, np.zeros(V))
    rows = 500
    for temperature, top_k in ((1.0, 0), (0.6, 0), (1.4, 4)):
        tokens = traced(model)(wishes_for(rows, temperature, top_k, limit=41, first_seed=17))[0].numpy()
        for letter in range(V):
            following = tokens[:, 1:][tokens[:, :-1] == letter + 1] - 1
            p = retold(table[letter], temperature, top_k, 1.0)
            seen = np.bincount(following, minlength=V)
            assert not seen[p == 0].any()
            assert stats.chisquare(seen[p > 0], p[p > 0] * len(following)).pvalue > 1e-4, (temperature, letter)


NETWORKS = {
    **{cell: {"cell": cell} for cell in CELLS},
    "embedded": {"cell": "lstm", "embedding": 9},
    "tied": {"cell": "lstm", "embedding": 12, "tied": True, "dropout_hidden": 0.3, "dropout_tokens": 0.2},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_token_is_drawn_from_what_the_trained_model_says(name):
    model = lively(**NETWORKS[name])
    rows, T = 6, 30
    primer = ids("stranger", "no", "", "a", "gnostra", "beg")
    lengths = [8, 2, 0, 1, 7, 3]
    wishes = wishes_for(rows, temperature=0.8, limit=T)
    tokens, length, log_prob, _ = traced(model, score=True)(wishes, primer=primer, primer_length=tf.constant(lengths))
    assert length.numpy().tolist() == [T] * rows
    assert len(np.unique(tokens)) > 5
    uniform = token_noise(wishes.seed, tf.zeros(rows, tf.int32), T).numpy()
    for row, P in enumerate(lengths):
        whole = np.concatenate([primer[row, :P], tokens[row]])
        logits = model({"tokens": np.concatenate([[0], whole[:-1]])[None]})[0].numpy()
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        np.testing.assert_allclose(log_prob[row], sum(logs[t, whole[t] - 1] for t in range(P)), rtol=1e-4, atol=1e-5)
        for t in range(T):
            total = np.cumsum(retold(logits[P + t], 0.8, 0, 1))
            if np.abs(total - uniform[row, t]).min() > 1e-4:  # else rounding may choose
                assert tokens[row, t] == 1 + np.searchsorted(total, uniform[row, t])


def test_near_zero_writes_what_arg_max_decoding_writes():
    model = lively(seed=4)
    tokens = traced(model)(wishes_for(2, temperature=1e-4, limit=25))[0].numpy()
    whole = [0]
    for _ in range(25):
        whole.append(1 + int(model({"tokens": np.array([whole])})[0, -1].numpy().argmax()))
    assert tokens.tolist() == [whole[1:]] * 2


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 16, 31, 64])
def test_a_row_is_the_same_alone_in_a_batch_and_under_padding(rows):
    model = lively(seed=5, units=400)
    rng = np.random.default_rng(6)
    lengths = rng.integers(0, 9, 64)
    primer = np.where(np.arange(8) < lengths[:, None], rng.integers(1, len(ALPHABET) + 1, (64, 8)), 0).astype("int32")
    wishes = wishes_for(64)._replace(
        temperature=tf.constant(rng.uniform(0.5, 2, 64), tf.float32),
        top_k=tf.constant(rng.choice([0, 3, 8], 64), tf.int32),
        top_p=tf.constant(rng.choice([1.0, 0.5, 0.9], 64), tf.float32),
        limit=tf.constant(rng.integers(20, 60, 64), tf.int32),
    )
    run, lengths = opened(model), lengths.astype("int32")
    whole = run(wishes, start(model, 64), primer, lengths)
    for first in range(0, 64 - rows + 1, 21):
        part = slice(first, first + rows)
        padded = np.pad(primer[part], ((0, 0), (0, first)))
        some = Wishes(*(x[part] for x in wishes))
        assert_same_rows(run(some, start(model, rows), padded, lengths[part]), whole, part)


@functools.cache
def opened(model):
    """`write` with the batch size left open, as `TextWriter` and the signatures trace it.

    Where it is known TensorFlow may rewrite a sum of three into another order for one batch size than for another.
    """
    like = wishes_for(1), start(model, 1)
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), like)
    inputs = [*specs, tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)]
    write = functools.partial(sampling.write, model, score=True, freeze=True)
    return tf.function(write, input_signature=inputs, autograph=False)


def assert_same_rows(alone, whole, part):
    """Tokens, lengths and the network's states agree to the last bit, the log probabilities to rounding."""
    np.testing.assert_array_equal(alone[1], whole[1][part])
    np.testing.assert_array_equal(alone[0], whole[0][part, : alone[0].shape[1]])
    np.testing.assert_allclose(alone[2], whole[2][part], rtol=1e-6)
    for a, b in zip(alone[3].cells, whole[3].cells, strict=True):
        np.testing.assert_array_equal(a, b[part])


def test_chunks_make_up_the_text():
    model = lively(seed=7)
    wishes = wishes_for(4, limit=50, stop=ids("a")[0].numpy())
    primer, lengths = ids("no", "strange", "", "ba"), tf.constant([2, 7, 0, 2])
    tokens, length, _, _ = traced(model)(wishes, primer=primer, primer_length=lengths)
    assert len(set(length.numpy())) > 2
    place, parts = start(model, 4), [[] for _ in range(4)]
    for turn in range(60):
        limit = tf.constant([1, 7, turn % 3, 4])
        given = lengths if turn == 0 else lengths * 0
        drawn, count, _, place = traced(model, freeze=True)(
            wishes._replace(limit=limit), place=place, primer=primer, primer_length=given
        )
        for row in range(4):
            parts[row] += drawn[row, : count[row]].numpy().tolist()
    for row, end in enumerate(length.numpy()):
        assert parts[row][:50] == tokens[row, :end].numpy().tolist()
        assert bool(place.finished[row]) == (ALPHABET.index("a") + 1 in parts[row])


def test_a_text_that_has_stopped_goes_on_when_it_reads_more(stranger):
    wishes = wishes_for(1, stop=ids("no")[0].numpy(), limit=30)
    none = {"primer": ids("s")[:, :0], "primer_length": tf.constant([0])}
    run = traced(stranger)
    first = run(wishes, place=start(stranger, 1), **none)
    again = run(wishes, place=first[3], **none)
    more = run(wishes, place=again[3], primer=ids("ge"), primer_length=tf.constant([2]))
    assert [texts(*part[:2])[0] for part in (first, again, more)] == ["strano", "", "strano"]


def test_what_is_read_comes_between_the_letters_of_a_stop_string(stranger):
    wishes = wishes_for(1, stop=ids("og")[0].numpy(), limit=6)
    run = traced(stranger)
    first = run(wishes, place=start(stranger, 1), primer=ids("s")[:, :0], primer_length=tf.constant([0]))
    more = run(
        wishes._replace(limit=tf.constant([20])), place=first[3], primer=ids("no"), primer_length=tf.constant([2])
    )
    assert [texts(*part[:2])[0] for part in (first, more)] == ["strano", "gestranog"]


def test_carried_state_is_neither_read_nor_changed():
    model = lively(seed=8)
    carried = with_batch_size(model, 2)
    carried({"tokens": ids("no", "be"), "fresh": tf.constant([True, True])})
    kept = [v.numpy() for v in carried.non_trainable_variables]
    assert any(v.any() for v in kept)
    a, b = (traced(m)(wishes_for(3, limit=20))[0].numpy() for m in (model, carried))
    np.testing.assert_array_equal(a, b)
    for old, new in zip(kept, carried.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_loop_reads_new_weights(stranger):
    model = chain("stranoge")
    before = texts(*traced(model)(wishes_for(1, limit=6))[:2])
    for old, new in zip(model.weights, chain("bad").weights, strict=True):
        old.assign(new)
    assert (before, texts(*traced(model)(wishes_for(1, limit=6))[:2])) == (["strano"], ["badbad"])


@pytest.mark.slow
@pytest.mark.parametrize("V", [50, 10_000])
def test_a_row_of_the_full_network_is_the_same_alone_and_in_a_batch(V):
    """Holds where TensorFlow multiplies with oneDNN or in a single thread: see `decoding.sampling`."""
    model = lively(V=V, units=1000, depth=1)
    wishes = wishes_for(64, limit=30)._replace(
        top_k=tf.constant([0, 40] * 32), top_p=tf.constant([1.0, 1.0, 0.9, 1] * 16)
    )
    run, none, zero = opened(model), np.zeros((64, 1), np.int32), np.zeros(64, np.int32)
    whole = run(wishes, start(model, 64), none, zero)
    for rows in (1, 2, 7, 32):
        part = slice(5, 5 + rows)
        some = Wishes(*(x[part] for x in wishes))
        assert_same_rows(run(some, start(model, rows), none[part], zero[part]), whole, part)
