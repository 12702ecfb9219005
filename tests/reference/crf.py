"""A fully connected CRF retold in NumPy, float64: the Gaussians by brute force, and a lattice in a dictionary.

Sources: Kraehenbuehl and Koltun 2011 (arXiv 1210.5644); Adams, Baek and Davis 2010, sections 3 and 4.
"""

from collections import defaultdict
from itertools import product

import numpy as np


def features_of(shape, theta_position, image=None, theta_colour=None):
    """(N, d): the position of each pixel, the last axis first, and its channels, each over its theta."""
    positions = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, len(shape))
    parts = [positions[:, ::-1] / theta_position]
    if image is not None:
        parts.append(np.asarray(image, float).reshape(len(positions), -1) / theta_colour)
    return np.concatenate(parts, axis=1)


def gaussian_means(features, values, mask=None):
    """sum_q k(p, q) x_q / sum_q k(p, q) over the q in `mask`, for p in it; 0 elsewhere. values (N, L)."""
    real = np.ones(len(features), bool) if mask is None else mask
    distances = (((features[:, None] - features[None]) ** 2).sum(-1))[np.ix_(real, real)]
    kernel = np.exp(-distances / 2)
    result = np.zeros(values.shape)
    result[real] = kernel @ values[real] / kernel.sum(1, keepdims=True)
    return result


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def dense_mean_field(logits, image, iterations, thetas, weights, mask=None):
    """T steps for one image; logits (..., L), image (..., C); thetas alpha, beta, gamma; weights Ws, Wb, mu; pixel by
    pixel as the paper writes it, each matrix from the left on a column of labels."""
    alpha, beta, gamma = thetas
    spatial_weights, bilateral_weights, compatibility = (np.asarray(w, float) for w in weights)
    shape, L = logits.shape[:-1], logits.shape[-1]
    unary = np.asarray(logits, float).reshape(-1, L)
    real = None if mask is None else mask.ravel()
    near, like = features_of(shape, gamma), features_of(shape, alpha, image, beta)
    q = unary
    for _ in range(iterations):
        p = softmax(q)
        s, b = gaussian_means(near, p, real), gaussian_means(like, p, real)
        messages = np.stack([spatial_weights @ s[i] + bilateral_weights @ b[i] for i in range(len(p))])
        q = unary - np.stack([compatibility @ m for m in messages])
    return q.reshape(logits.shape)


def lattice_of(features):
    """For each point a list of (vertex, weight), a vertex being its coordinates.

    Each point's simplex is found by search: of all ways to round its D elevated coordinates to multiples of D plus one
    remainder each, the D vertices whose barycentric weights are not negative.
    """
    d = features.shape[1]
    D = d + 1
    basis = np.zeros((D, d))
    for j in range(d):
        basis[: j + 1, j] = 1 / np.sqrt((j + 1) * (j + 2))
        basis[j + 1, j] = -(j + 1) / np.sqrt((j + 1) * (j + 2))
    return [_simplex(point, D) for point in features @ (basis * D * np.sqrt(2 / 3)).T]


def _simplex(point, D):
    floor = np.floor(point / D).astype(int) * D
    for up in product((0, 1), repeat=D):
        zero = floor + D * np.array(up)
        if zero.sum() != 0:
            continue
        order = np.argsort(-(point - zero), kind="stable")  # vertex k takes k - D in the k coordinates lowest above it
        vertices = [zero + k - D * np.isin(np.arange(D), order[D - k :]) for k in range(D)]
        system = np.concatenate([np.stack(vertices, axis=1), np.ones((1, D))])
        weights = np.linalg.lstsq(system, np.append(point, 1), rcond=None)[0]
        if weights.min() > -1e-9:
            return [(tuple(vertex), weight) for vertex, weight in zip(vertices, weights, strict=True)]
    raise AssertionError(f"no simplex holds {point}")


def lattice_sums(features, values):
    """Splat, blur along the axes 0 .. d, slice; (N, L), not divided by anything."""
    D, L = features.shape[1] + 1, values.shape[1]
    simplices = lattice_of(features)
    lattice = defaultdict(lambda: np.zeros(L))
    for simplex, value in zip(simplices, values, strict=True):
        for vertex, weight in simplex:
            lattice[vertex] += weight * value
    for axis in range(D):
        step = np.ones(D, int) - D * (np.arange(D) == axis)
        nothing, blurred = np.zeros(L), {}
        for vertex, value in lattice.items():
            sides = (lattice.get(tuple(vertex + sign * step), nothing) for sign in (1, -1))
            blurred[vertex] = value + sum(sides) / 2
        lattice = blurred
    return np.stack([sum(weight * lattice[vertex] for vertex, weight in simplex) for simplex in simplices])
