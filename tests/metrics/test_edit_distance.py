"""CER and WER: against a recursive edit distance, against jiwer, and in a graph against the plain functions."""

import functools
import itertools
import random

import jiwer
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers.lengths import LengthMask
from keras_seqgen.losses.ctc import CTCLoss
from keras_seqgen.metrics.edit_distance import character_error_rate, edit_distance, word_error_rate
from keras_seqgen.metrics.error_rates import (
    CharacterErrorRate,
    ImpossibleLabels,
    WordErrorRate,
    edit_distances,
    word_hashes,
)
from tests.reference.ctc import collapse

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
BLANK = 3  # the id of the blank between words in these tests


def recursive_distance(a, b):
    @functools.cache
    def distance(i, j):
        if not i or not j:
            return i + j
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return distance(len(a), len(b))


def some_texts(count, seed=0, alphabet="ab  c"):
    rng = random.Random(seed)
    return ["".join(rng.choices(alphabet, k=rng.randint(0, 14))) for _ in range(count)]


def test_the_distance_is_that_of_the_recursion():
    for a, b in zip(some_texts(200), some_texts(200, 1), strict=True):
        assert edit_distance(a, b) == recursive_distance(a, b)
        assert edit_distance(a.split(), b.split()) == recursive_distance(a.split(), b.split())
    assert edit_distance([], [1, 2]) == edit_distance([1, 2], []) == 2


def test_it_is_a_metric():
    texts = some_texts(15, 2)
    for a in texts:
        for b in texts:
            assert edit_distance(a, b) == edit_distance(b, a)
            assert (edit_distance(a, b) == 0) == (a == b)
            assert all(edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c) for c in texts)


# What jiwer 4.0.0 gives: CER and WER.
JIWER = [
    (["  a  b "], ["a b"], 0.25, 0.0),
    (["a\tb"], ["a b"], 1 / 3, 2.0),
    (["\tab"], ["ab"], 0, 0),
    ([""], ["ab"], 2, 1),
    (["ab"], [""], 1.0, 1.0),
    ([""], [""], 0, 0),
    (["ab c", ""], ["ab", "x"], 0.75, 1.0),
]


@pytest.mark.parametrize(("references", "hypotheses", "cer", "wer"), JIWER)
def test_odd_texts_are_counted_as_jiwer_counts_them(references, hypotheses, cer, wer):
    assert character_error_rate(references, hypotheses) == pytest.approx(cer)
    assert word_error_rate(references, hypotheses) == pytest.approx(wer)


def test_equal_jiwer():
    references, hypotheses = some_texts(300, 3, "abé  \tسم"), some_texts(300, 4, "abé  \tسم")
    for r, h in [*zip(references, hypotheses, strict=True), (references, hypotheses)]:
        listed = (r, h) if isinstance(r, list) else ([r], [h])
        assert character_error_rate(*listed) == pytest.approx(jiwer.cer(r, h))
        assert word_error_rate(*listed) == pytest.approx(jiwer.wer(r, h))


def test_texts_must_be_as_many():
    with pytest.raises(ValueError, match="2 references, 1 hypotheses"):
        word_error_rate(["a", "b"], ["a"])


@pytest.fixture
def rows():
    """Two batches of rows of ids 1..4 with their lengths."""
    rng = np.random.default_rng(0)
    ids = [rng.integers(1, 5, (40, n)).astype("int32") for n in (11, 8)]
    return [*zip(ids, [rng.integers(0, x.shape[1] + 1, 40).astype("int32") for x in ids], strict=True)]


def test_distances_in_a_graph_of_any_shape(rows):
    (a, n), (b, m) = rows
    wanted = [recursive_distance(x[:i].tolist(), y[:j].tolist()) for x, i, y, j in zip(a, n, b, m, strict=True)]
    signature = [tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)] * 2
    graph = tf.function(edit_distances, input_signature=signature)
    assert graph(a, n, b, m).numpy().tolist() == wanted
    assert graph(b, m, a, n).numpy().tolist() == wanted
    assert np.array(edit_distances(a, n, b, m)).tolist() == wanted
    assert graph(a[:, :0], n * 0, b, m).numpy().tolist() == m.tolist()


