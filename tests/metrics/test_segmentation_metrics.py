import keras
import numpy as np
import pytest
from scipy import ndimage

from keras_seqgen.metrics.label_overlap import (
    confusion,
    intersection_over_union,
    interval_over_images,
    mean_intersection_over_union,
    trimap,
)
from keras_seqgen.metrics.segmentation import MeanIoU, OneMinusMeanIoU

L = 5


def draw(seed=0, shape=(3, 13, 17), classes=L):
    rng = np.random.default_rng(seed)
    truth, found = rng.integers(0, classes, shape), rng.integers(0, classes, shape)
    return truth, np.where(rng.random(shape) < 0.5, truth, found), rng.random(shape) < 0.8


def by_hand(truth, found, counts, label):
    """|both| / |either| of sets of places."""
    here = {place for place in np.ndindex(truth.shape) if counts[place] and truth[place] == label}
    there = {place for place in np.ndindex(truth.shape) if counts[place] and found[place] == label}
    return len(here & there) / len(here | there) if here | there else np.nan


def test_intersection_over_union_is_that_of_sets():
    truth, found, counts = draw(classes=4)
    matrix = confusion(truth, found, L, counts)  # the last label never occurs
    each = intersection_over_union(matrix)
    wanted = [by_hand(truth, found, counts, label) for label in range(L)]
    np.testing.assert_allclose(each, wanted)
    assert np.isnan(each[-1])
    assert mean_intersection_over_union(matrix) == pytest.approx(np.nanmean(wanted))
    assert matrix.sum() == counts.sum()


def test_places_that_do_not_count_may_hold_anything():
    truth, found, counts = draw()
    other = np.where(counts, truth, 255)
    np.testing.assert_array_equal(confusion(other, found, L, counts), confusion(truth, found, L, counts))
    with pytest.raises(ValueError, match=r"must lie in 0\.\.4"):
        confusion(other, found, L)


@pytest.mark.parametrize("kind", [MeanIoU, OneMinusMeanIoU])
def test_the_metric_equals_numpy_over_many_batches(kind, tmp_path):
    truth, found, counts = draw(1, (6, 9, 11), classes=4)
    logits = np.eye(L)[found] + np.random.default_rng(0).uniform(0, 0.4, (*found.shape, L))
    wanted = mean_intersection_over_union(confusion(truth, found, L, counts))
    wanted = wanted if kind is MeanIoU else 1 - wanted
    metric = kind()
    for rows in (slice(0, 1), slice(1, 6)):
        metric.update_state(np.where(counts, truth, 0)[rows], logits[rows], 3.0 * counts[rows])
    assert float(metric.result()) == pytest.approx(wanted)
    metric.reset_state()
    metric.update_state(truth, logits)
    assert float(MeanIoU.result(metric)) == pytest.approx(mean_intersection_over_union(confusion(truth, found, L)))
    inputs = keras.Input((None, None, L))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss="mse", weighted_metrics=[kind()], jit_compile=False)
    name = kind().name
    for _ in range(2):  # the second time from zero again
        results = model.evaluate(
            logits, truth[..., None], sample_weight=counts, batch_size=4, verbose=0, return_dict=True
        )
        assert results[name] == pytest.approx(wanted)


def test_pixels_are_counted_beyond_the_precision_of_float32():
    metric = MeanIoU()
    metric.update_state(np.zeros((1, 1, 1)), np.zeros((1, 1, 1, 2)))
    metric.confusion.assign(np.array([[2**24, 0], [0, 0]]))
    for _ in range(3):
        metric.update_state(np.zeros((1, 1, 1)), np.zeros((1, 1, 1, 2)))
    assert int(metric.confusion[0, 0]) == 2**24 + 3


@pytest.mark.parametrize("width", [1, 2, 5, 40])
def test_a_trimap_is_what_lies_near_a_boundary(width):
    rng = np.random.default_rng(width)
    truth = np.kron(rng.integers(0, 3, (3, 4)), np.ones((9, 8), int))
    counts = np.ones(truth.shape, bool)
    counts[4:9, 10:14] = False
    labels = np.where(counts, truth, -1)
    cross = ndimage.generate_binary_structure(2, 1)
    boundary = ndimage.maximum_filter(labels, footprint=cross) != ndimage.minimum_filter(labels, footprint=cross)
    away = ndimage.distance_transform_cdt(~boundary, "chessboard")
    np.testing.assert_array_equal(trimap(truth, width, counts), (away < width) & counts)


def test_trimaps_of_small_and_plain_pictures():
    assert not trimap(np.zeros((4, 5), int), 3).any()
    assert not trimap(np.zeros((1, 1), int), 1).any()
    np.testing.assert_array_equal(trimap(np.array([[0, 0, 1, 1, 1]]), 1), [[False, True, True, False, False]])
    with pytest.raises(ValueError, match="`width` must be a positive integer"):
        trimap(np.zeros((2, 2), int), 0)


def test_intervals_cover_what_they_claim():
    """The share of 95 % intervals, each of 60 images of a known film, that cover the film's own number."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(9), 3000)
    film = np.stack([rng.multinomial(400, p) for p in probabilities]).reshape(-1, 3, 3)
    film += np.eye(3, dtype=film.dtype) * 60
    truth = mean_intersection_over_union(film.sum(0))
    covered, widths = 0, []
    for seed in range(200):
        images = film[rng.choice(3000, 60)]
        value, low, high = interval_over_images(images, draws=300, seed=seed)
        assert low < value < high
        assert value == pytest.approx(mean_intersection_over_union(images.sum(0)))
        covered += low <= truth <= high
        widths.append(high - low)
    assert 180 <= covered <= 199


def test_pairs_tell_differences_that_single_intervals_hide():
    rng = np.random.default_rng(0)
    images = np.stack([np.diag(rng.integers(100, 9000, 3)) for _ in range(40)])
    images += rng.integers(0, 1500, images.shape)
    better = images + np.eye(3, dtype=int) * 30
    difference, low, high = interval_over_images(better, images)
    assert 0 < low < difference < high
    _, one_low, one_high = interval_over_images(images)
    _, other_low, other_high = interval_over_images(better)
    assert max(one_low, other_low) < min(one_high, other_high)
    assert interval_over_images(images, images) == (0.0, 0.0, 0.0)


def test_labels_that_some_draws_lack_do_no_harm():
    images = np.zeros((5, 3, 3))
    images[:, 0, 0] = 10
    images[0, 2, 2] = 5
    assert interval_over_images(images)[0] == 1.0
