"""The features of ink in a TensorFlow graph are those of NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data import ink_arrays
from keras_seqgen.data.hands import embedded_line
from keras_seqgen.data.ink_features import FEATURES, ink_features
from keras_seqgen.serving import ink_tensors


@pytest.fixture(scope="module", params=FEATURES)
def twin(request):
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)], autograph=False)
    def features(strokes):
        return ink_features(strokes, request.param, ink_tensors)

    return request.param, features


def test_both_libraries_have_the_same_functions():
    def public(module):
        return {name for name in vars(module) if not name.startswith("_")} - {"np", "tf"}

    assert public(ink_tensors) == public(ink_arrays)


def test_lines_of_ink_get_the_same_numbers(twin):
    kind, features = twin
    for index in range(12):
        strokes = embedded_line(index, seed=7, style="full").strokes
        np.testing.assert_allclose(features(strokes), ink_features(strokes, kind), atol=1e-8)


@pytest.mark.parametrize("rows", [[[0, 0, 1]], [[5, 0, 1], [0, 3, 0]], [[0, 0, 0], [0, 0, 1]], [[1e7, -1e7, 0]]])
def test_so_does_what_is_hardly_ink(twin, rows):
    kind, features = twin
    strokes = np.array(rows, np.float32)
    np.testing.assert_allclose(features(strokes), ink_features(strokes, kind), atol=1e-6)


def test_real_lines(twin, data):
    kind, features = twin
    lines = np.load(data / "iam_ondb" / "iam_ondb_lines.npz")
    offset, dxy, end = lines["offset"], lines["dxy"], lines["end"]
    for number in np.random.default_rng(0).choice(len(offset) - 1, 12, replace=False):
        rows = slice(offset[number] + 1, offset[number + 1])
        strokes = np.column_stack([dxy[rows], end[rows]]).astype(np.float32)
        np.testing.assert_allclose(features(strokes), ink_features(strokes, kind), atol=1e-7)