def test_words_are_the_same_where_their_hashes_are(rows):
    words, found = {}, {}
    for ids, lengths in rows:
        hashes, counts = (np.array(x) for x in word_hashes(tf.constant(ids), tf.constant(lengths), BLANK))
        for row, n, numbers, count in zip(ids, lengths, hashes, counts, strict=True):
            here = "".join(" " if x == BLANK else str(x) for x in row[:n]).split()
            assert len(here) == count
            assert (numbers[count:] == 0).all()
            for word, number in zip(here, numbers, strict=False):
                assert words.setdefault(word, number) == number
                assert found.setdefault(number, word) == word
    assert len(words) > 40


def test_hashes_of_a_whole_dictionary_differ():
    """26,000 words of 1 to 7 letters, as like as words are: endings, anagrams, doubled letters."""
    rng = np.random.default_rng(1)
    stems = [tuple(rng.integers(5, 12, rng.integers(1, 7)).tolist()) for _ in range(20_000)]
    words = sorted({*stems, *(s[::-1] for s in stems), *((*s, s[-1]) for s in stems), *((*s[1:], s[0]) for s in stems)})
    ids = np.zeros((len(words), 8), np.int32)
    for row, word in zip(ids, words, strict=True):
        row[: len(word)] = word
    hashes, counts = word_hashes(tf.constant(ids), tf.constant([len(word) for word in words]), BLANK)
    assert (counts.numpy() == 1).all()
    assert len(words) > 25_000
    assert len(set(hashes.numpy()[:, 0].tolist())) == len(words)


def logits_of(paths, classes=5):
    return keras.ops.one_hot(np.array(paths), classes) * 4.0 + np.random.default_rng(2).normal(size=classes) * 0.1


def test_metrics_equal_the_plain_functions_over_batches():
    """Paths with repeats and blanks, ragged rows, weights 0 and 1, several batches of several widths."""
    rng = np.random.default_rng(3)
    cer, wer, impossible = CharacterErrorRate(), WordErrorRate(BLANK), ImpossibleLabels()
    texts, readings, too_long = [], [], 0
    for T, U in ((9, 6), (14, 5), (5, 8)):
        paths, lengths = rng.integers(0, 5, (7, T)), rng.integers(1, T + 1, 7)
        used = rng.integers(0, U + 1, 7)
        labels = rng.integers(1, 5, (7, U)) * (np.arange(U) < used[:, None])
        labels[:, :1] *= labels[:, :1] != BLANK  # jiwer's CER drops blanks at the ends: none there in this test
        labels = np.where(labels[:, :1] == 0, 0, labels)
        weight = np.array([1, 1, 0, 1, 1, 1, 0], "float32")
        masked = LengthMask()([logits_of(paths), lengths])
        cer.update_state(labels, masked, weight)
        wer.update_state(labels, masked, weight)
        impossible.update_state(labels, masked)
        for n, label, path, keep in zip(lengths, labels, paths, weight, strict=True):
            repeats = sum(x == y > 0 for x, y in itertools.pairwise(label))
            too_long += int((label > 0).sum() + repeats > n)
            if keep:
                texts.append([x for x in label.tolist() if x])
                readings.append(list(collapse(path[:n])[0]))
    edits = sum(recursive_distance(a, b) for a, b in zip(texts, readings, strict=True))
    assert float(cer.result()) == pytest.approx(edits / sum(map(len, texts)))
    as_text = [["".join(" " if x == BLANK else str(x) for x in row) for row in rows] for rows in (texts, readings)]
    assert float(wer.result()) == pytest.approx(word_error_rate(*as_text))
    assert float(impossible.result()) == too_long > 0
    assert WordErrorRate.from_config(wer.get_config()).separator == BLANK
    cer.reset_state()
    assert cer.result() == 0


def test_under_evaluate_and_saved(tmp_path):
    frames = keras.Input((None, 5))
    model = keras.Model(frames, keras.layers.Masking()(frames))
    metrics = [CharacterErrorRate(), WordErrorRate(BLANK), ImpossibleLabels()]
    model.compile("sgd", CTCLoss(), weighted_metrics=metrics)
    x = np.array(logits_of([[1, 1, 3, 2], [4, 0, 4, 1]]))
    x[1, 3] = 0  # padding
    labels = np.array([[1, 3, 1], [4, 1, 0]])
    found = model.evaluate(x, labels, verbose=0, return_dict=True)
    assert found["cer"] == pytest.approx(2 / 5)
    assert found["wer"] == pytest.approx(2 / 3)
    assert found["impossible_labels"] == 0
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, labels, verbose=0, return_dict=True) == found
