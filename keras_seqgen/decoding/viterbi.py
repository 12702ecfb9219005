"""The likeliest sequence of classes where changing from one to another costs something."""

import tensorflow as tf


def viterbi(scores, lengths, transition):
    """The path of the greatest sum of scores and transitions, for each row of a batch.

        V_0(k) = scores_0[k]
        V_t(k) = max_j (V_{t-1}(j) + transition[j, k]) + scores_t[k]
        path   = arg max of V_{T-1}, and back along the maxima

    Of equally good paths the one whose last classes have the smaller numbers. In TensorFlow's core operators, so that
    an exported graph runs the same; what a row gets does not depend on the others.

    Args:
        scores: (B, T, K) float32, such as log-probabilities.
        lengths: (B,) int32, frames of each row, 0..T.
        transition: (K, K), rows by the class before.

    Returns:
        (B, T) int32; 0 behind a row's end.

    Example:

        >>> scores = tf.math.log([[[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]]])
        >>> viterbi(scores, [3], change_cost(2, 2.0)).numpy()
        array([[0, 0, 0]], dtype=int32)

    Source: Viterbi 1967; Rabiner 1989, "A tutorial on hidden Markov models", section III.B, in logarithms.
    """
    scores, transition = tf.convert_to_tensor(scores), tf.cast(transition, tf.float32)
    lengths = tf.convert_to_tensor(lengths, tf.int32)
    B, T, K = tf.unstack(tf.shape(scores))
    # Two steps behind every row's end, where nothing changes: `tf.scan` cannot run over none.
    by_time = tf.transpose(tf.pad(scores, [[0, 0], [0, 2], [0, 0]]), [1, 0, 2])
    inside = tf.transpose(tf.sequence_mask(lengths, T + 2))
    stay = tf.tile(tf.range(K)[None], [B, 1])

    def forward(carry, step):
        value, _ = carry
        score, here = step
        arriving = value[:, :, None] + transition  # (B, from, to)
        best = tf.argmax(arriving, axis=1, output_type=tf.int32)
        new = tf.reduce_max(arriving, axis=1) + score
        # Behind a row's end its values stand still, and each class points to itself.
        return tf.where(here[:, None], new, value), tf.where(here[:, None], best, stay)

    def backward(label, pointers):
        return tf.gather(pointers, label, axis=1, batch_dims=1)

    values, pointers = tf.scan(forward, (by_time[1:], inside[1:]), (by_time[0], stay))
    last = tf.argmax(values[-1], axis=1, output_type=tf.int32)
    path = tf.transpose(tf.scan(backward, pointers, last, reverse=True))[:, :T]
    return tf.where(tf.sequence_mask(lengths, T), path, 0)


def change_cost(classes, cost, background_cost=None):
    """A transition that takes nats off for changes of class.

    Args:
        classes: K; class 0 is the background.
        cost: of a change from one class to another.
        background_cost: of a change to the background or from it; `cost` by default.

    Returns:
        (K, K) float32.
    """
    background = tf.range(classes) == 0
    to_or_from = tf.cast(background[:, None] | background, tf.float32)
    step = cost + to_or_from * ((cost if background_cost is None else background_cost) - cost)
    return step * (tf.eye(classes) - 1.0)
