import math
import random
from fractions import Fraction

import numpy as np
import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.ngram import BOS, EOS, UNKNOWN, estimate
from keras_seqgen.ngram.counts import count_ngrams, encode
from keras_seqgen.ngram.kneser_ney import adjust_counts, discount
from tests.reference.kneser_ney import ReferenceModel, adjusted_counts


def corpus(seed, words="abcdef", sentences=60, longest=9):
    rng = random.Random(seed)
    weights = [1 / (rank + 1) ** 1.2 for rank in range(len(words))]
    return [rng.choices(words, weights, k=rng.randint(0, longest)) for _ in range(sentences)]


def contexts(model, sentences, seed=0):
    """Seen and unseen contexts, at the beginning of a sentence and elsewhere, up to the model's order."""
    rng = random.Random(seed)
    seen = [(BOS, *sentence)[: rng.randint(0, 8)] for sentence in sentences[:8]]
    other = [tuple(rng.choices(model.tokens[2:], k=rng.randint(0, model.order))) for _ in range(8)]
    return [(), (BOS,), (UNKNOWN,), *seen, *other]


def log10_probs(model, context):
    """log10 P(. | context) for every token, through `advance`."""
    state = model.start(bos=False)
    for token in context:
        _, state = model.advance(state, token)
    return {token: model.advance(state, token)[0] for token in model.tokens if token != BOS}


def test_two_sentences_by_hand():
    """Sentences "a b" and "b": all bigrams occur once but none has n_2, so D = 1/2, 1, 3/2 for both orders.

    Bigrams: <s> a, <s> b, a b, b </s> (twice). Predecessors: a has 1, b has 2, </s> has 1: total 4.
    p(a) = (1 - .5)/4 + g/4, p(b) = (2 - 1)/4 + g/4, with g = (.5 + 1 + .5)/4 = 1/2 and V = 4 (a, b, </s>, <unk>).
    p(b | <s>) = (1 - .5)/2 + (.5 + .5)/2 p(b); p(</s> | b) = (2 - 1)/2 + 1/2 p(</s>).
    """
    model = estimate([["a", "b"], ["b"]], order=2)
    assert [each.fallback for each in model.discounts] == [True, True]
    p_a, p_b, p_end, p_unk = 0.25, 0.375, 0.25, 0.125
    unigrams = {token: 10**value for token, value in log10_probs(model, ()).items()}
    assert unigrams == pytest.approx({"a": p_a, "b": p_b, EOS: p_end, UNKNOWN: p_unk}, rel=1e-6)
    after_start = 10 ** log10_probs(model, (BOS,))["b"]
    assert after_start == pytest.approx(0.25 + 0.5 * p_b, rel=1e-6)
    assert 10 ** log10_probs(model, ("b",))[EOS] == pytest.approx(0.5 + 0.5 * p_end, rel=1e-6)
    assert 10 ** log10_probs(model, ("b",))["a"] == pytest.approx(0.5 * p_a, rel=1e-6)
    assert 10 ** model.score(["b"]).sum() == pytest.approx((0.25 + 0.5 * p_b) * (0.5 + 0.5 * p_end), rel=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("prune", [(0,), (0, 1), (0, 0, 1, 2)])
@pytest.mark.parametrize("vocabulary", [None, "abxyz"])
def test_equals_the_recursion_in_fractions(order, prune, vocabulary):
    prune = prune[:order]
    for seed in range(3):
        sentences = corpus(seed, sentences=[4, 40, 80][seed])
        model = estimate(sentences, order, vocabulary=vocabulary, prune=prune)
        reference = ReferenceModel(sentences, order, vocabulary, prune)
        assert set(model.tokens) == {*reference.vocabulary, BOS}
        for context in contexts(model, sentences, seed):
            exact = {token: reference.prob(token, context) for token in reference.vocabulary}
            assert sum(exact.values()) == 1
            found = {token: 10**value for token, value in log10_probs(model, context).items()}
            assert found == pytest.approx({token: float(prob) for token, prob in exact.items()}, rel=3e-6)


def test_the_corpora_above_have_discounts_of_their_own():
    """Otherwise equation 26 would go untested."""
    model = estimate(corpus(2, sentences=80), order=5)
    assert not any(each.fallback for each in model.discounts[2:])


@pytest.mark.parametrize("seed", range(12))
def test_every_context_has_probabilities_that_sum_to_one(seed):
    rng = random.Random(seed)
    order = rng.randint(1, 6)
    sentences = corpus(seed, words="abcdefghij"[: rng.randint(1, 10)], sentences=rng.choice([1, 3, 30, 200]))
    prune = sorted(rng.choices(range(3), k=order))
    model = estimate(sentences, order, prune=(0, *prune[1:]), vocabulary=rng.choice([None, "abcxyz"]))
    for context in contexts(model, sentences, seed):
        assert sum(10**value for value in log10_probs(model, context).values()) == pytest.approx(1, abs=2e-6)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_adjusted_counts_equal_those_of_dictionaries(order):
    for seed in range(5):
        sentences = corpus(seed)
        tokens, ids = encode(sentences)
        levels = count_ngrams(ids, len(tokens), order)
        expected, plain = adjusted_counts(sentences, order)
        names = [()]
        for level, counts, wanted, wanted_plain in zip(levels, adjust_counts(levels), expected, plain, strict=True):
            lower = names
            names = [(*names[prefix], tokens[word]) for prefix, word in zip(level.prefix, level.word, strict=True)]
            assert names == sorted(names, key=lambda name: [tokens.index(token) for token in name])
            assert all(lower[suffix] == name[1:] for name, suffix in zip(names, level.suffix, strict=True))
            found = {name: (int(a), int(c)) for name, a, c in zip(names, counts, level.count, strict=True) if a}
            assert found == {name: (count, wanted_plain[name]) for name, count in wanted.items()}


def test_discounts_by_hand():
    """n = 8, 4, 2, 1: Y = 8/16; D = 1 - 2 Y 4/8, 2 - 3 Y 2/4, 3 - 4 Y 1/2."""
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 5])
    assert discount(counts, 1).amounts == pytest.approx((0.5, 1.25, 2.0))
    assert not discount(counts, 1).fallback


