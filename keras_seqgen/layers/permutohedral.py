"""The permutohedral lattice: where a point of d-dimensional space lies in it, and with which weights."""

import numpy as np
from keras import ops


def elevation(d):
    """The D x d matrix, D = d + 1, that puts d-dimensional points on the plane sum(e) = 0 of D dimensions.

        E[0 .. j, j] = 1 / sqrt((j + 1)(j + 2))        E[j + 1, j] = -(j + 1) / sqrt((j + 1)(j + 2)),

    times D sqrt(2 / 3). At this scale splat, blur and slice have together the variance of a unit Gaussian.

    Returns:
        (D, d) float64.
    """
    matrix = np.zeros((d + 1, d))
    for j in range(d):
        matrix[: j + 1, j] = 1.0
        matrix[j + 1, j] = -(j + 1.0)
        matrix[:, j] /= np.sqrt((j + 1.0) * (j + 2.0))
    return matrix * (d + 1) * np.sqrt(2.0 / 3.0)


def enclosing_simplex(features):
    """The lattice simplex around each point.

    The simplex has one vertex of each remainder k = 0 .. d; vertex k has the coordinates

        D c + k,    c_i = origin_i - [rank_i > d - k],    D = d + 1

    and the barycentric weight `weights[k]`; the D weights are at least 0 and sum to 1. With the residuals
    e / D - origin sorted downward s_0 >= .. >= s_d, weight 0 is 1 - (s_0 - s_d) and weight k is s_(d-k) - s_(d+1-k).

    Args:
        features: (d, N) float, in units of the Gaussian's standard deviation.

    Returns:
        origin: (D, N), whole numbers that sum to 0 over the first axis.
        rank: (D, N), for each point a permutation of 0 .. d: the place of each residual from the greatest down.
        weights: (D, N). All three have the dtype of `features`.

    Source: Adams, Baek and Davis 2010, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", section 3.
    """
    d = features.shape[0]
    D = d + 1
    elevated = ops.matmul(ops.cast(elevation(d) / D, features.dtype), features)
    origin = ops.round(elevated)
    above_plane = ops.sum(origin, axis=0)
    rank = ops.stack(_ranks(ops.unstack(elevated - origin, axis=0), above_plane))
    wrap = ops.cast(rank < 0, rank.dtype) - ops.cast(rank > d, rank.dtype)
    origin = origin + wrap
    s = _sorted_downward(ops.unstack(elevated - origin, axis=0))
    weights = [1.0 - (s[0] - s[d]), *(s[d - k] - s[d + 1 - k] for k in range(1, D))]
    return origin, rank + D * wrap, ops.stack(weights)


def _ranks(residuals, start):
    """For each of D vectors, `start` plus the number of greater ones, element by element; of two equals the first."""
    ranks = [start] * len(residuals)
    for i, a in enumerate(residuals):
        for j in range(i + 1, len(residuals)):
            less = ops.cast(a < residuals[j], a.dtype)
            ranks[i] = ranks[i] + less
            ranks[j] = ranks[j] + (1.0 - less)
    return ranks


def _sorted_downward(vectors):
    """Sort D vectors element by element: a network of minima and maxima, faster than sorting N short rows."""
    s = list(vectors)
    for turn in range(len(s)):
        for i in range(turn % 2, len(s) - 1, 2):
            s[i], s[i + 1] = ops.maximum(s[i], s[i + 1]), ops.minimum(s[i], s[i + 1])
    return s
