"""CTCLoss against the forward algorithm in NumPy, against tf.nn.ctc_loss."""

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.distributions import ctc
from keras_seqgen.losses.ctc import CTCLoss
from tests.reference.ctc import every_labelling, nats

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
T, C = 14, 5
LABELS = np.array([row + [0] * (5 - len(row)) for row in ([1, 2, 3, 4, 1], [1, 1, 2], [], [3, 3, 3], [2], [5], [])])
LENGTHS = np.array([14, 4, 7, 5, 1, 9, 0])
B = len(LENGTHS)


@pytest.fixture
def logits():
    return np.random.default_rng(5).normal(0, 2, (B, T, C + 1)).astype("float32")


def row_by_row(logits, labels=LABELS, lengths=LENGTHS):
    return [nats(row[row > 0], one[:n]) for row, one, n in zip(labels, logits, lengths, strict=True)]


def losses_and_gradient(loss, labels, logits, lengths):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        values = loss(labels, {"logits": logits, "lengths": lengths})
    return np.array(values), np.array(tape.gradient(values, logits))


@pytest.fixture(params=["sparse", "dense"])
def kernel(request, monkeypatch):
    """Both ways to count on TensorFlow; which one runs depends on the machine."""
    monkeypatch.setattr(ctc, "sparse_is_faster", lambda: request.param == "sparse")


def test_the_oracle_sums_over_all_paths(logits):
    """The NumPy forward algorithm of the tests, itself against a sum over (C + 1)^4 paths."""
    for labels, probability in every_labelling(logits[0, :4]).items():
        np.testing.assert_allclose(nats(labels, logits[0, :4]), -np.log(probability), rtol=1e-9)


def test_equals_the_forward_algorithm_row_by_row(logits, kernel):
    values = CTCLoss(reduction=None)(LABELS, {"logits": logits, "lengths": LENGTHS})
    np.testing.assert_allclose(values, row_by_row(logits), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        CTCLoss()(LABELS, {"logits": logits, "lengths": LENGTHS}), np.mean(row_by_row(logits)), rtol=1e-5
    )


def test_equals_tf_nn_ctc_loss_on_padded_batches(kernel):
    """Values and gradients, T=120, 30 classes, against TensorFlow's dense operator on each row alone, cut to length."""
    rng = np.random.default_rng(6)
    B, T, C, U = 8, 120, 30, 25
    logits = rng.normal(0, 3, (B, T, C + 1)).astype("float32")
    lengths, used = rng.integers(60, T + 1, B), rng.integers(1, U + 1, B)
    labels = rng.integers(1, C + 1, (B, U)) * (np.arange(U) < used[:, None])
    values, gradient = losses_and_gradient(CTCLoss(reduction=None), labels, logits, lengths)

    @tf.function(reduce_retracing=True)
    def theirs_alone(labels, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            sizes = [tf.shape(x)[1][None] for x in (labels, logits)]
            nats = tf.nn.ctc_loss(labels, logits, *sizes, logits_time_major=False, blank_index=0)
        return nats[0], tape.gradient(nats, logits)[0]

    for b in range(B):
        label, alone = labels[b : b + 1, : used[b]], logits[b : b + 1, : lengths[b]]
        theirs, their_gradient = theirs_alone(tf.constant(label, tf.int32), tf.constant(alone))
        np.testing.assert_allclose(values[b], theirs, atol=1e-3)
        np.testing.assert_allclose(gradient[b, : lengths[b]], their_gradient, atol=1e-3)
        assert (gradient[b, lengths[b] :] == 0).all()


def test_gradient_is_the_derivative(logits, kernel):
    """Against central differences of the NumPy forward algorithm, rows without labels and without frames included."""
    _, gradient = losses_and_gradient(CTCLoss(reduction="sum"), LABELS, logits, LENGTHS)
    rng = np.random.default_rng(7)
    for _ in range(60):
        b, t, k = rng.integers(B), rng.integers(T), rng.integers(C + 1)
        moved = [logits.astype("float64").copy() for _ in range(2)]
        for step, one in zip((1e-4, -1e-4), moved, strict=True):
            one[b, t, k] += step
        difference = (row_by_row(moved[0])[b] - row_by_row(moved[1])[b]) / 2e-4
        np.testing.assert_allclose(gradient[b, t, k], difference, atol=2e-4)


def test_padding_changes_nothing(logits, kernel):
    wild = np.random.default_rng(8).choice([-1e4, 0, 90, 1e4], logits.shape).astype("float32")
    inside = np.arange(T)[None, :, None] < LENGTHS[:, None, None]
    loss = CTCLoss(reduction=None)
    values, gradient = losses_and_gradient(loss, LABELS, logits, LENGTHS)
    other, other_gradient = losses_and_gradient(loss, LABELS, np.where(inside, logits, wild), LENGTHS)
    np.testing.assert_allclose(values, other, rtol=1e-6)
    np.testing.assert_allclose(gradient, other_gradient, atol=1e-6)
    assert (gradient[~inside[..., 0]] == 0).all()
    more = {"logits": np.pad(logits, ((0, 0), (0, 9), (0, 0))), "lengths": LENGTHS}
    wider = loss(np.pad(LABELS, ((0, 0), (0, 3))), more)
    np.testing.assert_allclose(values, wider, rtol=1e-6)


def test_a_broken_network_is_not_hushed_up(logits, kernel):
    logits[0, 3] = np.nan
    assert np.isnan(CTCLoss()(LABELS, {"logits": logits, "lengths": LENGTHS}))


IMPOSSIBLE = {
    "too long": ([1, 2, 3], 2),
    "no room for the blank of a repeat": ([2, 2, 2], 4),
    "no frames": ([1, 0, 0], 0),
    "an id above C": ([1, C + 1, 0], 9),
    "an id below 0": ([1, -1, -1], 9),
    "a 0 before a label": ([1, 0, 2], 9),
}


@pytest.mark.parametrize(("label", "length"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_label_without_a_path_is_refused_or_filtered_and_counted(logits, kernel, label, length):
    labels, lengths = np.array([[1, 2, 3], label, [4, 4, 0], label]), np.array([14, length, 3, length])
    logits = logits[:4]
    with pytest.raises(ValueError, match=r"rows \[1 3\].*filter"):
        CTCLoss()(labels, {"logits": logits, "lengths": lengths})
    in_graph = tf.function(lambda: CTCLoss()(labels, {"logits": logits, "lengths": lengths}))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)rows.*\[1 3\].*filter"):
        in_graph()
    values, gradient = losses_and_gradient(CTCLoss("filter", reduction=None), labels, logits, lengths)
    assert (values[[1, 3]] == 0).all()
    assert (gradient[[1, 3]] == 0).all()
    np.testing.assert_allclose(values[[0, 2]], row_by_row(logits[[0, 2]], labels[[0, 2]], [14, 3]), rtol=1e-5)
    assert np.abs(gradient[[0, 2]]).max() > 0.1
    tensors = tf.constant(labels, tf.int32), tf.constant(logits), tf.constant(lengths, tf.int32)
    assert np.isneginf(ctc.ctc_log_prob(*tensors).numpy()[[1, 3]]).all(), "never a large finite number"


def test_the_shortest_input_that_fits_is_accepted(logits):
    labels, lengths = np.array([[1, 2, 3], [2, 2, 2], [1, 1, 2]]), np.array([3, 5, 4])
    values = CTCLoss(reduction=None)(labels, {"logits": logits[:3], "lengths": lengths})
    np.testing.assert_allclose(values, row_by_row(logits[:3], labels, lengths), rtol=1e-5)
