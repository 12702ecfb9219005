import json

import numpy as np
import pytest

from keras_seqgen.data.strokes import (
    Cleaning,
    Repairs,
    StrokeStatistics,
    Trace,
    clean,
    offsets_to_points,
    points_to_offsets,
)
from keras_seqgen.errors import UserError


def line_of_ink(steps, pen=None, times=None):
    """A trace that begins at (5, 7) and makes the steps; `times` are the durations of the steps."""
    points = np.cumsum([(5.0, 7.0), *steps], axis=0)
    pen = np.zeros(len(points)) if pen is None else np.array(pen, float)
    pen[-1] = 1
    return Trace(points, pen, None if times is None else np.concatenate([[0.0], np.cumsum(times)]))


def test_points_and_offsets_are_inverse():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 1000, (50, 2)).astype(float)
    pen = (rng.random(50) < 0.2).astype(float)
    pen[0] = 0
    rows = points_to_offsets(points, pen)
    assert rows.shape == (49, 3)
    assert rows.dtype == np.float32
    again, pen_again = offsets_to_points(rows, points[0])
    np.testing.assert_array_equal(again, points)
    np.testing.assert_array_equal(pen_again, pen)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_points_have_no_offsets(count):
    assert points_to_offsets(np.zeros((count, 2)), np.ones(count)).shape == (0, 3)
    assert clean(Trace(np.zeros((count, 2)), np.ones(count), np.zeros(count)))[0].shape == (0, 3)


def test_a_clean_line_is_left_alone():
    trace = line_of_ink([(10, 1)] * 20, times=[0.01, 0.02] * 10)
    rows, repairs = clean(trace)
    np.testing.assert_array_equal(rows, points_to_offsets(trace.points, trace.pen))
    assert repairs == Repairs()


def test_missing_points_are_interpolated_where_time_and_length_agree():
    steps = [(10, 0)] * 5 + [(30, 6)] + [(10, 0)] * 5
    rows, repairs = clean(line_of_ink(steps, times=[0.015] * 5 + [0.045] + [0.015] * 5))
    assert repairs.interpolated == 2
    np.testing.assert_allclose(rows[5:8, :2], [(10, 2)] * 3)
    np.testing.assert_array_equal(rows[:, 2], [0] * 12 + [1])


@pytest.mark.parametrize(
    ("step", "time"),
    [((10, 0), 0.045), ((30, 0), 0.015), ((30, 0), -0.5), ((30, 0), 0.0), ((30, 0), 3.0), ((30, 0), np.nan)],
    ids=["late stamp", "a fast step", "time runs backward", "time stands still", "a long silence", "no time"],
)
def test_nothing_is_interpolated_where_they_do_not_agree(step, time):
    steps = [(10, 0)] * 5 + [step] + [(10, 0)] * 5
    assert clean(line_of_ink(steps, times=[0.015] * 5 + [time] + [0.015] * 5))[1].interpolated == 0


def test_pen_up_moves_are_never_interpolated():
    steps = [(10, 0)] * 5 + [(100, 0)] + [(10, 0)] * 5
    pen = [0] * 5 + [1] + [0] * 6
    rows, repairs = clean(line_of_ink(steps, pen, [0.015] * 5 + [0.1] + [0.015] * 5))
    assert repairs == Repairs()
    assert rows[4, 2] == 1


def test_a_long_step_of_ink_is_an_unnoticed_lift():
    rows, repairs = clean(line_of_ink([(10, 0)] * 3 + [(0, 300)] + [(10, 0)] * 3))
    assert repairs.lifted == 1
    np.testing.assert_array_equal(rows[:, 2], [0, 0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(rows[3, :2], (0, 300))


def test_an_over_long_step_is_removed_and_the_stroke_before_it_ends():
    pen = [0, 0, 0, 1, 0, 0, 0, 0]
    rows, repairs = clean(line_of_ink([(10, 0)] * 3 + [(9000, 0)] + [(10, 0)] * 3, pen))
    assert repairs.removed == 1
    np.testing.assert_array_equal(rows[:, :2], [(10, 0)] * 6)
    np.testing.assert_array_equal(rows[:, 2], [0, 0, 1, 0, 0, 1])


def test_a_glitch_at_the_end_and_a_line_that_is_nothing_else():
    rows, _ = clean(line_of_ink([(10, 0), (10, 0), (9000, 0)]))
    np.testing.assert_array_equal(rows, [(10, 0, 0), (10, 0, 1)])
    assert clean(line_of_ink([(9000, 0), (0, 9000)]))[0].shape == (0, 3)


def test_each_repair_can_be_switched_off():
    steps = [(10, 0)] * 5 + [(30, 0)] + [(10, 0)] * 3 + [(0, 300), (9000, 0)] + [(10, 0)] * 3
    trace = line_of_ink(steps, times=[0.015] * 5 + [0.045] + [0.015] * 8)
    rows, repairs = clean(trace, Cleaning.none())
    assert repairs == Repairs()
    np.testing.assert_array_equal(rows, points_to_offsets(trace.points, trace.pen))
    assert clean(trace, Cleaning(None, 200.0, None))[1] == Repairs(0, 2, 0)
    assert clean(trace, Cleaning(None, None, 2000.0))[1] == Repairs(0, 0, 1)
    assert clean(trace, Cleaning(10.0, None, None))[1] == Repairs(2, 0, 0)


def test_random_traces_give_finite_rows_whose_last_ends_a_stroke():
    rng = np.random.default_rng(1)
    for _ in range(200):
        count = int(rng.integers(1, 40))
        trace = line_of_ink(rng.normal(0, 10 ** rng.uniform(0, 4), (count, 2)), rng.random(count + 1) < 0.3,
                            rng.normal(0.015, 0.02, count))  # fmt: skip
        rows, repairs = clean(trace)
        assert len(rows) == count + repairs.interpolated - repairs.removed
        assert np.all(np.isfinite(rows))
        assert set(np.unique(rows[:, 2])) <= {0, 1}
        assert len(rows) == 0 or rows[-1, 2] == 1


def test_statistics(tmp_path):
    path = tmp_path / "stats.json"
    path.write_text(json.dumps({"offsets": {"mean": [8.0, 0.5], "std": [40.0, 30.0]}}))
    statistics = StrokeStatistics.load(path)
    rows = np.array([[48.0, 0.5, 1.0]], np.float32)
    np.testing.assert_allclose(statistics.normalise(rows), [[1.0, 0.0, 1.0]])
    np.testing.assert_allclose(statistics.denormalise(statistics.normalise(rows)), rows)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"offsets": {"mean": [0, 0], "std": [1, 0]}}', '{"offsets": {"mean": [0], "std": [1]}}']
)
def test_statistics_that_are_of_no_use(tmp_path, content):
    (tmp_path / "stats.json").write_text(content)
    with pytest.raises(UserError):
        StrokeStatistics.load(tmp_path / "stats.json")
