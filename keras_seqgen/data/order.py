"""The order of a stream of records: a pure function of the files, the seed and the epoch."""

import numpy as np
import tensorflow as tf

_SHUFFLE = 1_000_003  # any fixed number


def epochs_of(
    records: tf.data.Dataset, buffer: int, seed: int | None, repeat: bool, first_epoch: int = 0
) -> tf.data.Dataset:
    """The records of one epoch or of all.

    Args:
        records: one epoch of them, in the files' order.
        buffer: how many records are held in memory to be shuffled; the whole epoch for a uniform shuffle.
        seed: each epoch is shuffled by a seed of its own, made of this one; `None` keeps the files' order.
        repeat: whether the stream is endless.
        first_epoch: where the stream begins.

    Returns:
        A dataset of the same elements.
    """

    def epoch_of(epoch):
        if seed is None:
            return records
        # The seed of this function's graph: without it the program's global seed would enter the order.
        tf.compat.v1.set_random_seed(_SHUFFLE)
        return records.shuffle(max(buffer, 1), seed=seed * _SHUFFLE + epoch, reshuffle_each_iteration=False)

    last = np.iinfo(np.int64).max if repeat else first_epoch + 1
    return tf.data.Dataset.range(first_epoch, last).flat_map(epoch_of)
