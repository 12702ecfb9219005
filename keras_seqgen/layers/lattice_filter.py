"""Gaussian filtering over a permutohedral lattice. In TensorFlow's own operations: keras.ops has no sparse products."""

import os

import numpy as np
import tensorflow as tf

from keras_seqgen.layers.permutohedral import enclosing_simplex

# oneDNN's sparse product takes a third of the time of TensorFlow's own on a CPU, and a whole CRF well under half. Eager
# mode uses it anyway, graphs only where this variable says so. Set here, after TensorFlow's import, it works, as tried;
# in a process that has run graphs before, that was not tried. Whoever has set it keeps what they set. A program that
# runs an exported model without this package, such as TensorFlow Serving, has to set it for itself.
os.environ.setdefault("TF_ENABLE_ONEDNN_SPMM", "1")

MAX_CELLS = 2**62  # below it no key overflows an int64


class Lattice:
    """The vertices around one image's points, and the products of the filter.

        splat:  y = S' x          x (N, L) over points, y (M, L) over vertices, S (N, M) of barycentric weights
        blur:   y = B_j y,        B_j y_v = y_v + 1/2 (y_(v + a_j) + y_(v - a_j)), j = 0 .. d, where those exist
        slice:  S y

    so that `apply(x)` is S B_d .. B_0 S' x and `adjoint(x)`, each B_j being symmetric, S B_0 .. B_d S' x. Only the
    quotient of two results means anything: the factor is left out.

    Args:
        features: (d, N), d known before the graph runs. No gradient reaches them.

    Raises:
        ValueError: in eager mode, the points span more than 2^62 lattice cells, or lie so far from the origin that
            their dtype cannot say where in a cell. In a graph the results are NaN.

    Source: Adams, Baek and Davis 2010. Neighbours are found by sorted keys instead of a hash table.
    """

    def __init__(self, features):
        origin, rank, weights = enclosing_simplex(tf.stop_gradient(features))
        keys, strides, fits = pack(origin, rank)
        if tf.executing_eagerly() and not fits:
            raise ValueError(
                "The image must be finite, near 0 and span fewer than 2^62 cells of the lattice: scale it, take larger "
                f"thetas or fewer channels. Received: {features.shape[0]} features from "
                f"{tf.reduce_min(features, 1).numpy()} to {tf.reduce_max(features, 1).numpy()}, in units of the thetas"
            )
        self.corners, vertices = number(keys)
        self.weights = tf.where(fits, weights, tf.constant(float("nan"), weights.dtype))
        self.following = neighbours(vertices, strides)
        self._products = {}

    def apply(self, values):
        splat, blurs, slice_ = self._matrices()
        return _product(slice_, _chain(blurs, _product(splat, values)))

    def adjoint(self, values):
        splat, blurs, slice_ = self._matrices()
        return _product(slice_, _chain(reversed(blurs), _product(splat, values)))

    def _matrices(self):
        """The sparse matrices, made once in each graph that asks: a sparse matrix cannot go from a loop to its
        gradient.

        The corners, weights and neighbours can, and take a quarter of the memory.
        """
        graph = tf.compat.v1.get_default_graph()  # eager mode has one of its own, always the same
        if graph not in self._products:
            slice_ = _slice_matrix(self.corners, self.weights, tf.shape(self.following)[1])
            splat = tf.raw_ops.SparseMatrixTranspose(input=slice_, type=self.weights.dtype)
            blurs = [_blur_matrix(following, self.weights.dtype) for following in tf.unstack(self.following)]
            self._products[graph] = splat, blurs, slice_
        return self._products[graph]


def pack(origin, rank):
    """One integer for each vertex; vertices of different remainders are numbered apart.

        key = sum_i strides_i (c_i - low_i),    i = 0 .. d - 1

    The d coordinates of c are the digits; the last follows, for their sum is known. Each digit has room for one step
    below and above what occurs, or a neighbour's key would be that of a vertex at the other end of the next digit.

    Args:
        origin, rank: (D, N), of `enclosing_simplex`.

    Returns:
        keys: a list of D int64 vectors (N,): those of vertex 0 .. d of each point's simplex.
        strides: (d,) int64. One step along axis j, that is c - e_j, is -strides[j]; along axis d it is 0.
        fits: a boolean scalar: whether every coordinate is a number, with three bits left for the place within a cell,
            and the keys stay below `MAX_CELLS`.
    """
    D = origin.shape[0]
    digits = tf.cast(origin[:-1], tf.int64)
    # c is origin or origin - 1; then one step more. Fractions have their least on a GPU, 64-bit integers have not.
    low = tf.cast(tf.reduce_min(origin[:-1], axis=1), tf.int64) - 2
    sizes = tf.cast(tf.reduce_max(origin[:-1], axis=1), tf.int64) - low + 2
    exact = tf.abs(origin) < 1 / (8 * np.finfo(origin.dtype.as_numpy_dtype).eps)  # false for NaN
    fits = tf.reduce_all(exact) & (tf.reduce_prod(tf.cast(sizes, tf.float64)) < MAX_CELLS)
    strides = tf.math.cumprod(sizes, exclusive=True, reverse=True)
    keys = [tf.reduce_sum((digits - low[:, None]) * strides[:, None], axis=0)]
    ranks, steps = tf.unstack(rank[:-1]), tf.unstack(strides)
    for k in range(1, D):
        step = tf.zeros_like(keys[0])
        for i in range(D - 1):
            step = tf.where(ranks[i] == D - k, steps[i], step)
        keys.append(keys[-1] - step)
    return keys, strides, fits


