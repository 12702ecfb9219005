import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers.lattice_filter import Lattice, neighbours, number, pack
from keras_seqgen.layers.permutohedral import enclosing_simplex
from tests.reference.crf import lattice_of, lattice_sums


def points(d, spread, seed=0):
    """(N, d) in clusters: near enough to be neighbours in a cluster, the clusters far from each other."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(centre, 1.0, (15, d)) for centre in rng.uniform(-spread, spread, (5, d))])


def lattice(features):
    return Lattice(tf.constant(features.T))


# 300 deviations in five dimensions, and 1000 in three: the keys of the vertices need more than 32 bits.
@pytest.mark.parametrize(("d", "spread"), [(1, 5.0), (2, 5.0), (3, 1000.0), (5, 3.0), (5, 150.0), (6, 40.0)])
def test_sums_equal_those_of_a_dictionary_of_coordinates(d, spread):
    features, values = points(d, spread), np.random.default_rng(1).normal(size=(75, 3))
    wanted = lattice_sums(features, values)
    np.testing.assert_allclose(lattice(features).apply(tf.constant(values)), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spread", [3.0, 150.0])
def test_keys_and_neighbours_are_those_of_the_vertices(spread):
    """Every vertex has one number of its own, and exactly the neighbours that exist: no key stands for two places."""
    features, D = points(5, spread), 6
    origin, rank, _ = enclosing_simplex(tf.constant(features.T))
    keys, strides, fits = pack(origin, rank)
    corners, sorted_keys = number(keys)
    following = neighbours(sorted_keys, strides).numpy()
    assert fits
    coordinates = {}
    for simplex, numbers in zip(lattice_of(features), corners.numpy().T, strict=True):
        for (vertex, _), number_ in zip(simplex, numbers, strict=True):
            assert coordinates.setdefault(vertex, number_) == number_
    assert sorted(coordinates.values()) == list(range(following.shape[1]))
    for vertex, number_ in coordinates.items():
        for axis in range(D):
            step = np.ones(D, int) - D * (np.arange(D) == axis)
            assert following[axis, number_] == coordinates.get(tuple(vertex + step), -1)


def test_a_colour_photograph_needs_more_than_32_bits():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.uniform(0, 500 / 160, (2, 2000)), rng.uniform(0, 255 / 1, (3, 2000))])
    keys, _, fits = pack(*enclosing_simplex(tf.constant(features, tf.float32))[:2])
    assert fits
    assert keys[0].dtype == tf.int64
    assert tf.reduce_max(keys[0]) > 2**33


def test_the_adjoint_is_exact():
    features, rng = points(5, 3.0), np.random.default_rng(2)
    x, y = rng.normal(size=(2, 75, 4))
    network = lattice(features)
    there, back = np.vdot(network.apply(tf.constant(x)), y), np.vdot(x, network.adjoint(tf.constant(y)))
    assert abs(there - back) < 1e-6 * np.linalg.norm(network.apply(tf.constant(x))) * np.linalg.norm(y)
    other = np.vdot(x, network.apply(tf.constant(y)))  # the axes the wrong way round
    assert abs(there - other) > 1e-6 * np.linalg.norm(network.apply(tf.constant(x))) * np.linalg.norm(y)


@pytest.mark.parametrize(
    ("what", "value"),
    [("NaN", np.nan), ("infinite", np.inf), ("beyond int64", 1e30), ("no room within a cell", 1e7)],
)
def test_features_that_a_key_cannot_hold(what, value):
    features = points(3, 2.0).astype("float32")
    features[7, 2] = value
    with pytest.raises(ValueError, match="The image must be finite, near 0 and span fewer"):
        lattice(features)
    ones = tf.ones((75, 1))
    assert np.isnan(tf.function(lambda f: Lattice(f).apply(ones))(tf.constant(features.T))).all()


def test_a_product_of_spans_that_overflows_is_refused():
    features = points(9, 300.0)
    with pytest.raises(ValueError, match="Received: 9 features"):
        lattice(features)
    assert np.isfinite(lattice(points(7, 20.0)).apply(tf.ones((75, 1), tf.float64))).all()
