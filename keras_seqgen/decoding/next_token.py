"""From the logits of the next token to a token: temperature, top-k, top-p, the draw. Every row has its own."""

import tensorflow as tf

from keras_seqgen.decoding.noise import threefry
from keras_seqgen.decoding.spare_rows import VECTOR

COLDEST = 1.1754944e-38  # the smallest normal float32: what is below it, a processor may take for 0


def scale(logits, temperature):
    """The logits at a temperature, moved so that the greatest of a row is 0.

        z = (y - max y) / T            P = softmax(z)

    T = 1 gives the network's own distribution, T -> 0 the arg-max, T -> infinity the even one.

    Args:
        logits: y, (B, V) float32.
        temperature: T, (B,) float32, `COLDEST` or more.

    Returns:
        z, (B, V) float32, 0 or less; -inf where the quotient overflows.

    Source: Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks"; Ackley et al. 1985.
    """
    return (logits - tf.reduce_max(logits, axis=1, keepdims=True)) / temperature[:, None]


def restrict(logits, top_k, top_p, width):
    """Keep the likeliest tokens of a row: the first k, and of these the fewest that have the probability p together.

    The probability of top-p is that among the k tokens that top-k keeps. Of two tokens with the same logit the one with
    the smaller id counts as the likelier. The likeliest is always kept.

    Args:
        logits: (B, V) float32, already at their temperature.
        top_k: (B,) int32; 0 or less, and V or more, keep all.
        top_p: (B,) float32; 1 or more keeps all.
        width: how many of the likeliest to put in order: `ordered_width`, or V.

    Returns:
        (B, V) float32: the logits, -inf for the tokens left out. A row that keeps all is as it was, to the last bit.

    Source: Fan et al. 2018 (arXiv 1805.04833), section 5.4 (top-k); Holtzman et al. 2020 (arXiv 1904.09751), section
    3.1 (nucleus sampling, top-p).
    """
    V = logits.shape[1]
    k = tf.where((top_k < 1) | (top_k > V), V, top_k)
    ordered, ids = tf.math.top_k(logits, width)  # of equals the smaller id first
    first_k = tf.range(width)[None] < k[:, None]
    share = tf.where(first_k, tf.exp(ordered - ordered[:, :1]), 0.0)
    total = tf.cumsum(share, axis=1)  # not a sum: what comes behind the first k must not change how they are added up
    inside = first_k & (total - share < top_p[:, None] * total[:, -1:])
    count = tf.where(top_p < 1, tf.maximum(tf.math.count_nonzero(inside, axis=1, dtype=tf.int32), 1), k)
    last = tf.minimum(count, width)[:, None] - 1
    least, its_id = (tf.gather(x, last, batch_dims=1) for x in (ordered, ids))
    kept = (logits > least) | ((logits == least) & (tf.range(V)[None] <= its_id)) | (count >= V)[:, None]
    return tf.where(kept, logits, float("-inf"))


def ordered_width(top_k, top_p, vocabulary_size):
    """How many of the likeliest tokens `restrict` must put in order: an int32 scalar, in whole vectors or V."""
    V = vocabulary_size
    k = tf.where((top_k < 1) | (top_k > V), V, top_k)
    needed = tf.reduce_max(tf.where(k < V, k, tf.where(top_p < 1, V, 1)))
    return tf.minimum(V, -(-needed // VECTOR) * VECTOR)  # see `spare_rows`


def draw(logits, uniform):
    """The token at which the running sum of the probabilities passes a random number.

        id = min {v : P_1 + ... + P_v > u}            P = softmax(logits)

    Args:
        logits: (B, V) float32, the greatest of a row near 0; -inf for a token that is never drawn.
        uniform: u, (B,) float32 in (0, 1), a multiple of 2^-24.

    Returns:
        (B,) int32 ids, 1..V.
    """
    total = tf.cumsum(tf.exp(logits), axis=1)
    return 1 + tf.argmax(total > uniform[:, None] * total[:, -1:], axis=1, output_type=tf.int32)


def token_noise(seed, first, count):
    """One uniform number for each of `count` tokens of each row: a pure function of the seed and the token's number.

    Args:
        seed: (B, 2) int32, the key of Threefry; the counter is (number of the token, 0).
        first: (B,) int32, the number of each row's first token.
        count: T, int or int32 scalar.

    Returns:
        (B, T) float32 in (0, 1), odd multiples of 2^-24: a token that is all but impossible stays so.
    """
    key = tf.unstack(tf.bitcast(seed, tf.uint32)[:, :, None], axis=1)
    number = tf.bitcast(first[:, None] + tf.range(count), tf.uint32)
    word, _ = threefry(key, (number, tf.zeros_like(number)))
    odd = tf.bitwise.bitwise_or(tf.bitwise.right_shift(word, 8), tf.constant(1, tf.uint32))
    return tf.cast(odd, tf.float32) * 2.0**-24
