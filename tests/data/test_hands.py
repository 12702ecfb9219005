import string
from collections import Counter

import numpy as np
import pytest

from keras_seqgen.data.hands import Hand, draw, embedded_line, embedded_lines, random_hand
from keras_seqgen.data.hershey import glyph
from keras_seqgen.viz.page import split_strokes


def test_a_line_is_a_pure_function_of_index_and_seed():
    alone, among = embedded_line(7, seed=3), list(embedded_lines(8, seed=3))[7]
    assert (alone.name, alone.writer, alone.text) == (among.name, among.writer, among.text)
    np.testing.assert_array_equal(alone.strokes, among.strokes)
    other = embedded_line(7, seed=4)
    assert other.text != alone.text or other.strokes.shape != alone.strokes.shape
    assert other.name != alone.name


@pytest.mark.parametrize("style", ["demo", "full"])
def test_lines_are_well_formed(style):
    for line in embedded_lines(150, style=style):
        assert line.strokes.dtype == np.float32
        assert line.strokes.shape[1:] == (3,)
        assert np.isfinite(line.strokes).all()
        assert set(np.unique(line.strokes[:, 2])) <= {0.0, 1.0}
        assert line.strokes[-1, 2] == 1.0
        assert np.hypot(*line.strokes[:, :2].T).max() < 800
        assert 3 <= len(line.text) <= 60
        points = np.concatenate(split_strokes(line.strokes))
        assert np.ptp(points[:, 0]) > 0.2 * np.ptp(points[:, 1]) * len(line.text) / 4  # it runs to the right


def test_every_printable_character_is_seen_often():
    counts = Counter("".join(line.text for line in embedded_lines(1500)))
    assert set(counts) == set(string.digits + string.ascii_letters + string.punctuation + " ")
    assert min(counts.values()) >= 25
    counts = Counter("".join(line.text for line in embedded_lines(500, style="demo")))
    assert set(counts) == set(string.ascii_lowercase + " ")
    assert min(counts.values()) >= 25


def test_points_for_each_letter_suit_a_small_and_a_large_network():
    for style, low, high in (("demo", 12, 17), ("full", 16, 23)):
        lines = list(embedded_lines(150, style=style))
        letters = sum(len(line.text.replace(" ", "")) for line in lines)
        assert low < sum(len(line.strokes) for line in lines) / letters < high


def test_hands_differ_and_write_alike_from_line_to_line():
    hands = [random_hand(number) for number in range(40)]
    assert len({(hand.slant, hand.size) for hand in hands}) == 40
    assert {"print", "script"} == {hand.small for hand in hands}
    assert any(hand.joins > 0 for hand in hands)
    assert random_hand(5) == random_hand(5)
    writers = Counter(line.writer for line in embedded_lines(300, hands=10, style="demo"))
    assert len(writers) == 10


def test_slant_size_and_pace_do_what_they_say():
    def points(**changes):
        return np.concatenate(split_strokes(draw("l", Hand("test", **changes), np.random.default_rng(0))))

    upright = points()
    assert np.ptp(upright[:, 0]) < 0.1 * np.ptp(upright[:, 1])
    slanted = points(slant=0.5)
    np.testing.assert_allclose(np.ptp(slanted[:, 0]) / np.ptp(slanted[:, 1]), 0.5, atol=0.02)
    np.testing.assert_allclose(np.ptp(points(size=16.0)[:, 1]) / np.ptp(upright[:, 1]), 2, rtol=1e-4)
    assert len(points(pace=1.0)) > 1.8 * len(points(pace=2.0))


def test_the_pen_is_slower_in_bends():
    (stroke,) = split_strokes(draw("v", Hand("test", pace=1.5, rounding=1.5, retrace=40), np.random.default_rng(0)))
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    corner = int(stroke[:, 1].argmax())
    assert steps[corner - 1 : corner + 1].max() < 0.8 * np.median(steps[1:-1])
    constant = Hand("test", pace=1.5, rounding=1.5, retrace=40, exponent=0.0)
    (stroke,) = split_strokes(draw("v", constant, np.random.default_rng(0)))
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    assert np.mean(steps > 0.99 * steps.max()) > 0.9  # all but the chords of the corners


def test_joins_save_pen_lifts():
    def strokes(joins):
        return len(split_strokes(draw("one eel", Hand("test", joins=joins), np.random.default_rng(0))))

    assert strokes(1.0) < strokes(0.0) == 6


@pytest.mark.parametrize("style", ["print", "script"])
def test_glyphs_stand_on_the_baseline(style):
    for character in string.ascii_letters + string.digits:
        letter = glyph(style, character)
        points = np.concatenate(letter.strokes)
        assert 4 < letter.width < 40
        assert (-13.5 if style == "print" else -7) > points[:, 1].min() > -22
        if character not in "fgjpqyzJQGYZ" and style == "print":
            assert abs(points[:, 1].max()) < 1.5
    assert glyph(style, " ").strokes == ()
    assert glyph(style, ".").strokes[0][:, 1].max() == pytest.approx(0, abs=1.0)


def test_glyphs_keep_the_pen_down_where_it_can_run_back():
    assert [len(glyph("print", "h", retrace=reach).strokes) for reach in (0.0, 12.0)] == [2, 1]
    bowl_first, stem_first = (glyph("print", "d", bowl_first=order).strokes[0][0] for order in (True, False))
    assert bowl_first[1] > stem_first[1] + 8
    (stroke,) = glyph("print", "h", retrace=12.0).strokes
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    assert steps.max() < 1.0  # no jump


def test_rounding_takes_corners_off():
    sharp, soft = (glyph("print", "<", rounding=r).strokes for r in (0.0, 1.5))

    def sharpest_turn(strokes):
        steps = np.diff(strokes[0], axis=0)
        heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        return np.abs(np.diff(heading)).max()

    assert sharpest_turn(soft) < 0.5 * sharpest_turn(sharp)


@pytest.mark.parametrize("style", ["print", "script"])
def test_dots_are_put_last(style):
    for character in "ij":
        body, dot = glyph(style, character).strokes
        assert dot[:, 1].max() < body[:, 1].min()
