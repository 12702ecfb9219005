"""A prepared folder of spliced lines -> batches for a labeller of frames."""

from pathlib import Path

import tensorflow as tf

from keras_seqgen.data.distortion import Distortion
from keras_seqgen.data.recognition_batches import FrameUnit, recognition_batches
from keras_seqgen.data.script_classes import VOCABULARY


def script_batches(
    folder: str | Path,
    split: str,
    batch_size: int,
    stride: int,
    *,
    seed: int | None = None,
    start_step: int = 0,
    repeat: bool = False,
    unit: FrameUnit | None = None,
    distortion: Distortion | None = None,
) -> tf.data.Dataset:
    """Batches of frames with the class of each frame that the network labels.

    Args:
        folder: what `keras-seqgen prepare script-detection` wrote.
        stride: frames of the input for one of the network's output, which gets the class of the first of them.
        split, batch_size, seed, start_step, repeat, unit, distortion: as for `recognition_batches`.

    Returns:
        A dataset of `({"frames": (B, T, D) float32, "length": (B,) int32}, labels (B, T') int32, weight (B, T')
        float32)`, T' = ceil(T / stride); what pads a row has label 0, which is background, and weight 0.

    Raises:
        UserError: as `recognition_batches` does.

    Example:
        >>> inputs, labels, weight = next(iter(script_batches("prepared/script", "valid", 32, stride=2)))
    """
    batches = recognition_batches(
        folder,
        split,
        batch_size,
        seed=seed,
        start_step=start_step,
        repeat=repeat,
        vocabulary=VOCABULARY,
        unit=unit,
        distortion=distortion,
    )

    def to_classes(inputs, ids):
        ids = ids[:, ::stride]
        return inputs, tf.maximum(ids - 1, 0), tf.cast(ids > 0, tf.float32)

    return batches.map(to_classes)
