"""A prepared folder of frames with texts -> batches for a recogniser, of lines of about one length."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_seqgen.data import recognition_schema
from keras_seqgen.data.order import epochs_of
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

_SHUFFLE_AT_MOST = 20_000  # serialized lines held in memory; a larger split is shuffled through a buffer of this size
_BUCKET_RATIO = 1.15  # lengths in one bucket differ by at most this factor


@dataclass(frozen=True)
class FrameUnit:
    """Which features a recogniser sees, and their unit: mean and deviation over the training split.

    kind: such as "raw". names: of the D features. mean, std: float32 (D,).
    """

    kind: str
    names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def load(cls, path: str | Path) -> "FrameUnit":
        """Reads `features` of a `stats.json`.

        Raises:
            UserError: where the file is not there or does not describe features.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))["features"]
            mean, std = np.array(found["mean"], np.float32), np.array(found["std"], np.float32)
            unit = cls(found["kind"], tuple(found["names"]), mean, std)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} does not describe a recogniser's features: {error}") from error
        if not len(unit.names) == len(mean) == len(std) or not np.isfinite(mean).all() or not (std > 0).all():
            raise UserError(
                f"{path} does not describe a recogniser's features: {len(mean)} means, {len(std)} deviations"
            )
        return unit

    @property
    def form(self) -> str:
        """What the frames are, in words."""
        return f"{self.kind} features, {len(self.names)} in a frame"

    def normalise(self, frames):
        """(..., D) -> mean 0, deviation 1."""
        return (frames - self.mean) / self.std