def number(keys):
    """Number the vertices: by remainder, then by key, so that neighbours are near each other in memory.

    Args:
        keys: a list of D vectors (N,).

    Returns:
        corners: (D, N) int32, the number of each key's vertex.
        vertices: a list of D sorted vectors of keys without repeats; M keys in all.
    """
    corners, vertices, count = [], [], tf.constant(0)
    for key in keys:
        unique, place = tf.unique(key)
        order = tf.argsort(unique)
        corners.append(count + tf.gather(tf.math.invert_permutation(order), place))
        vertices.append(tf.gather(unique, order))
        count = count + tf.size(unique)
    return tf.stack(corners), vertices


def neighbours(vertices, strides):
    """The vertex one step along each axis from each vertex.

    Along axis j a vertex of remainder k goes to one of remainder k + 1, with c - e_j; and one of remainder d to one of
    remainder 0, with c + 1 - e_j.

    Args:
        vertices: of `number`.
        strides: of `pack`.

    Returns:
        (D, M) int32, -1 where there is no such vertex.
    """
    D = len(vertices)
    starts = tf.unstack(tf.math.cumsum(tf.stack([tf.size(keys) for keys in vertices]), exclusive=True))
    along_axis = []
    for back in [*tf.unstack(strides), tf.zeros_like(strides[0])]:
        found = []
        for k, keys in enumerate(vertices):
            wanted = keys - back + (tf.reduce_sum(strides) if k == D - 1 else 0)
            following = (k + 1) % D
            place = tf.searchsorted(vertices[following], wanted)
            place = tf.minimum(place, tf.size(vertices[following]) - 1)
            exists = tf.gather(vertices[following], place) == wanted
            found.append(tf.where(exists, starts[following] + place, -1))
        along_axis.append(tf.concat(found, axis=0))
    return tf.stack(along_axis)


def _slice_matrix(corners, weights, size):
    """(N, M), D weights in each row."""
    columns = tf.cast(tf.transpose(corners), tf.int64)
    rows = tf.broadcast_to(tf.range(tf.shape(columns, tf.int64)[0])[:, None], tf.shape(columns))
    places = tf.reshape(tf.stack([rows, columns], axis=-1), (-1, 2))
    return _sparse(places, tf.reshape(tf.transpose(weights), (-1,)), [tf.shape(corners)[1], size])


def _blur_matrix(following, dtype):
    """(M, M): 1 on the diagonal, 1/2 at the neighbours that exist."""
    itself = tf.range(tf.size(following))
    has_following = tf.where(following >= 0)
    preceding = tf.tensor_scatter_nd_update(
        tf.fill(tf.shape(following), -1),
        tf.gather(following, has_following),
        tf.cast(has_following[:, 0], tf.int32),
    )
    columns = tf.stack([itself, following, preceding], axis=1)
    entries = tf.where(columns >= 0)
    places = tf.stack([entries[:, 0], tf.cast(tf.gather_nd(columns, entries), tf.int64)], axis=1)
    return _sparse(places, tf.gather(tf.constant([1.0, 0.5, 0.5], dtype), entries[:, 1]), [tf.size(following)] * 2)


def _sparse(places, values, shape):
    shape = tf.cast(tf.stack(shape), tf.int64)
    return tf.raw_ops.SparseTensorToCSRSparseMatrix(indices=places, values=values, dense_shape=shape)


def _product(matrix, values):
    return tf.raw_ops.SparseMatrixMatMul(a=matrix, b=values)


def _chain(matrices, values):
    for matrix in matrices:
        values = _product(matrix, values)
    return values


def one_by_one(function, tensors):
    """Call `function(**tensors)` for each image of a batch, and stack the results.

    One after another: the memory is that of one image, and no result depends on the batch.

    Args:
        function: takes the tensors with a first dimension of 1; returns one of the shape and dtype of the first.
        tensors: a dict of tensors with the same first dimension.
    """
    first = next(iter(tensors.values()))
    return tf.map_fn(
        lambda image: function(**{name: part[None] for name, part in image.items()})[0],
        tensors,
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec(first.shape[1:], first.dtype),
    )
