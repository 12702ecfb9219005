"""The counter-based noise: known answers, its distribution, and that parts of a line meet the noise of the whole."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.decoding.noise import point_noise, threefry

# Known answers of Random123 1.14 (kat_vectors, "threefry2x32 20"): key, counter, result.
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "result"), KNOWN)
def test_threefry_gives_the_known_answers(key, counter, result):
    key, counter = ([tf.constant(word, tf.uint32) for word in pair] for pair in (key, counter))
    assert tuple(int(word) for word in threefry(key, counter)) == result


def test_noise_has_its_distribution():
    noise = point_noise(tf.stack([tf.range(50), tf.zeros(50, tf.int32)], -1), tf.zeros(50, tf.int32), 400).numpy()
    flat = noise.reshape(-1, 4)
    assert (flat[:, :2] >= 0).all()
    assert (flat[:, :2] < 1).all()
    for column, law in enumerate(("uniform", "uniform", "norm", "norm")):
        assert stats.kstest(flat[:, column], law).pvalue > 1e-3
    correlation = np.corrcoef(np.concatenate([flat[:-1], flat[1:]], axis=1).T) - np.eye(8)
    assert np.abs(correlation).max() < 0.03


def test_parts_of_a_row_and_of_a_batch_are_the_same():
    seed, first = tf.constant([[1, 2], [3, 4], [1, 2], [-7, 9]]), tf.constant([0, 5, 16, 2])
    whole = point_noise(seed, first, 48).numpy()
    np.testing.assert_array_equal(whole[0, 16:], whole[2, :32])
    np.testing.assert_array_equal(point_noise(seed[:2], first[:2] + 16, 32).numpy(), whole[:2, 16:])
    assert not np.isin(whole[1], whole[3]).any()
