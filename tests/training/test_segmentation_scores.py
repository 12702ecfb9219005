import json

import numpy as np
import pytest

from keras_seqgen.data.segmentation import segmentation_batches
from keras_seqgen.metrics.label_overlap import confusion, mean_intersection_over_union, trimap
from keras_seqgen.training.segmentation_scores import Scores, score
from tests.segmentation_data import LABELS, SIZE, scene, write_prepared


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("scenes"))


def by_colour(images):
    """The label whose colour is nearest."""
    away = np.linalg.norm(np.asarray(images)[..., None, :] - np.array(LABELS.colours), axis=-1)
    return away.argmin(-1)


def test_scores_are_those_of_each_picture(data):
    scores = score(by_colour, segmentation_batches(data, "valid", 3), LABELS.count, widths=(2,))
    assert scores.whole.shape == scores.near[2].shape == (4, 3, 3)
    whole, near = np.zeros((3, 3), int), np.zeros((3, 3), int)
    for number in range(4):
        picture, truth = scene([*b"valid", number])
        found, counts = by_colour(picture), truth != 255
        one = confusion(truth, found, 3, counts)
        np.testing.assert_array_equal(scores.whole[number], one)
        whole += one
        near += confusion(truth, found, 3, trimap(truth, 2, counts))
    report = scores.report(LABELS)
    assert report["mean_iu"] == scores.mean_iu == pytest.approx(mean_intersection_over_union(whole))
    assert report["trimap_2_mean_iu"] == pytest.approx(mean_intersection_over_union(near))
    assert report["mean_iu_low"] <= report["mean_iu"] <= report["mean_iu_high"]
    assert report["pixel_accuracy"] == pytest.approx(np.trace(whole) / whole.sum())
    assert report["iu_sky"] > 0.9
    assert report["images"] == 4


@pytest.mark.filterwarnings("error")
def test_pictures_without_a_boundary_have_no_number_there():
    whole = np.zeros((2, 3, 3), int)
    whole[:, 2, 2] = 9
    scores = Scores(whole, {2: np.zeros_like(whole)})
    report = scores.report(LABELS)
    assert [report[f"trimap_2_mean_iu{end}"] for end in ("", "_low", "_high")] == [None] * 3
    assert (report["mean_iu"], report["iu_wall"], report["iu_sky"]) == (1, None, 1)
    assert scores.differences(scores) == {"mean_iu": [0, 0, 0], "trimap_2_mean_iu": [None] * 3}
    json.dumps(report, allow_nan=False)


def test_perfect_labels_score_one_and_differences_are_in_pairs(data):
    truths = {picture.tobytes(): truth for picture, truth in (scene([*b"valid", n]) for n in range(4))}

    def perfect(images):
        return np.stack([truths[image.astype(np.uint8).tobytes()] for image in np.asarray(images)]) % 255

    def worse(images):
        return np.zeros((len(images), *SIZE), int)

    best, other = (
        score(predict, segmentation_batches(data, "valid", 2), 3, widths=(1,)) for predict in (perfect, worse)
    )
    assert best.mean_iu == 1
    difference, low, high = best.differences(other)["mean_iu"]
    assert difference == pytest.approx(1 - other.mean_iu)
    assert 0 < low <= difference <= high
    assert other.report(LABELS)["iu_sky"] == 0