@pytest.mark.parametrize("numbers", [(3, 0, 2, 1), (0, 3, 2, 1), (5, 3, 0, 1), (4, 1, 9, 1), (6, 3, 4, 0)])
def test_discounts_fall_back_where_the_counts_do_not_tell(numbers):
    """A number of n-grams is 0, or D_2 is not positive (the last one: exactly 0)."""
    counts = np.repeat([1, 2, 3, 4], numbers)
    assert discount(counts, 3).amounts == (0.5, 1.0, 1.5)
    assert discount(counts, 3).fallback
    with pytest.raises(UserError, match="3-grams"):
        discount(counts, 3, fallback=None)


def test_a_literal_unk_is_counted_like_other_tokens():
    sentences = corpus(1)
    renamed = [["<unk>" if word == "a" else word for word in sentence] for sentence in sentences]
    model, other = estimate(renamed, 3), estimate(sentences, 3, vocabulary="bcdef")
    for context in contexts(other, sentences):
        renamed_context = tuple("<unk>" if word == "a" else word for word in context)
        assert log10_probs(model, renamed_context) == pytest.approx(log10_probs(other, context), abs=1e-6)


def test_pruning_drops_what_is_rare_and_nothing_else():
    sentences = corpus(3, sentences=100)
    _, plain = adjusted_counts(sentences, 4)
    model = estimate(sentences, 4, prune=(0, 0, 1))
    kept = [
        sum(count > least for count in counter.values()) for counter, least in zip(plain, (0, 0, 1, 1), strict=True)
    ]
    assert list(model.counts[1:]) == kept[1:]
    assert model.counts[0] == kept[0] + 2  # <unk>, <s>


def test_a_vocabulary_gives_unseen_tokens_a_share():
    model = estimate(corpus(4), 3, vocabulary="abcdefz")
    probs = log10_probs(model, ())
    assert probs["z"] == probs["<unk>"] > -math.inf
    assert "z" in model


def test_no_sentence_and_empty_sentences():
    with pytest.raises(UserError, match="no sentence"):
        estimate([], 2)
    model = estimate([[], []], 3)
    assert 10 ** model.score([]).sum() == pytest.approx(float(ReferenceModel([[], []], 3).prob("</s>", ("<s>",))))
    assert ReferenceModel([[], []], 3).prob("</s>", ("<s>",)) == Fraction(7, 8)


@pytest.mark.parametrize(
    ("sentences", "word"), [([["a", "<s>"]], "<s>"), ([["a"], ["</s>", "b"]], "</s>"), ([["a", ""]], "empty")]
)
def test_tokens_that_cannot_be_counted(sentences, word):
    with pytest.raises(UserError, match=word):
        estimate(sentences, 2)


@pytest.mark.parametrize("arguments", [{"order": 0}, {"order": 3, "prune": (1,)}, {"order": 3, "prune": (0, 2, 1)}])
def test_arguments_that_cannot_be(arguments):
    with pytest.raises(ValueError, match="Received"):
        estimate([["a"]], **arguments)


def test_one_string_is_no_list_of_sentences():
    with pytest.raises(ValueError, match="sentences"):
        estimate("a b c", 2)


def test_penn_treebank_5_grams(data):
    """Literature: 141.2 (KN5, Mikolov 2011); lmplz of kenlm 0.3.0, with <unk> renamed, gives 141.186."""
    import lzma

    with lzma.open(data / "ptb" / "ptb.train.txt.xz", "rt", encoding="utf-8") as file:
        model = estimate(map(str.split, file), order=5)
    numbers = model.perplexity(map(str.split, (data / "ptb" / "ptb.test.txt").open(encoding="utf-8")))
    assert numbers["tokens"] == 82_430
    assert numbers["oov"] == 0
    assert numbers["perplexity"] == pytest.approx(141.186, abs=0.01)
