"""Random numbers that are a pure function of a row's own seed and of the number of the point."""

import math

import tensorflow as tf

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = 0x1BD11BDA


def threefry(key, counter):
    """The block cipher Threefry-2x32 with 20 rounds, used as a counter-based random number generator.

    It is integer arithmetic, element by element: the same bits on every device, wherever a row stands in its batch.

    Args:
        key: pair of uint32 tensors.
        counter: pair of uint32 tensors that broadcast against the key.

    Returns:
        Pair of uint32 tensors of random bits.

    Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    keys = (*key, tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(key[0], key[1]), tf.constant(PARITY, tf.uint32)))
    a, b = counter[0] + keys[0], counter[1] + keys[1]
    for turn in range(5):
        for distance in ROTATIONS[turn % 2]:
            a = a + b
            left = tf.bitwise.left_shift(b, tf.constant(distance, tf.uint32))
            right = tf.bitwise.right_shift(b, tf.constant(32 - distance, tf.uint32))
            b = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_or(left, right), a)
        a = a + keys[(turn + 1) % 3]
        b = b + keys[(turn + 2) % 3] + tf.constant(turn + 1, tf.uint32)
    return a, b


def point_noise(seed, first, count):
    """The noise that `distributions.stroke_sample` takes, for `count` points of each row.

        u_1, u_2 = uniform in [0, 1)          n_1, n_2 = sqrt(-2 log v_1) (cos 2 pi v_2, sin 2 pi v_2)

    The four uniform numbers of point t are two blocks of Threefry with the row's seed as key and (t, 0), (t, 1) as
    counter, so that a line drawn in parts, alone or in a batch meets the same noise.

    Args:
        seed: (B, 2) int32.
        first: (B,) int32, the number of each row's first point.
        count: T, int or int32 scalar.

    Returns:
        (B, T, 4) float32: u_1, u_2, n_1, n_2.
    """
    key = tf.unstack(tf.bitcast(seed, tf.uint32)[:, :, None, None], axis=1)
    point = tf.bitcast(first[:, None] + tf.range(count), tf.uint32)[:, :, None]
    words = threefry(key, (point, tf.constant([0, 1], tf.uint32)))  # each (B, T, 2)
    pen, ink = tf.unstack(tf.cast(tf.bitwise.right_shift(tf.stack(words, -1), 8), tf.float32) * 2.0**-24, axis=2)
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - ink[..., 0]))
    angle = 2.0 * math.pi * ink[..., 1]
    return tf.concat([pen, tf.stack([radius * tf.cos(angle), radius * tf.sin(angle)], -1)], -1)
