import numpy as np
import pytest

from keras_seqgen.layers.permutohedral import elevation, enclosing_simplex

DIMENSIONS = [1, 2, 3, 5, 8]


@pytest.mark.parametrize("d", DIMENSIONS)
def test_elevation_is_a_scaled_isometry_onto_the_plane(d):
    matrix = elevation(d)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(d) * (d + 1) ** 2 * 2 / 3, atol=1e-10)


def vertices(origin, rank, d):
    """(D, D, N): the coordinates of vertex k of each point's simplex."""
    remainders = np.arange(d + 1)[:, None, None]
    return (d + 1) * (origin - (rank > d - remainders)) + remainders


@pytest.mark.parametrize("d", DIMENSIONS)
def test_the_simplex_holds_its_point(d):
    features = np.random.default_rng(d).normal(0, 20, (d, 500))
    origin, rank, weights = (np.asarray(x) for x in enclosing_simplex(features))
    assert weights.min() >= -1e-12
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    np.testing.assert_array_equal(np.sort(rank, axis=0), np.tile(np.arange(d + 1)[:, None], 500))
    assert not origin.sum(axis=0).any()
    corners = vertices(origin, rank, d)
    assert not corners.sum(axis=1).any()
    assert not ((corners - np.arange(d + 1)[:, None, None]) % (d + 1)).any()
    np.testing.assert_allclose((corners * weights[:, None]).sum(axis=0), elevation(d) @ features, atol=1e-9)


def test_a_vertex_has_all_its_weight_on_itself():
    origin, rank, weights = (np.asarray(x) for x in enclosing_simplex(np.zeros((4, 1))))
    np.testing.assert_allclose(weights[:, 0], [1, 0, 0, 0, 0], atol=1e-12)
    assert not vertices(origin, rank, 4)[0].any()


def test_it_computes_in_the_dtype_of_its_features():
    features = np.random.default_rng(0).normal(0, 20, (5, 300))
    double, single = enclosing_simplex(features), enclosing_simplex(features.astype("float32"))
    assert {str(x.dtype.name) for x in single} == {"float32"}
    np.testing.assert_allclose(single[2], double[2], atol=1e-4)
