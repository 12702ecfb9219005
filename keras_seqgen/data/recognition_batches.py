"""A prepared folder of frames with texts -> batches for a recogniser, of lines of about one length."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_seqgen.data import recognition_schema
from keras_seqgen.data.distortion import Distortion
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
    shortest: int = 1,
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
        shortest: Frames for each character of a text that a distortion leaves at least, where the line has them.

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
    distortion = distortion or Distortion()
    distortion.check(unit.kind)
    if distortion.is_random and seed is None:
        raise UserError("a distortion is random: give a `seed`")
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
        least = shortest * tf.strings.length(lines["text"], unit="UTF8_CHAR")
        frames, length = distortion.of_signal(frames, length, least, unit.kind, draw)
        frames = distortion.of_frames(unit.normalise(frames), draw)
        frames *= tf.sequence_mask(length, tf.shape(frames)[1], tf.float32)[..., None]
        codes = tf.strings.unicode_decode(lines["text"], "UTF-8")
        labels = codes.with_values(tf.gather(table, tf.minimum(codes.values, len(table) - 1))).to_tensor()
        return {"frames": tf.ensure_shape(frames, [None, None, len(unit.names)]), "length": length}, labels

    return numbered.map(to_arrays, num_parallel_calls=2, deterministic=True).prefetch(4)


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
