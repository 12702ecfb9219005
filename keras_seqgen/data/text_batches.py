"""A prepared text -> batches for truncated back-propagation: rows of contiguous text, whose state is carried on."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_seqgen.data.text_stream import TokenStream
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

_ENDLESS = 1 << 62


def text_batches(
    folder: str | Path,
    split: str,
    batch_size: int,
    length: int,
    *,
    start_step: int = 0,
    repeat: bool = False,
    reset_every: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> tf.data.Dataset:
    """Batches of stretches of a text, each going on where the one before it ended.

    The split is cut into `batch_size` rows of contiguous text; step s of an epoch is the columns s T ... (s+1) T - 1 of
    all rows. For training (`repeat`) the rows have N // B tokens each and what does not fill a step is left out (the
    same tokens in each epoch, fewer than B (T + 1)), so that all batches are full. For evaluation nothing is left out:
    each token of the split is a target exactly once, rows have ceil(N / B) tokens, and what pads the last steps has
    weight 0.

    Args:
        folder: What `keras-seqgen prepare text` wrote.
        split: "train", "valid" or "test".
        batch_size: Rows, B. With B = 1 an evaluation reads the split from its beginning to its end in one go.
        length: Tokens per step, T.
        start_step: The number of the first batch to yield: a stopped training goes on exactly where it was. The batches
            are a pure function of (files, batch size, length, number of the batch).
        repeat: Whether the stream is endless, for training.
        reset_every: Ask for a fresh state every so many steps of an epoch too (Graves 2013 for Wikipedia: 100).
        vocabulary: A model's vocabulary, which the folder's must equal.

    Returns:
        A dataset of `({"tokens": (B, T) int32, "fresh": (B,) bool}, targets (B, T) int32, weight (B, T) float32)`.
        `tokens` is `targets` one step later: what comes before a row's first token is the split's token before it, and
        0 (the null vector) before the split's first. `fresh` tells the rows whose carried state is to be set to zero:
        all of them at the beginning of an epoch. Padding is 0 everywhere. The cardinality is known.

    Raises:
        UserError: where there is no such split, it is shorter than a batch, or the vocabulary is another.

    Example:
        >>> inputs, targets, weight = next(iter(text_batches("prepared/ptb-word", "train", 20, 35, repeat=True)))
    """
    for name, value, least in (("batch_size", batch_size, 1), ("length", length, 1), ("start_step", start_step, 0)):
        if value < least:
            raise UserError(f"`{name}` must be at least {least}. Received: {name}={value}")
    if reset_every is not None and reset_every < 1:
        raise UserError(f"`reset_every` must be positive or None. Received: reset_every={reset_every}")
    stream = TokenStream(folder, split)
    if vocabulary is not None and vocabulary != stream.vocabulary:
        raise UserError(_difference(vocabulary, stream.vocabulary, folder))
    needed = batch_size * length if repeat else batch_size
    if len(stream) < needed:
        raise UserError(
            f"the split {split!r} of {folder} has {len(stream)} tokens, but a batch of {batch_size} rows"
            f"{f' of {length}' if repeat else ''} needs {needed}: take a smaller batch"
            f"{', a smaller length' if repeat else ''} or more text"
        )
    row = len(stream) // batch_size if repeat else -(-len(stream) // batch_size)
    steps = row // length if repeat else -(-row // length)

    def batch(number):
        step = int(number) % steps
        tokens, targets, weight = _columns(stream, batch_size, row, step * length, length)
        fresh = step == 0 or (reset_every is not None and step % reset_every == 0)
        return tokens, np.full(batch_size, fresh), targets, weight

    def to_tensors(number):
        types = (tf.int32, tf.bool, tf.int32, tf.float32)
        tokens, fresh, targets, weight = tf.numpy_function(batch, [number], types, stateful=False)
        shape = [batch_size, length]
        inputs = {"tokens": tf.ensure_shape(tokens, shape), "fresh": tf.ensure_shape(fresh, [batch_size])}
        return inputs, tf.ensure_shape(targets, shape), tf.ensure_shape(weight, shape)

    numbers = tf.data.Dataset.range(start_step, _ENDLESS if repeat else max(steps, start_step))
    batches = numbers.map(to_tensors, num_parallel_calls=1, deterministic=True)
    return batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)) if repeat else batches


def _columns(stream: TokenStream, rows: int, row: int, column: int, length: int):
    """tokens, targets, weight of some columns of the split cut into rows of `row` tokens."""
    both = np.zeros((rows, length + 1), np.int32)  # targets, and the token before the first of them
    weight = np.zeros((rows, length), np.float32)
    width = min(length, row - column)
    for number in range(rows):
        start = number * row + column
        stop = min(start + width, len(stream))
        if stop > start:
            ids = stream[max(start - 1, 0) : stop]
            both[number, stop - start + 1 - len(ids) : stop - start + 1] = ids
            weight[number, : stop - start] = 1.0
    targets = both[:, 1:]
    return np.ascontiguousarray(both[:, :-1] * (weight > 0)), np.ascontiguousarray(targets), weight


def _difference(model: Vocabulary, data: Vocabulary, folder: str | Path) -> str:
    """What tells the two apart, and what to do about it."""
    if (model.kind, model.normalization) != (data.kind, data.normalization):
        what = f"the model's is of {model.kind}s ({model.normalization}), theirs of {data.kind}s ({data.normalization})"
    else:
        other = sorted(set(model.tokens) ^ set(data.tokens))[:5]
        what = f"the model knows {len(model)} {model.kind}s, they have {len(data)}; they differ in {other or 'order'}"
    return (
        f"the data in {folder} have another vocabulary than the model: {what}. "
        "Prepare them with `--vocabulary` and the model's vocabulary.json."
    )
