"""Reading in a graph: the best path of a CTC network, as exports need it."""

from typing import NamedTuple

import tensorflow as tf

from keras_seqgen.distributions.ctc import ctc_best_path


class Reading(NamedTuple):
    """What was read from each row, filled up with zeros to the longest.

    ids: (B, U) int32, of the labels. lengths: (B,) int32. frames: (B, U) int32, where each label begins.
    probabilities: (B, U) float32, of each label. confidence: (B,) float32, of the whole reading.
    """

    ids: tf.Tensor
    lengths: tf.Tensor
    frames: tf.Tensor
    probabilities: tf.Tensor
    confidence: tf.Tensor


def best_path(logits, lengths):
    """The labelling of each row's likeliest path, with times and probabilities, in TensorFlow's core operators.

        path_t = arg max_k logits_t[k];   the labels are its runs, without the blank's (class 0)
        probability of a label = the greatest of its frames' softmax
        confidence = the geometric mean of the labels' probabilities; 0 where nothing was read

    What a row gets does not depend on the others, save for the number of zeros behind it.

    Args:
        logits: (B, T, C + 1) float32.
        lengths: (B,) int32, frames of each row.

    Returns:
        `Reading`. Times count in the network's output frames: after subsampling by n, frame t of the output is frame
        n t of the input.

    Example:

        >>> best_path(tf.one_hot([[0, 2, 2, 0, 2]], 3) * 9, [5]).ids
        [[2, 2]]

    Source: Graves, Fernandez, Gomez and Schmidhuber 2006, section 3.2.
    """
    path = ctc_best_path(logits, lengths)
    U = tf.maximum(tf.reduce_max(path.lengths), 0)  # of no rows at all, the maximum is negative
    ids, frames, probabilities = (x[:, :U] for x in (path.ids, path.frames, path.probabilities))
    inside = tf.sequence_mask(path.lengths, U)
    logs = tf.reduce_sum(tf.math.log(tf.where(inside, probabilities, 1.0)), axis=1)
    mean = tf.exp(logs / tf.cast(tf.maximum(path.lengths, 1), tf.float32))
    return Reading(ids, path.lengths, frames, probabilities, tf.where(path.lengths > 0, mean, 0.0))
