"""Connectionist temporal classification: a distribution over labellings, in `keras.ops`.

The network gives, for each frame, logits of C + 1 classes: class 0 is the blank ("nothing new"), classes 1..C are the
labels, whose ids they are. A path is one class per frame; a path's labelling is what is left when runs of one class
become one and blanks are dropped.
"""

from typing import Any, NamedTuple

import keras
from keras import ops


class BestPath(NamedTuple):
    """The labels of the likeliest path; each row is filled up with zeros behind its last label.

    ids: (B, T) int32. lengths: U, (B,) int32. frames: (B, T) int32, where each label begins. probabilities: (B, T)
    float32, the greatest probability of each label within its run.
    """

    ids: Any
    lengths: Any
    frames: Any
    probabilities: Any


def label_lengths(labels):
    """U of each row: (B, U) int32, 0 for padding -> (B,) int32."""
    return ops.sum(ops.cast(labels > 0, "int32"), axis=1)


def frames_needed(labels):
    """The shortest input that a labelling fits: its length and a blank between each two equal neighbours.

    Args:
        labels: (B, U) int32, 0 for padding.

    Returns:
        (B,) int32.
    """
    repeats = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0)
    return label_lengths(labels) + ops.sum(ops.cast(repeats, "int32"), axis=1)


def is_possible(labels, lengths, classes):
    """Whether a labelling has any path at all.

    Args:
        labels: (B, U) int32.
        lengths: (B,) int32, frames of each row.
        classes: C + 1.

    Returns:
        (B,) bool: false where the input is too short, an id lies outside 0..C, or a 0 stands before a label.
    """
    hole = (labels[:, 1:] > 0) & (labels[:, :-1] == 0)
    legal = ops.all((labels >= 0) & (labels < classes), axis=1) & ~ops.any(hole, axis=1)
    return legal & (frames_needed(labels) <= lengths)


def ctc_log_prob(labels, logits, lengths):
    """log Pr(labelling | input): the sum over all paths of that labelling.

        Pr(l | x) = sum over the paths p of l of prod_t softmax(logits_t)[p_t],    t < length

    The probability of the empty labelling is that of blanks alone. A labelling without a path (see `is_possible`) has
    -inf, and no gradient.

    On TensorFlow without an accelerator it is the operator for sparse labels that counts, several times faster than
    the dense one (`python -m benchmarks.ctc`); XLA does not know it, so that `jit_compile=True` is for accelerators,
    as in Keras's own choice. Everywhere else it is `keras.ops.ctc_loss`.

    Args:
        labels: (B, U) int32, ids 1..C, 0 for padding.
        logits: (B, T, C + 1) float32; what stands behind a row's length has no influence and gets no gradient.
        lengths: (B,) int32, frames of each row.

    Returns:
        (B,) float32.

    Source: Graves, Fernandez, Gomez and Schmidhuber 2006, equations 3 and 8.
    """
    possible = is_possible(labels, lengths, logits.shape[-1])
    empty = label_lengths(labels) == 0
    # Rows that the operators cannot count are counted as one frame of label 1, and thrown away.
    usual = possible & ~empty
    labels = ops.pad(labels, ((0, 0), (0, 1)))
    stand_in = ops.cast(ops.arange(ops.shape(labels)[1]) == 0, labels.dtype)
    labels = ops.where(usual[:, None], labels, stand_in[None])
    nats = _kernel(labels, logits, label_lengths(labels), ops.where(usual, lengths, 1))
    blanks = ops.cond(ops.any(empty), lambda: _blanks(logits, lengths), lambda: ops.zeros_like(nats))
    return ops.where(usual, -nats, ops.where(possible, blanks, float("-inf")))


def ctc_best_path(logits, lengths):
    """The labelling of the likeliest path.

    Of two classes with the same logit, the one with the smaller id is taken.

    Args:
        logits: (B, T, C + 1).
        lengths: (B,) int32, frames of each row.

    Returns:
        `BestPath`.

    Source: Graves et al. 2006, section 3.2 (best path decoding).
    """
    B, T = ops.shape(logits)[0], ops.shape(logits)[1]
    probability = ops.max(ops.softmax(ops.cast(logits, "float32"), axis=-1), axis=-1, initial=0.0)
    path = ops.cast(ops.argmax(logits, axis=-1), "int32")
    inside = (path > 0) & (ops.arange(T)[None] < lengths[:, None])
    first = inside & (path != ops.pad(path, ((0, 0), (1, 0)))[:, :-1])
    # Which label a frame belongs to; frames of no label go to a bin of their own behind the rows.
    number = ops.cumsum(ops.cast(first, "int32"), axis=1) - 1
    of_label = number + ops.arange(B)[:, None] * T

    def gathered(reduce, values, frames):
        bins = ops.reshape(ops.where(frames, of_label, B * T), (-1,))
        return ops.reshape(reduce(ops.reshape(values, (-1,)), bins, B * T + 1)[: B * T], (B, T))

    lengths = ops.sum(ops.cast(first, "int32"), axis=1)
    peak = gathered(ops.segment_max, probability, inside)
    return BestPath(
        ids=gathered(ops.segment_sum, path, first),
        lengths=lengths,
        frames=gathered(ops.segment_sum, ops.broadcast_to(ops.arange(T)[None], (B, T)), first),
        probabilities=ops.where(ops.arange(T)[None] < lengths[:, None], peak, 0.0),
    )


def _blanks(logits, lengths):
    """(B,) log-probability of blanks alone."""
    inside = ops.arange(ops.shape(logits)[1])[None] < lengths[:, None]
    return ops.sum(ops.where(inside, ops.log_softmax(logits, axis=-1)[..., 0], 0.0), axis=1)


def _kernel(labels, logits, label_lengths, lengths):
    """-log Pr of labellings that have one label or more and fit, (B,)."""
    if sparse_is_faster():
        return sparse_nats(labels, logits, label_lengths, lengths)
    return ops.ctc_loss(labels, logits, label_lengths, lengths)


def sparse_is_faster():
    """Whether the operator for sparse labels runs: TensorFlow, and no accelerator, for which it was not written."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return all(device.device_type == "CPU" for device in tf.config.list_physical_devices())


def sparse_nats(labels, logits, label_lengths, lengths):
    """As `keras.ops.ctc_loss`, by TensorFlow's operator for sparse labels."""
    import tensorflow as tf

    places = tf.where(tf.sequence_mask(label_lengths, tf.shape(labels)[1]))
    shape = tf.shape(labels, out_type=tf.int64)
    sparse = tf.SparseTensor(places, tf.gather_nd(labels, places), shape)
    return tf.nn.ctc_loss(sparse, logits, None, lengths, logits_time_major=False, blank_index=0)
