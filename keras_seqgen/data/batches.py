"""A prepared folder -> batches for `model.fit`: normalised, shifted by one step, of lines of about one length."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_seqgen.data import schema
from keras_seqgen.data.strokes import StrokeStatistics
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

_SHUFFLE = 1_000_003  # any fixed number
_SHUFFLE_AT_MOST = 200_000  # serialized lines held in memory; a larger split is shuffled through a buffer of this size
_BUCKET_RATIO = 1.08  # lengths in one bucket differ by at most this factor, so that padding stays below 4 %


def handwriting_batches(
    folder: str | Path,
    split: str,
    batch_size: int,
    *,
    with_text: bool = True,
    seed: int | None = None,
    start_step: int = 0,
    repeat: bool = False,
    max_length: int | None = None,
    vocabulary: Vocabulary | None = None,
    statistics: StrokeStatistics | None = None,
) -> tf.data.Dataset:
    """Batches of lines of ink with their texts.

    Args:
        folder: What `keras-seqgen prepare handwriting` wrote.
        split: "train", "valid" or "test".
        batch_size: Lines per batch; the last batch of each length may hold fewer where the stream ends.
        with_text: Whether the inputs have the texts' ids.
        seed: With a seed the lines are shuffled anew in each epoch, and the batches are a pure function of
            (files, seed, batch size, number of the batch). Without one they keep the files' order.
        start_step: The number of the first batch to yield: a stopped training goes on exactly where it was.
        repeat: Whether the stream is endless. Half-filled buckets then pass from one epoch to the next.
        max_length: Lines with more steps than this are left out; None keeps all.
        vocabulary: Whose ids to give; the folder's own by default. A trained model's, where its data were others.
        statistics: In which unit to give the offsets; the folder's own by default.

    Returns:
        A dataset of `({"strokes": (B, T, 3), "text": (B, U) int32}, targets (B, T, 3), weight (B, T))`, all but the ids
        float32. `strokes` is `targets` one step later, after a zero vector. dx and dy have mean 0 and standard
        deviation 1 (over the training split); what pads a row is 0, and its weight is 0.

    Raises:
        UserError: where the folder has no such split, or its statistics or vocabulary cannot be read.

    Example:
        >>> inputs, targets, weight = next(iter(handwriting_batches("prepared", "train", 32, seed=1, repeat=True)))
    """
    folder = Path(folder)
    files = sorted(str(path) for path in folder.glob(f"{split}-*-of-*.tfrecord"))
    if not files:
        raise UserError(f"{folder} has no split {split!r}: no file {split}-*.tfrecord. Prepare it first.")
    if batch_size < 1 or start_step < 0:
        raise UserError(
            f"`batch_size` must be positive, `start_step` not negative. Received: {batch_size}, {start_step}"
        )
    statistics = statistics or StrokeStatistics.load(folder / "stats.json")
    table = _id_table(vocabulary or Vocabulary.load(folder / "vocabulary.json")) if with_text else None
    count, longest = _size(folder / "stats.json", split)
    if max_length is not None and not count_lines(folder, split, max_length):
        raise UserError(f"{folder} has no line of at most {max_length} points in {split!r}")
    edges = _bucket_edges(min(longest, max_length or longest))

    # Buckets are filled with serialized records and only then parsed: batches that `start_step` skips are never parsed.
    records = _in_order(tf.data.TFRecordDataset(files), count, seed, repeat)
    records = records.map(lambda record: (record, schema.parse_length(record)), num_parallel_calls=2)
    if max_length is not None:
        records = records.filter(lambda _, length: length <= max_length)
    batches = records.bucket_by_sequence_length(
        lambda _, length: tf.cast(length, tf.int32), edges, [batch_size] * (len(edges) + 1)
    ).skip(start_step)

    def to_arrays(serialized, _):
        lines = schema.parse(serialized)
        rows = lines["strokes"].values
        rows = tf.concat([(rows[:, :2] - statistics.mean) / statistics.std, rows[:, 2:]], axis=-1)
        targets = lines["strokes"].with_values(rows).to_tensor()
        weight = tf.sequence_mask(lines["length"], dtype=tf.float32)
        delayed = tf.pad(targets[:, :-1], [[0, 0], [1, 0], [0, 0]]) * weight[..., None]
        inputs = {"strokes": tf.ensure_shape(delayed, [None, None, 3])}
        if table is not None:
            codes = tf.strings.unicode_decode(lines["text"], "UTF-8")
            ids = tf.gather(table, tf.minimum(codes.values, len(table) - 1))
            tf.debugging.assert_positive(ids, "a text has a character that the vocabulary does not have")
            inputs["text"] = codes.with_values(ids).to_tensor()
        return inputs, tf.ensure_shape(targets, [None, None, 3]), weight

    return batches.map(to_arrays, num_parallel_calls=2, deterministic=True).prefetch(2)


def _in_order(records: tf.data.Dataset, count: int, seed: int | None, repeat: bool) -> tf.data.Dataset:
    """The records of one epoch or of all, each epoch shuffled by a seed of its own."""
    if seed is None:
        return records.repeat() if repeat else records

    def shuffled(epoch):
        # The seed of this function's graph: without it the program's global seed would enter the order.
        tf.compat.v1.set_random_seed(_SHUFFLE)
        buffer = min(max(count, 1), _SHUFFLE_AT_MOST)
        return records.shuffle(buffer, seed=seed * _SHUFFLE + epoch, reshuffle_each_iteration=False)

    return tf.data.Dataset.range(np.iinfo(np.int64).max if repeat else 1).flat_map(shuffled)


def _id_table(vocabulary: Vocabulary) -> tf.Tensor:
    """Code point -> id, 0 for a code point that the vocabulary does not have."""
    table = np.zeros(0x110000, np.int32)
    for token, number in vocabulary.ids.items():
        table[ord(token)] = number
    return tf.constant(table[: max(np.flatnonzero(table), default=0) + 2])


def count_lines(folder: str | Path, split: str, max_length: int | None = None) -> int:
    """How many lines of a split have at most `max_length` points.

    Raises:
        UserError: where the folder has no such split, or its statistics cannot be read.
    """
    count, longest = _size(Path(folder) / "stats.json", split)
    if max_length is None or max_length >= longest:
        return count
    records = tf.data.TFRecordDataset(sorted(str(path) for path in Path(folder).glob(f"{split}-*-of-*.tfrecord")))
    return int(records.filter(lambda record: schema.parse_length(record) <= max_length).reduce(0, lambda n, _: n + 1))


def _size(path: Path, split: str) -> tuple[int, int]:
    """The number of lines of a split and the length of the longest of them."""
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
        if split in splits:
            return int(splits[split]["lines"]), int(splits[split]["longest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not tell the sizes of the splits: {error}") from error
    raise UserError(f"the split {split!r} is empty; {path} knows {', '.join(splits)}")


def _bucket_edges(longest: int) -> list[int]:
    """The lengths at which the buckets end (exclusive)."""
    edges = [33]
    while edges[-1] <= longest:
        edges.append(int(np.ceil(edges[-1] * _BUCKET_RATIO)))
    return edges
