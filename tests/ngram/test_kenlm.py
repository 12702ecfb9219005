"""The same ARPA file in kenlm (an optional test dependency): the same numbers."""

import random

import numpy as np
import pytest

from keras_seqgen.ngram import estimate, read_arpa, write_arpa

kenlm = pytest.importorskip("kenlm", reason="pip install kenlm==0.3.0 to compare with it")
WORDS = ["the", "a", "größe", "日本", "it's", "N", "1.5", "\u00a0"]


def corpus(seed, words=WORDS, count=200):
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return [rng.choices(words, weights, k=rng.randint(0, 12)) for _ in range(count)]


def check(model, path, sentences, tolerance=1e-4):
    other = kenlm.Model(str(path))
    assert other.order == model.order
    for tokens in sentences:
        for bos in (True, False):
            for eos in (True, False):
                expected = list(other.full_scores(" ".join(tokens), bos=bos, eos=eos))
                scores = model.full_scores(tokens, bos=bos, eos=eos)
                np.testing.assert_allclose([s for s, *_ in scores], [s for s, *_ in expected], atol=tolerance)
                assert [tuple(s[1:]) for s in scores] == [tuple(s[1:]) for s in expected]
        assert model.score(tokens).sum() == pytest.approx(other.score(" ".join(tokens)), abs=tolerance)


@pytest.mark.parametrize("order", [2, 3, 5])
@pytest.mark.parametrize("prune", [(0,), (0, 1)])
def test_estimated_models_score_alike(tmp_path, order, prune):
    path = tmp_path / "model.arpa"
    model = estimate(corpus(order), order, prune=prune)
    write_arpa(model, path)
    check(model, path, corpus(99, [*WORDS, "unseen", "also-unseen"], 60))
    check(read_arpa(path), path, corpus(98, [*WORDS, "unseen"], 20))


def test_a_fixed_vocabulary_scores_alike(tmp_path):
    path = tmp_path / "model.arpa.gz"
    write_arpa(model := estimate(corpus(1), 3, vocabulary=["the", "a", "never"]), path)
    check(model, path, corpus(97, count=40))


def test_characters_score_alike(tmp_path):
    """A blank among characters is the word <U+0020> to kenlm."""
    path = tmp_path / "model.arpa"
    texts = [" ".join(tokens) for tokens in corpus(2)]
    write_arpa(model := estimate(texts, 6), path)
    other = kenlm.Model(str(path))
    for text in texts[:40]:
        spelled = " ".join("<U+0020>" if character == " " else character for character in text)
        assert model.score(text).sum() == pytest.approx(other.score(spelled), abs=1e-4)


def test_perplexity_is_kenlms(tmp_path):
    path = tmp_path / "model.arpa"
    write_arpa(model := estimate(corpus(3), 3), path)
    other = kenlm.Model(str(path))
    for tokens in corpus(4, count=20):
        assert model.perplexity([tokens])["perplexity"] == pytest.approx(other.perplexity(" ".join(tokens)), rel=1e-4)


def test_penn_treebank_scores_alike(tmp_path, data):
    """The test set's first 500 sentences under a 3-gram of the validation set, many words unknown."""
    path = tmp_path / "model.arpa"
    train, test = (
        [line.split() for line in (data / "ptb" / f"ptb.{split}.txt").read_text(encoding="utf-8").splitlines()]
        for split in ("valid", "test")
    )
    sentences = [[word for word in tokens if word != "<unk>"] for tokens in test[:500]]  # kenlm calls it unknown
    write_arpa(model := estimate(train, 3), path)
    check(model, path, sentences)
