"""Segments found and missed, against every way to pair them; the share of wrong frames."""

import itertools

import keras
import numpy as np
import pytest

from keras_seqgen.data.script_classes import segments_of
from keras_seqgen.metrics.frame_error import FrameError
from keras_seqgen.metrics.segments import SegmentCounts, accuracies, matches


def overlap(one, other):
    a, b = (set(range(begin, end)) for begin, end, _ in (one, other))
    return len(a & b) / len(a | b) if one[2] == other[2] else 0.0


def most_pairs(truth, found):
    """The greatest number of pairs, each segment once, that overlap by half."""
    few, many = sorted((truth, found), key=len)
    return max(
        (
            sum(overlap(a, b) >= 0.5 for a, b in zip(few, chosen, strict=True))
            for chosen in itertools.permutations(many, len(few))
        ),
        default=0,
    )


@pytest.mark.parametrize("seed", range(30))
def test_no_way_to_pair_finds_more(seed):
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.integers(0, 3, 6), rng.integers(1, 8, 6))
    found = np.where(rng.random(len(truth)) < 0.15, rng.integers(0, 3, len(truth)), np.roll(truth, rng.integers(3)))
    truth, found = segments_of(truth)[:6], segments_of(found)[:6]
    pairs = matches(truth, found)
    assert len(pairs) == most_pairs(truth, found)
    assert all(overlap(truth[i], found[j]) >= 0.5 for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


def test_the_half_is_enough_and_less_is_not():
    assert matches([(0, 10, 1)], [(0, 5, 1)]) == [(0, 0)]
    assert matches([(0, 10, 1)], [(0, 4, 1)]) == []
    assert matches([(0, 10, 1)], [(0, 10, 2)]) == []
    assert matches([(0, 10, 1)], [(0, 5, 1), (5, 10, 1)]) == [(0, 0)], "each counts once"
    assert matches([], [(0, 5, 1)]) == matches([(0, 5, 1)], []) == []


def test_precision_recall_and_f1():
    counts = SegmentCounts()
    assert (counts.precision, counts.recall, counts.f1) == (1.0, 1.0, 1.0)
    counts.add([(0, 10, 1), (20, 30, 2)], [(1, 9, 1), (20, 30, 1), (40, 50, 1)])
    counts.add([(0, 5, 3)], [(0, 5, 3)])
    assert (counts.hits, counts.found, counts.there) == (2, 4, 3)
    assert counts.precision == 0.5
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))


def test_accuracies_of_classes():
    np.testing.assert_allclose(accuracies(np.array([[3, 1, 0], [0, 0, 0], [1, 1, 2]])), [0.75, np.nan, 0.5])


def test_wrong_frames_count_by_weight_and_padding_does_not():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 4, (5, 7)), rng.normal(size=(5, 7, 4)).astype("f4")
    weight = (rng.random((5, 7)) < 0.6).astype("f4")
    metric = FrameError()
    for rows in (slice(0, 2), slice(2, 5)):
        metric.update_state(labels[rows], logits[rows], weight[rows])
    wrong = logits.argmax(axis=-1) != labels
    np.testing.assert_allclose(float(metric.result()), (wrong * weight).sum() / weight.sum(), rtol=1e-6)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert (type(again), again.name) == (FrameError, "frame_error")
