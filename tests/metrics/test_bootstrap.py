import numpy as np
import pytest

from keras_seqgen.metrics.bootstrap import rate_interval


def test_lines_that_are_alike_leave_no_doubt():
    assert rate_interval([1, 1, 1], [4, 4, 4]) == (0.25, 0.25)
    assert rate_interval([0, 0], [5, 9]) == (0.0, 0.0)
    assert rate_interval([3], [0]) == (3.0, 3.0)


def test_two_lines_by_hand():
    # Of two lines, one of them all wrong: a sample is both twice (1/4 each) or one of each (1/2).
    assert rate_interval([10, 0], [10, 10]) == (0.0, 1.0)
    assert rate_interval([10, 0], [10, 10], level=0.4) == (0.5, 0.5)


def test_many_lines_as_the_normal_distribution_has_it():
    rng = np.random.default_rng(3)
    errors = rng.binomial(30, 0.1, 400)
    low, high = rate_interval(errors, np.full(400, 30))
    rate, deviation = errors.mean() / 30, errors.std() / 30 / 20
    np.testing.assert_allclose([low, high], [rate - 1.96 * deviation, rate + 1.96 * deviation], atol=0.1 * deviation)


def test_long_lines_count_for_more():
    # Equal rates per line on average, but the long line is right: the ratio of sums is what is sampled.
    low, high = rate_interval([1] * 50 + [0] * 50, [10] * 50 + [90] * 50)
    assert low < 0.01 < high < 0.02


def test_the_interval_holds_the_true_rate_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [rate_interval(rng.poisson(2.0, 40), np.full(40, 20), seed=n) for n in range(100)]
    held = np.mean([low <= 0.1 <= high for low, high in intervals])
    assert 0.88 <= held <= 0.99


def test_mistakes():
    with pytest.raises(ValueError, match="0 errors"):
        rate_interval([], [])
    with pytest.raises(ValueError, match="1 errors, 2 sizes"):
        rate_interval([1], [2, 3])
