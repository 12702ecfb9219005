"""The likeliest path against all paths."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.decoding.viterbi import change_cost, viterbi


def brute_force(scores, transition):
    """The best of all K^T paths, and its value."""
    T, K = scores.shape

    def value(path):
        steps = sum(transition[a, b] for a, b in itertools.pairwise(path))
        return sum(scores[t, k] for t, k in enumerate(path)) + steps

    best = max(itertools.product(range(K), repeat=T), key=value)
    return best, value(best)


def by_steps(scores, transition):
    """The recursion in NumPy."""
    value, pointers = scores[0].astype(np.float64), []
    for score in scores[1:]:
        arriving = value[:, None] + transition
        pointers.append(arriving.argmax(axis=0))
        value = arriving.max(axis=0) + score
    path = [int(value.argmax())]
    for pointer in reversed(pointers):
        path.append(int(pointer[path[-1]]))
    return path[::-1]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_best_of_all_paths(seed):
    rng = np.random.default_rng(seed)
    K = 2 + seed % 3
    lengths = np.array([6, 1, 4, 5], np.int32)
    scores = rng.normal(size=(4, 6, K)).astype(np.float32)
    transition = rng.normal(size=(K, K)).astype(np.float32)
    found = viterbi(scores, lengths, transition).numpy()
    assert found.dtype == np.int32
    for row, n, path in zip(scores, lengths, found, strict=True):
        assert tuple(path[:n]) == brute_force(row[:n], transition)[0]
        assert not path[n:].any()


def test_long_rows_and_padding_that_says_something_else():
    rng = np.random.default_rng(1)
    scores = np.log(rng.dirichlet(np.ones(4) * 0.3, (3, 200)) + 1e-6).astype(np.float32)
    lengths = np.array([200, 37, 120], np.int32)
    transition = change_cost(4, 3.0).numpy()
    found = viterbi(scores, lengths, transition).numpy()
    for row, n, path in zip(scores, lengths, found, strict=True):
        assert path[:n].tolist() == by_steps(row[:n], transition)
        np.testing.assert_array_equal(path[:n], viterbi(row[None, :n], [n], transition).numpy()[0])


def test_what_a_change_costs():
    scores = np.log(np.array([[[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]]], np.float32))
    assert viterbi(scores, [3], change_cost(2, 2.0)).numpy().tolist() == [[0, 0, 0]]
    assert viterbi(scores, [3], change_cost(2, 0.1)).numpy().tolist() == [[0, 1, 0]]
    free = viterbi(scores, [3], change_cost(2, 0.0)).numpy()
    np.testing.assert_array_equal(free, scores.argmax(axis=-1))
    np.testing.assert_array_equal(change_cost(3, 2.0), 2.0 * np.eye(3) - 2.0)
    found = change_cost(3, 2.0, 0.5).numpy()
    np.testing.assert_array_equal(found, [[0, -0.5, -0.5], [-0.5, 0, -2], [-0.5, -2, 0]])
    changes = []
    rng = np.random.default_rng(2)
    noisy = rng.normal(size=(1, 300, 4)).astype(np.float32)
    for cost in (0.0, 0.5, 1.0, 2.0, 4.0, 100.0):
        path = viterbi(noisy, [300], change_cost(4, cost)).numpy()[0]
        changes.append(int((np.diff(path) != 0).sum()))
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] == 0 < changes[0]


def test_nothing_at_all():
    assert viterbi(np.zeros((2, 0, 4), np.float32), [0, 0], change_cost(4, 1.0)).shape == (2, 0)
    assert viterbi(np.zeros((0, 5, 4), np.float32), np.zeros(0, np.int32), change_cost(4, 1.0)).shape == (0, 5)
    assert viterbi(np.ones((2, 3, 4), np.float32), [0, 3], change_cost(4, 1.0)).numpy()[0].tolist() == [0, 0, 0]


def test_in_a_graph_of_unknown_sizes():
    kinds = tf.TensorSpec([None, None, 3], tf.float32), tf.TensorSpec([None], tf.int32)
    graph = tf.function(lambda s, n: viterbi(s, n, change_cost(3, 1.0)), input_signature=kinds)
    for T in (1, 2, 9):
        scores = np.random.default_rng(T).normal(size=(2, T, 3)).astype(np.float32)
        wanted = [by_steps(row, change_cost(3, 1.0).numpy()) for row in scores]
        assert graph(scores, [T, T]).numpy().tolist() == wanted
