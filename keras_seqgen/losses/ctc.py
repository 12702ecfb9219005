"""Connectionist temporal classification under `model.fit`."""

import keras
import numpy as np
from keras import ops

from keras_seqgen.distributions.ctc import ctc_log_prob, frames_needed, is_possible
from keras_seqgen.layers.lengths import sequence_lengths


@keras.saving.register_keras_serializable(package="keras_seqgen")
class CTCLoss(keras.losses.Loss):
    """-log Pr(labels | input) of each row, in nats.

    How long each input is, the mask of `y_pred` tells: that of `keras.layers.Masking` or `layers.LengthMask`, which
    recurrent and dense layers hand on. The padding behind it has no influence. Without a mask every row is T frames
    long. Outside of a model, `y_pred` can be a dict {"logits": (B, T, C + 1), "lengths": (B,)}.

    A label of U ids, R of them equal to their left neighbour, needs U + R frames. One that is longer than its input has
    no path; its loss is infinite, and no update would be right. Its ids are 1..C, zeros stand behind it only.

    Args:
        on_impossible: what to do with a label that has no path. "raise": an error names the rows. "filter": the row's
            loss and gradient are 0, and `metrics.ImpossibleLabels` counts it.
        reduction: as in `keras.losses.Loss`; the mean is over all rows, filtered ones and rows of weight 0 among them.
        name: of the loss.

    Called with `y_true` (B, U), ids 1..C and 0 for padding, `y_pred` (B, T, C + 1), logits of the blank (class 0) and
    the ids, and `sample_weight` (B,); `call` alone takes the dict and returns nats (B,), float32.

    Raises:
        ValueError: an unknown `on_impossible`.
        ValueError, tf.errors.InvalidArgumentError or jax.errors.JaxRuntimeError (in an eager call, a TensorFlow graph
            and a JAX program): a label without a path. Where a program cannot raise (XLA on TensorFlow), the loss of
            the row is inf.

    Example:

        >>> loss = CTCLoss()
        >>> pred = {"logits": np.zeros((1, 3, 3), "float32"), "lengths": np.array([2])}
        >>> float(loss(np.array([[1, 0]]), pred))  # 3 of 9 paths of two frames: 11, 1-, -1
        1.098...

    Source: Graves et al. 2006. Differs: `keras.losses.CTC` takes every row at its full length.
    """

    def __init__(self, on_impossible="raise", reduction="sum_over_batch_size", name="ctc_loss"):
        super().__init__(name=name, reduction=reduction)
        if on_impossible not in ("raise", "filter"):
            raise ValueError(f"`on_impossible` must be 'raise' or 'filter'. Received: on_impossible={on_impossible!r}")
        self.on_impossible = on_impossible

    def __call__(self, y_true, y_pred, sample_weight=None):
        # A dict has no mask: Keras would take it for weights of the frames, and the losses are one per row.
        if not isinstance(y_pred, dict):
            y_pred = {"logits": y_pred, "lengths": sequence_lengths(y_pred)}
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        labels, lengths = ops.cast(y_true, "int32"), ops.cast(y_pred["lengths"], "int32")
        logits = ops.cast(y_pred["logits"], "float32")
        nats = -ctc_log_prob(labels, logits, lengths)
        possible = is_possible(labels, lengths, logits.shape[-1])
        if self.on_impossible == "filter":
            return ops.where(possible, nats, 0.0)
        refuse(possible, frames_needed(labels), lengths)
        return nats

    def get_config(self):
        return {**super().get_config(), "on_impossible": self.on_impossible}


ADVICE = "labels that have no path (each needs its length plus a frame for each repeat, ids in 1..C, 0 only behind it)"
REMEDY = 'leave such rows out, or use on_impossible="filter"'


def refuse(possible, needed, lengths):
    """Raise where a row is not possible: at once, or when the program that is being traced runs."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        jax.debug.callback(_complain, possible, needed, lengths)
        return
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.executing_eagerly():
            rows = tf.where(~possible)[:, 0]
            facts = [
                "in rows",
                rows,
                "frames needed",
                tf.gather(needed, rows),
                "frames given",
                tf.gather(lengths, rows),
            ]
            tf.debugging.Assert(tf.reduce_all(possible), [ADVICE, *facts, REMEDY], summarize=20)
            return
    _complain(*(ops.convert_to_numpy(x) for x in (possible, needed, lengths)))


def _complain(possible, needed, lengths):
    rows = np.flatnonzero(~np.asarray(possible))
    if len(rows):
        facts = f"in rows {rows}, frames needed {np.asarray(needed)[rows]}, frames given {np.asarray(lengths)[rows]}"
        raise ValueError(f"CTCLoss: {ADVICE} {facts}; {REMEDY}")
