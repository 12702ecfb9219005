"""Error rates of a CTC network's best path, while it trains; all of them go into `weighted_metrics`."""

import keras
from keras import ops

from keras_seqgen.distributions.ctc import ctc_best_path, is_possible, label_lengths
from keras_seqgen.layers.lengths import sequence_lengths
from keras_seqgen.metrics.quotient import Quotient

_FAR = 1 << 20  # more edits than any row has, and far from the largest int32


def edit_distances(a, a_lengths, b, b_lengths):
    """The edit distance of each row of `a` from that row of `b`, in one graph.

        D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + [a_i != b_j])

    Cells with the same i + j do not depend on each other: step d computes D[i, d - i] for all i at once.

    Args:
        a: (B, N) integers. b: (B, M) integers.
        a_lengths, b_lengths: (B,) integers, how much of each row counts.

    Returns:
        (B,) int32.
    """
    a, b = ops.cast(a, "int32"), ops.cast(b, "int32")
    B, N, M = ops.shape(a)[0], ops.shape(a)[1], ops.shape(b)[1]
    # b backwards between padding: the window that starts at N + M - d + 1 holds b[d - i] beside a[i], i = 1..N.
    backwards = ops.pad(ops.flip(b, axis=1), ((0, 0), (N, N)))
    ends = ops.cast(a_lengths, "int32")[:, None], ops.cast(a_lengths + b_lengths, "int32")
    start = ops.broadcast_to(ops.where(ops.arange(N + 1)[None] == 0, 0, _FAR), (B, N + 1))

    def step(d, state):
        before, last, result = state
        opposite = ops.slice(backwards, (0, N + M - d + 1), (B, N))
        inserted = last + 1
        changed = ops.minimum(last[:, :-1] + 1, before[:, :-1] + ops.cast(a != opposite, "int32"))
        new = ops.concatenate([inserted[:, :1], ops.minimum(inserted[:, 1:], changed)], axis=1)
        found = ops.take_along_axis(new, ends[0], axis=1)[:, 0]
        return last, new, ops.where(ends[1] == d, found, result)

    nothing = ops.full_like(start, _FAR)
    return ops.fori_loop(1, ops.max(ends[1], initial=0) + 1, step, (nothing, start, ops.zeros_like(ends[1])))[2]


def word_hashes(ids, lengths, separator):
    """The words of each row of ids, each as one number.

    Two words have the same number where they are the same; that two different ones have it happens once in 2^32 pairs.

    Args:
        ids: (B, N) int32.
        lengths: (B,) int32, how much of each row counts.
        separator: the id that parts words; several of them in a row part two words, as one does.

    Returns:
        (B, N) int32 with zeros behind the last word, and the number of words (B,) int32.
    """
    B, N = ops.shape(ids)[0], ops.shape(ids)[1]
    position = ops.arange(N)[None]
    inside = (position < lengths[:, None]) & (ids != separator)
    first = inside & ~ops.pad(inside, ((0, 0), (1, 0)))[:, :-1]
    word = ops.cumsum(ops.cast(first, "int32"), axis=1) - 1
    bins = ops.reshape(ops.where(inside, word + ops.arange(B)[:, None] * N, B * N), (-1,))

    def gathered(values):
        return ops.segment_sum(ops.reshape(values, (-1,)), bins, B * N + 1)

    starts = ops.take(gathered(ops.where(first, position, 0)), bins)
    place = position - ops.reshape(starts, (B, N))
    mixed = _mix(_mix(ids) + place)  # int32 products and sums wrap around
    return ops.reshape(gathered(ops.where(inside, mixed, 0))[: B * N], (B, N)), ops.max(word, axis=1, initial=-1) + 1


def _mix(x):
    """A permutation of the int32 numbers in which every bit depends on every other."""
    for factor in (0x7FEB352D, 0x46685257):
        upper = ops.bitwise_and(ops.right_shift(x, 15), 0x1FFFF)  # the shift repeats the sign: off with it
        x = ops.bitwise_xor(x, upper) * ops.convert_to_tensor(factor, "int32")
    return ops.bitwise_xor(x, ops.bitwise_and(ops.right_shift(x, 15), 0x1FFFF))


def _rows(like, sample_weight):
    """The weights of the rows, (B,)."""
    if sample_weight is None:
        return ops.ones_like(like)
    return ops.reshape(ops.cast(sample_weight, like.dtype), (-1,))


@keras.saving.register_keras_serializable(package="keras_seqgen")
class CharacterErrorRate(Quotient):
    """Edits between the labels and the best path's, over the number of labels.

    Over a data set it is the sum of all edits over the sum of all lengths, as in `character_error_rate`; blanks at the
    ends of a text, which that function drops, count here. The network's mask tells the lengths of the inputs.

    Called with `y_true` (B, U), ids 1..C and 0 for padding, `y_pred` (B, T, C + 1), logits of the blank and the ids,
    and `sample_weight` (B,).

    Example:

    >>> metric = CharacterErrorRate()
    >>> metric.update_state(np.array([[1, 2]]), keras.ops.one_hot(np.array([[0, 1, 1]]), 3))
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name="cer", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels, path = _labels_and_path(y_true, y_pred)
        self._add(labels, path, sample_weight)

    def _add(self, wanted, found, sample_weight):
        (wanted, wanted_lengths), (found, found_lengths) = wanted, found
        edits = ops.cast(edit_distances(found, found_lengths, wanted, wanted_lengths), "float32")
        weight = _rows(edits, sample_weight)
        self.accumulate(ops.sum(weight * edits), ops.sum(weight * ops.cast(wanted_lengths, "float32")))


@keras.saving.register_keras_serializable(package="keras_seqgen")
class WordErrorRate(CharacterErrorRate):
    """Edits between the words of the labels and the best path's, over the number of words.

    Words are compared by their `word_hashes`.

    Args:
        separator: the id of the blank between words.

    Called like `CharacterErrorRate`.
    """

    def __init__(self, separator, name="wer", dtype=None):
        super().__init__(name, dtype)
        self.separator = separator

    def update_state(self, y_true, y_pred, sample_weight=None):
        words = [word_hashes(ids, lengths, self.separator) for ids, lengths in _labels_and_path(y_true, y_pred)]
        self._add(words[0], words[1], sample_weight)

    def get_config(self):
        return {**super().get_config(), "separator": self.separator}


@keras.saving.register_keras_serializable(package="keras_seqgen")
class ImpossibleLabels(keras.metrics.Sum):
    """The number of rows whose label has no path in its input, which `CTCLoss(on_impossible="filter")` leaves out.

    Called like `CharacterErrorRate`; weights have no influence.
    """

    def __init__(self, name="impossible_labels", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        possible = is_possible(ops.cast(y_true, "int32"), sequence_lengths(y_pred), y_pred.shape[-1])
        super().update_state(ops.cast(~possible, "float32"))


def _labels_and_path(y_true, y_pred):
    """(ids, lengths) of the labels and of the best path."""
    labels = ops.cast(y_true, "int32")
    path = ctc_best_path(y_pred, sequence_lengths(y_pred))
    return (labels, label_lengths(labels)), (path.ids, path.lengths)
