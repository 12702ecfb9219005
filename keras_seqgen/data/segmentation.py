"""A prepared folder -> batches of pictures and labels for `model.fit`."""

import json
from pathlib import Path

import tensorflow as tf

from keras_seqgen.data import labelled_image
from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.data.order import epochs_of
from keras_seqgen.errors import UserError

_SHUFFLE_AT_MOST = 2_000  # encoded pictures held in memory; a larger split is shuffled through a buffer of this size
_OUTSIDE = 127.5  # what a crop shows where it reaches beyond the picture


def segmentation_batches(
    folder: str | Path,
    split: str,
    batch_size: int,
    *,
    seed: int | None = None,
    start_step: int = 0,
    repeat: bool = False,
    crop: tuple[int, int] | None = None,
    flip: bool = False,
    zoom: tuple[float, float] | None = None,
    light: float = 0.0,
    ignore: int | None = None,
) -> tf.data.Dataset:
    """Batches of pictures with a label for each pixel.

    Args:
        folder: What `keras-seqgen prepare segmentation` wrote.
        split: "train", "valid" or "test".
        batch_size: Pictures per batch. Without `crop` only pictures of one size meet in a batch, so that nothing is
            padded; the last batch of each size may hold fewer.
        seed: With a seed the pictures are shuffled anew in each epoch, and the batches are a pure function of (files,
            seed, batch size, number of the batch). Without one they keep the files' order and nothing below is random.
        start_step: The number of the first batch to yield: a stopped training goes on exactly where it was.
        repeat: Whether the stream is endless.
        crop: (height, width) of a window at a random place of each picture; `None`: the whole picture.
        flip: Whether every second picture, at random, is seen in a mirror.
        zoom: (least, most) magnification, drawn evenly on a logarithmic scale; `None`: as it is.
        light: Contrast is multiplied by exp(+-light), brightness moved by +-127.5 light, both drawn evenly.
        ignore: A label that gets the weight 0; that of the folder's labels.json by default.

    Returns:
        A dataset of `({"image": (B, h, w, 3) float32 in 0..255}, labels (B, h, w) int32, weight (B, h, w) float32)`.
        Where the weight is 0 (label to ignore, or beyond the picture) the label is 0.

    Raises:
        UserError: where the folder has no such split, or its statistics or labels cannot be read; where `crop`, `flip`,
            `zoom` or `light` are asked for without a seed.

    Example:
        >>> inputs, labels, weight = next(iter(segmentation_batches("prepared", "train", 4, seed=1, crop=(256, 256))))
    """
    folder = Path(folder)
    files = sorted(str(path) for path in folder.glob(f"{split}-*-of-*.tfrecord"))
    if not files:
        raise UserError(f"{folder} has no split {split!r}: no file {split}-*.tfrecord. Prepare it first.")
    if batch_size < 1 or start_step < 0:
        raise UserError(
            f"`batch_size` must be positive, `start_step` not negative. Received: {batch_size}, {start_step}"
        )
    changes = crop is not None or flip or zoom is not None or light > 0
    if changes and seed is None:
        raise UserError("crop, flip, zoom and light are random: give a `seed`")
    if ignore is None:
        ignore = LabelSet.load(folder / "labels.json").ignore
    count, sizes = _size(folder / "stats.json", split)

    records, buffer = tf.data.TFRecordDataset(files), min(count, _SHUFFLE_AT_MOST)
    if crop is not None or sizes == 1:
        first = start_step * batch_size
        if not repeat and first >= count:
            return _arrays(records.take(0).enumerate().batch(batch_size), None, ignore)
        stream = epochs_of(records, buffer, seed, repeat, first // count).skip(first % count)
        batches = stream.enumerate(first).batch(batch_size)
    else:
        stream = epochs_of(records, buffer, seed, repeat).enumerate()
        batches = stream.group_by_window(
            lambda _, record: tf.tensordot(labelled_image.parse_size(record), tf.constant([1 << 32, 1], tf.int64), 1),
            lambda _, same: same.batch(batch_size),
            window_size=batch_size,
        ).skip(start_step)
    change = None
    if changes:

        def change(number, image, label):
            draws = tf.random.stateless_uniform([6], [tf.constant(seed, tf.int64), number], alg="philox")
            return _change(image, label, draws, crop, flip, zoom, light)

    return _arrays(batches, change, ignore)


def _arrays(batches, change, ignore) -> tf.data.Dataset:
    """Numbered, encoded records in batches -> arrays."""

    def one(element):
        number, record = element
        parsed = labelled_image.parse(record)
        image, label = parsed["image"], parsed["label"]
        return (image, label) if change is None else change(number, image, label)

    def whole(numbers, records):
        kinds = (tf.TensorSpec((None, None, 3), tf.float32), tf.TensorSpec((None, None), tf.int32))
        images, labels = tf.map_fn(one, (numbers, records), fn_output_signature=kinds)
        counts = labels >= 0
        if ignore is not None:
            counts &= labels != ignore
        return {"image": images}, tf.where(counts, labels, 0), tf.cast(counts, tf.float32)

    return batches.map(whole, num_parallel_calls=2, deterministic=True).prefetch(2)


def _change(image, label, draws, crop, flip, zoom, light):
    """A random window of a picture, magnified, mirrored, lit; -1 is the label of what lies beyond the picture.

    Args:
        image: (h, w, 3). label: (h, w). draws: (6,) in 0..1.
    """
    size = tf.cast(tf.shape(label), tf.float32)
    wanted = tf.shape(label) if crop is None else tf.constant(crop, tf.int32)
    scale = tf.constant(1.0)
    if zoom is not None:
        least, most = (tf.math.log(float(end)) for end in zoom)
        scale = tf.exp(least + (most - least) * draws[0])
    room = size - 1 - tf.cast(wanted - 1, tf.float32) / scale
    reach = tf.abs(room) * draws[1:3] if zoom is not None else tf.floor((tf.abs(room) + 1) * draws[1:3])
    corner = tf.minimum(room, 0.0) + reach  # of the window in the picture, or of the picture in the window
    y, x = (corner[axis] + tf.range(wanted[axis], dtype=tf.float32) / scale for axis in (0, 1))
    x = tf.where(tf.logical_and(flip, draws[3] < 0.5), x[::-1], x)
    inside = _within(y, size[0])[:, None] & _within(x, size[1])
    label = tf.where(inside, _nearest(_nearest(label, y, 0), x, 1), -1)
    image = tf.where(inside[..., None], _between(_between(image, y, 0), x, 1), _OUTSIDE)
    if light > 0:
        contrast, brightness = tf.exp(light * (2 * draws[4] - 1)), 127.5 * light * (2 * draws[5] - 1)
        image = tf.clip_by_value((image - 127.5) * contrast + 127.5 + brightness, 0.0, 255.0)
    return image, label


def _within(at, length):
    return (at > -0.5) & (at < length - 0.5)


def _nearest(array, at, axis):
    """The elements nearest to the real positions `at`; beyond the ends, the last ones."""
    return tf.gather(array, tf.clip_by_value(tf.cast(tf.round(at), tf.int32), 0, tf.shape(array)[axis] - 1), axis=axis)


def _between(array, at, axis):
    """Linear interpolation at the real positions `at`; beyond the ends, the last elements."""
    low = tf.floor(at)
    share = tf.reshape(at - low, [-1, *[1] * (len(array.shape) - 1 - axis)])
    return (1 - share) * _nearest(array, low, axis) + share * _nearest(array, low + 1, axis)


def _size(path: Path, split: str) -> tuple[int, int]:
    """The number of pictures of a split and the number of different sizes among them."""
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
        if split in splits:
            return int(splits[split]["images"]), len(splits[split]["sizes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not tell the sizes of the splits: {error}") from error
    raise UserError(f"the split {split!r} is empty; {path} knows {', '.join(splits)}")
