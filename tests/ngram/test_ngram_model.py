import math
import random

import numpy as np
import pytest

from keras_seqgen.ngram import BOS, EOS, NGramModel, estimate, read_arpa, write_arpa
from keras_seqgen.ngram.model import Level
from tests.reference.backoff import ReferenceBackoff


def sentences(seed, words="abcdefgh", count=120, longest=10):
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [rng.choices(words, weights, k=rng.randint(0, longest)) for _ in range(count)]


def random_arpa(path, seed, order=4):
    """A model that no estimator makes: random n-grams whose suffixes are missing more often than not."""
    rng = random.Random(seed)
    words = ["<unk>", "<s>", "</s>", *"abcde"]
    levels = [[(word,) for word in words]]
    for _ in range(order - 1):
        contexts = [gram for gram in levels[-1] if gram[-1] != "</s>"]
        grams = {(*rng.choice(contexts), rng.choice([*"abcde", "</s>", "<unk>"])) for _ in range(25)}
        levels.append(sorted(grams, key=lambda gram: rng.random()))
    lines = ["\\data\\", *(f"ngram {n}={len(level)}" for n, level in enumerate(levels, start=1))]
    for number, level in enumerate(levels, start=1):
        lines += ["", f"\\{number}-grams:"]
        for gram in level:
            backoff = f"\t{rng.uniform(-1, 0.5):.4f}" if number < order and rng.random() < 0.7 else ""
            lines.append(f"{rng.uniform(-4, 0):.4f}\t{' '.join(gram)}{backoff}")
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", range(10))
def test_backing_off_equals_the_definition(tmp_path, seed):
    """Also where suffixes of n-grams are missing, where suffix links have to skip orders."""
    model = read_arpa(random_arpa(tmp_path / "a.arpa", seed))
    reference = ReferenceBackoff(tmp_path / "a.arpa")
    for tokens in sentences(seed, words="abcdez"):
        for bos in (True, False):
            for eos in (True, False):
                expected = reference.sentence(tokens, bos, eos)
                scores = model.full_scores(tokens, bos, eos)
                assert [length for _, length, _ in scores] == [length for _, length in expected]
                np.testing.assert_allclose([score for score, *_ in scores], [score for score, _ in expected], atol=2e-6)
                np.testing.assert_array_equal(model.score(tokens, bos, eos), [score for score, *_ in scores])


def test_estimated_models_back_off_to_the_same_numbers(tmp_path):
    model = estimate(sentences(1), 5)
    write_arpa(model, tmp_path / "a.arpa")
    reference = ReferenceBackoff(tmp_path / "a.arpa")
    for tokens in sentences(2, words="abcdefghz"):
        np.testing.assert_allclose(model.score(tokens), [score for score, _ in reference.sentence(tokens)], atol=2e-6)


@pytest.mark.parametrize("make", ["estimated", "random"])
def test_all_tokens_at_once_equal_one_by_one(tmp_path, make):
    model = estimate(sentences(3), 4) if make == "estimated" else read_arpa(random_arpa(tmp_path / "a.arpa", 3))
    states = {model.start(), model.start(bos=False)}
    for tokens in sentences(4):
        state = model.start()
        for token in tokens:
            _, state = model.advance(state, token)
            states.add(state)
    assert len(states) > 30
    for state in states:
        log_probs, after = model.advance_all(state)
        assert log_probs[model.ids[BOS]] == -math.inf
        for token, log_prob, next_state in zip(model.tokens, log_probs, after, strict=True):
            if token != BOS:
                assert (pytest.approx(log_prob, abs=1e-6), next_state) == model.advance(state, token)


@pytest.mark.parametrize("seed", range(4))
def test_a_state_forgets_what_cannot_matter_and_nothing_else(tmp_path, seed):
    """Readings in the same state have the same future; readings of the same last order - 1 tokens, the same state."""
    model = read_arpa(random_arpa(tmp_path / "a.arpa", seed))
    reference = ReferenceBackoff(tmp_path / "a.arpa")
    rng = random.Random(seed)
    by_state = {}
    for tokens in sentences(seed, words="abcde", count=300):
        state = model.start(bos=False)
        for token in tokens:
            _, state = model.advance(state, token)
        by_state.setdefault(state, []).append(tokens)
    assert max(map(len, by_state.values())) > 5
    futures = [rng.choices("abcde", k=4) for _ in range(10)]
    for readings in by_state.values():
        for future in futures:
            scores = {
                tuple(round(score, 6) for score, _ in reference.sentence([*reading, *future], False)[len(reading) :])
                for reading in readings
            }
            assert len(scores) == 1
    state = model.start()
    for token in "abcde" * 3:
        _, state = model.advance(state, token)
    other = model.start(bos=False)
    for token in "cde":
        _, other = model.advance(other, token)
    assert state == other
    assert isinstance(state, int)


def test_the_end_of_a_sentence_leaves_nothing_behind():
    model = estimate(sentences(5), 3)
    assert model.advance(model.start(), EOS)[1] == model.start(bos=False)


def test_unknown_tokens():
    model = estimate(sentences(6), 3)
    assert "zebra" not in model
    assert model.score(["a", "zebra", "b"]).tolist() == model.score(["a", "<unk>", "b"]).tolist()
    assert [unknown for *_, unknown in model.full_scores(["a", "zebra", "<unk>"])] == [False, True, False, False]


def test_perplexity_with_and_without_unknown_tokens():
    model = estimate(sentences(7), 3)
    test = [["a", "zebra", "b"], ["c"], []]
    scores = [model.score(tokens) for tokens in test]
    total = sum(each.sum() for each in scores)
    numbers = model.perplexity(test)
    assert (numbers["tokens"], numbers["oov"]) == (7, 1)
    assert numbers["log10"] == pytest.approx(total)
    assert numbers["perplexity"] == pytest.approx(10 ** (-total / 7))
    assert numbers["bits_per_token"] == pytest.approx(math.log2(numbers["perplexity"]))
    assert numbers["perplexity_without_oov"] == pytest.approx(10 ** (-(total - scores[0][1]) / 6))
    assert model.perplexity(test, eos=False)["tokens"] == 4
    assert math.isnan(model.perplexity([])["perplexity"])


def test_a_sequence_of_characters_is_a_sentence():
    model = estimate(["abc", "ab d"], 3)
    assert " " in model
    assert model.score("ab d").tolist() == model.score(["a", "b", " ", "d"]).tolist()


def test_the_vocabulary_must_be_that_of_order_one():
    level = Level(np.zeros(4, int), np.arange(4), np.zeros(4), np.zeros(4))
    with pytest.raises(ValueError, match="<unk>, <s>, </s>"):
        NGramModel(["<unk>", "</s>", "<s>", "a"], [level])
    with pytest.raises(ValueError, match="order 1"):
        NGramModel(["<unk>", "<s>", "</s>"], [level])
