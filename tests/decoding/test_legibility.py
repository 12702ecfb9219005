"""Readers that are planted: what each drawing says is known beforehand, by its first step."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.legibility import Judgement, best_reading, judge, pen_points, read_strokes
from keras_seqgen.errors import UserError

ALPHABET = Vocabulary(" ab")


class Planted:
    """Reads the drawing whose first step is (k, 0) as `logits_of[k]` say."""

    vocabulary = ALPHABET

    def __init__(self, logits_of):
        self.logits_of = logits_of
        self.batches = []

    def logits(self, lines):
        self.batches.append(len(lines))
        found = [self.logits_of[int(line[1, 0] - line[0, 0])] for line in lines]
        return [(logits, np.arange(len(logits))) for logits in found]

    def recognise(self, lines):
        return [SimpleNamespace(text=f"{line[1, 0]:.0f}:{len(line)}") for line in lines]


def drawing(kind, points=3):
    return np.array([[kind, 0, 0]] + [[1, 1, 0]] * (points - 2) + [[0, 1, 1]], np.float32)[: points - 1]


def spelled(text, peak=5.0):
    """Logits whose best path is the text, a blank behind each character."""
    path = [number for character in text for number in (int(ALPHABET.ids[character]), 0)]
    logits = np.zeros((len(path), 4))
    logits[np.arange(len(path)), path] = peak
    return logits


def brute_force(logits, text):
    """log Pr(text | logits): the sum over all paths."""
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    total = 0.0
    for path in itertools.product(range(4), repeat=len(logits)):
        if ALPHABET.decode([k for k, _ in itertools.groupby(path) if k]) == text:
            total += np.prod(p[np.arange(len(path)), path])
    return np.log(total)


def test_points_lead_where_the_steps_do():
    points = pen_points(np.array([[3, -1, 0], [0, 2, 1], [5, 0, 0]], np.float32))
    assert points.tolist() == [[0, 0, 0], [3, -1, 0], [3, 1, 1], [8, 1, 0]]


def test_judgements_by_hand():
    logits = {1: spelled("ab"), 2: spelled("aa", 2.0), 3: spelled("b")[:1]}
    found = judge(Planted(logits), "ab", [drawing(1), drawing(2), drawing(3)], 100)
    assert [judgement.reading for judgement in found] == ["ab", "aa", "b"]
    assert [judgement.cer for judgement in found] == [0.0, 0.5, 0.5]
    for judgement, kind in zip(found[:2], (1, 2), strict=True):
        assert judgement.nats == pytest.approx(-brute_force(logits[kind], "ab") / 2, rel=1e-5)
    assert found[2].nats == np.inf  # one frame has no room for two characters


def test_what_a_row_gets_does_not_depend_on_the_others():
    logits = {1: spelled("ab"), 2: spelled("abab", 1.0)}
    both = judge(Planted(logits), "ab", [drawing(1), drawing(2)], 100)
    alone = judge(Planted(logits), "ab", [drawing(1)], 100)
    assert both[0].nats == pytest.approx(alone[0].nats, rel=1e-6)


def test_blanks_at_the_ends_do_not_count():
    found = judge(Planted({1: spelled("ab")}), " ab", [drawing(1)], 100)[0]
    assert (found.cer, found.nats < 0.1) == (0.0, True)


def test_what_cannot_be_read_is_not_asked():
    reader = Planted({1: spelled("ab")})
    found = judge(reader, "ab", [np.zeros((0, 3), np.float32), drawing(1, 4), drawing(1, 5)], 4)
    assert [judgement.reading for judgement in found] == [None, "ab", None]
    assert [judgement.cer for judgement in found] == [1.0, 0.0, 1.0]
    assert reader.batches == [1]
    assert [judgement.reading for judgement in judge(reader, "ab", [drawing(1, 9)], 4)] == [None]


def test_many_are_read_in_batches():
    reader = Planted({1: spelled("ab")})
    assert len(judge(reader, "ab", [drawing(1)] * 70, 100)) == 70
    assert reader.batches == [32, 32, 6]


def test_a_character_that_the_reader_does_not_have():
    with pytest.raises(UserError, match="'c'"):
        judge(Planted({1: spelled("ab")}), "abc", [drawing(1)], 100)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_planted_drawing_is_found(best):
    kinds = [2, 3]
    kinds.insert(best, 1)
    reader = Planted({1: spelled("a b"), 2: spelled("a"), 3: spelled("b b")})
    assert best_reading(judge(reader, "a b", [drawing(kind) for kind in kinds], 100)) == best


def test_the_order_of_the_criteria():
    read = Judgement("ab", 0.0, 3.0)
    assert best_reading([Judgement("aa", 0.5, 0.1), read]) == 1  # the error rate before the probability
    assert best_reading([read, Judgement("ab", 0.0, 2.0)]) == 1  # then the probability
    assert best_reading([read, read]) == 0
    assert best_reading([Judgement(None, 1.0, np.inf), Judgement("abbb" * 3, 5.0, 9.0)]) == 1
    with pytest.raises(ValueError, match="one or more"):
        best_reading([])


def test_readings_are_in_the_order_of_the_drawings():
    drawings = [drawing(5, 9), drawing(6, 4), np.zeros((0, 3), np.float32), drawing(7, 12), drawing(8, 6)]
    assert read_strokes(Planted({}), drawings, 9) == ["5:9", "6:4", "", "", "8:6"]
    assert read_strokes(Planted({}), [], 9) == []