@dataclass(frozen=True)
class Distortion:
    """What is done to the frames of a training line, at random, so that no two epochs show the same.

    noise: standard deviation of Gaussian noise on every number, in units of the feature's own deviation.
    masks: how many spans of frames are blotted out (set to the mean, 0). mask_frames: each is 0 to so many frames long.
    slant, turn, scale: raw ink alone: shear dx += s dy, s even in +-slant; rotation by +-turn radians; enlargement by
        exp(+-scale), and of dx alone once more. Preprocessed ink knows none of these.
    """

    noise: float = 0.0
    masks: int = 0
    mask_frames: int = 0
    slant: float = 0.0
    turn: float = 0.0
    scale: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether the ink itself is moved."""
        return self.slant > 0 or self.turn > 0 or self.scale > 0


def recognition_batches(
    folder: str | Path,
    split: str,
    batch_size: int,
    *,
    seed: int | None = None,
    start_step: int = 0,
    repeat: bool = False,
    vocabulary: Vocabulary | None = None,
    unit: FrameUnit | None = None,
    distortion: Distortion | None = None,
) -> tf.data.Dataset:
    """Batches of frames with the ids of their texts.

    Args:
        folder: What `keras-seqgen prepare ink-recognition` (or another recogniser's pipeline) wrote.
        split: "train", "valid" or "test".
        batch_size: Lines per batch; the last batch of each length may hold fewer where the stream ends.
        seed: With a seed the lines are shuffled anew in each epoch, and the batches, distortion included, are a pure
            function of (files, seed, batch size, number of the batch). Without one they keep the files' order.
        start_step: The number of the first batch to yield: a stopped training goes on exactly where it was.
        repeat: Whether the stream is endless. Half-filled buckets then pass from one epoch to the next.
        vocabulary: Whose ids to give; the folder's own by default. A trained model's, where its data were others; the
            characters that it does not have get the id after its last one, which no network can read.
        unit: In which unit to give the frames; the folder's own by default.
        distortion: Of training lines; needs a seed.

    Returns:
        A dataset of `({"frames": (B, T, D) float32, "length": (B,) int32}, labels (B, U) int32)`. Frames have mean 0
        and deviation 1 over the training split; what pads a row is 0, in the labels too.

    Raises:
        UserError: where the folder has no such split, its statistics or vocabulary cannot be read, or it has other
            features than `unit`.

    Example:
        >>> inputs, labels = next(iter(recognition_batches("prepared/ink", "train", 32, seed=1, repeat=True)))
    """
    folder = Path(folder)
    files = sorted(str(path) for path in folder.glob(f"{split}-*-of-*.tfrecord"))
    if not files:
        raise UserError(f"{folder} has no split {split!r}: no file {split}-*.tfrecord. Prepare it first.")
    if batch_size < 1 or start_step < 0:
        raise UserError(
            f"`batch_size` must be positive, `start_step` not negative. Received: {batch_size}, {start_step}"
        )
    own = FrameUnit.load(folder / "stats.json")
    unit = unit or own
    if own.names != unit.names:
        raise UserError(f"{folder} holds {own.form}, not {unit.form}: prepare the data anew")
    if distortion is not None and seed is None:
        raise UserError("a distortion is random: give a `seed`")
    if distortion is not None and distortion.moves and unit.kind != "raw":
        raise UserError(f"slant, turn and scale move raw ink; {folder} has {unit.kind} features")
    table = _id_table(vocabulary or Vocabulary.load(folder / "vocabulary.json"))
    count, longest = _size(folder / "stats.json", split)
    edges = _bucket_edges(longest)

    # Buckets are filled with serialized records and only then parsed: batches that `start_step` skips are never parsed.
    records = epochs_of(tf.data.TFRecordDataset(files), min(count, _SHUFFLE_AT_MOST), seed, repeat)
    records = records.map(lambda record: (record, recognition_schema.parse_length(record)), num_parallel_calls=2)
    batches = records.bucket_by_sequence_length(
        lambda _, length: tf.cast(length, tf.int32), edges, [batch_size] * (len(edges) + 1)
    )
    numbered = batches.enumerate().skip(start_step)

    def to_arrays(number, element):
        lines = recognition_schema.parse(element[0], len(unit.names))
        frames, length = lines["frames"].to_tensor(), tf.cast(lines["length"], tf.int32)
        draw = tf.stack([tf.cast(0 if seed is None else seed, tf.int64), number])
        if distortion is not None and distortion.moves:
            frames = _moved(frames, length, distortion, draw)
        frames = unit.normalise(frames)
        if distortion is not None:
            frames = _blotted(frames, distortion, draw)
        frames *= tf.sequence_mask(length, tf.shape(frames)[1], tf.float32)[..., None]
        codes = tf.strings.unicode_decode(lines["text"], "UTF-8")
        labels = codes.with_values(tf.gather(table, tf.minimum(codes.values, len(table) - 1))).to_tensor()
        return {"frames": tf.ensure_shape(frames, [None, None, len(unit.names)]), "length": length}, labels

    return numbered.map(to_arrays, num_parallel_calls=2, deterministic=True).prefetch(4)


def _moved(frames, length, distortion, draw):
    """Raw ink (B, T, 4), (dx, dy, y, pen), sheared, turned and scaled, a draw for each row."""
    B = tf.shape(frames)[0]
    even = tf.random.stateless_uniform([4, B, 1], draw, -1.0, 1.0, alg="philox")
    dx, dy, y, pen = tf.unstack(frames, axis=-1)
    dx *= tf.exp(distortion.scale * even[0])
    dx += distortion.slant * even[1] * dy
    cos, sin = tf.cos(distortion.turn * even[2]), tf.sin(distortion.turn * even[2])
    # Turned about the middle of the line: y takes a share of x, whose mean over the line is taken off as y's is.
    inside = tf.sequence_mask(length, tf.shape(frames)[1], tf.float32)
    x = tf.cumsum(dx * inside, axis=1)
    x -= tf.reduce_sum(x * inside, axis=1, keepdims=True) / tf.reduce_sum(inside, axis=1, keepdims=True)
    turned = cos * dx - sin * dy, sin * dx + cos * dy, sin * x + cos * y
    larger = tf.exp(distortion.scale * even[3])
    return tf.stack([*(larger * part for part in turned), pen], axis=-1)


def _blotted(frames, distortion, draw):
    """Normalised frames (B, T, D) with noise, and with spans set to 0, draws for each row."""
    B, T, D = tf.unstack(tf.shape(frames))
    if distortion.noise:
        frames += distortion.noise * tf.random.stateless_normal(
            [B, T, D], draw + tf.constant([1, 0], tf.int64), alg="philox"
        )
    if distortion.masks and distortion.mask_frames:
        drawn = tf.random.stateless_uniform(
            [2, B, distortion.masks, 1], draw + tf.constant([2, 0], tf.int64), alg="philox"
        )
        long = drawn[0] * float(distortion.mask_frames)
        start = drawn[1] * tf.cast(T, tf.float32)
        place = tf.range(T, dtype=tf.float32)[None, None]
        hidden = tf.reduce_any((place >= start) & (place < start + long), axis=1)
        frames *= tf.cast(~hidden, tf.float32)[..., None]
    return frames


def _id_table(vocabulary: Vocabulary) -> tf.Tensor:
    """Code point -> id; one more than the last id for a code point that the vocabulary does not have."""
    highest = max(map(ord, vocabulary.tokens))
    table = np.full(highest + 2, len(vocabulary) + 1, np.int32)
    for token, number in vocabulary.ids.items():
        table[ord(token)] = number
    return tf.constant(table)


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
