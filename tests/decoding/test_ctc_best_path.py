"""Best path decoding in a graph against a loop over frames, and forced alignment against all paths."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.decoding.ctc import best_path
from keras_seqgen.decoding.ctc_alignment import align
from tests.reference.ctc import collapse, log_softmax

pytestmark = pytest.mark.filterwarnings("error")


def numpy_reading(logits):
    """ids, frames, probabilities and confidence of one input, frame by frame."""
    probability = np.exp(log_softmax(logits))
    ids, frames, peaks, before = [], [], [], 0
    for t, row in enumerate(probability):
        k = int(row.argmax())
        if k and k != before:
            ids.append(k)
            frames.append(t)
            peaks.append(row[k])
        elif k:
            peaks[-1] = max(peaks[-1], row[k])
        before = k
    return ids, frames, peaks, float(np.exp(np.mean(np.log(peaks)))) if ids else 0.0


@pytest.fixture
def batch():
    """Rows with runs, repeats across blanks, nothing but blanks, one frame and none."""
    rng = np.random.default_rng(0)
    paths = rng.choice([0, 0, 1, 1, 2, 3], (8, 20))
    paths[4] = 0
    logits = rng.normal(size=(8, 20, 4)) + 3 * np.eye(4)[paths] * rng.random((8, 20, 1))
    logits[4, :, 0] += 9
    return logits.astype("float32"), np.array([20, 13, 7, 20, 20, 1, 0, 18], "int32")


def test_equals_the_loop_over_frames(batch):
    logits, lengths = batch
    read = best_path(logits, lengths)
    wanted = [numpy_reading(one[:n]) for one, n in zip(logits, lengths, strict=True)]
    assert read.ids.shape[1] == max(len(ids) for ids, *_ in wanted) > 5
    for b, (ids, frames, peaks, confidence) in enumerate(wanted):
        assert read.lengths[b] == len(ids)
        assert read.ids[b].numpy().tolist() == ids + [0] * (read.ids.shape[1] - len(ids))
        assert read.frames[b].numpy().tolist() == frames + [0] * (read.ids.shape[1] - len(ids))
        np.testing.assert_allclose(read.probabilities[b, : len(ids)], peaks, rtol=1e-5)
        assert (read.probabilities[b, len(ids) :].numpy() == 0).all()
        np.testing.assert_allclose(read.confidence[b], confidence, rtol=1e-5)
    assert float(read.confidence[4]) == int(read.lengths[4]) == 0
    collapsed = [collapse(one[:n].argmax(-1)) for one, n in zip(logits, lengths, strict=True)]
    assert collapsed == [(tuple(ids), frames) for ids, frames, *_ in wanted]


def test_in_a_saved_model_of_any_shape(batch, tmp_path):
    """The same numbers from one graph, loaded without Keras, for every row alone and in the batch."""
    logits, lengths = batch
    module = tf.Module()
    signature = [tf.TensorSpec((None, None, 4), tf.float32), tf.TensorSpec((None,), tf.int32)]
    module.read = tf.function(lambda logits, lengths: best_path(logits, lengths)._asdict(), input_signature=signature)
    tf.saved_model.save(module, str(tmp_path / "reader"))
    read = tf.saved_model.load(str(tmp_path / "reader")).read
    together = read(logits, lengths)
    for name, value in best_path(logits, lengths)._asdict().items():
        np.testing.assert_array_equal(together[name], value)
    for b, n in enumerate(lengths):
        alone = read(logits[b : b + 1, : max(n, 1)], lengths[b : b + 1])
        count = int(alone["lengths"][0])
        assert count == together["lengths"][b]
        for name in ("ids", "frames", "probabilities"):
            np.testing.assert_allclose(alone[name][0], together[name][b, :count], rtol=1e-6)
        np.testing.assert_allclose(alone["confidence"][0], together["confidence"][b], rtol=1e-6)


def test_padding_is_not_read(batch):
    logits, lengths = batch
    inside = np.arange(20)[None, :, None] < lengths[:, None, None]
    wild = np.where(inside, logits, np.random.default_rng(1).normal(size=logits.shape) * 50).astype("float32")
    for ours, theirs in zip(best_path(logits, lengths), best_path(wild, lengths), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_at_all():
    read = best_path(np.zeros((0, 5, 3), "float32"), np.zeros(0, "int32"))
    assert read.ids.shape == (0, 0)
    assert best_path(np.ones((2, 0, 3), "float32"), np.zeros(2, "int32")).lengths.numpy().tolist() == [0, 0]


def test_the_alignment_is_the_likeliest_path_of_its_labelling():
    """Every labelling of 6 frames and 3 labels, each against all its paths."""
    logits = np.random.default_rng(2).normal(size=(6, 4)) * 2
    log_p = log_softmax(logits)
    best = {}
    for path in itertools.product(range(4), repeat=6):
        labels, frames = collapse(path)
        value = sum(log_p[t, k] for t, k in enumerate(path))
        if labels not in best or value > best[labels][0]:
            best[labels] = value, frames, path
    for labels, (_, frames, path) in best.items():
        found = align(logits, labels)
        assert found.frames.tolist() == frames
        for u, (begin, end) in enumerate(itertools.pairwise([*frames, 6])):
            run = [t for t in range(begin, end) if path[t] == labels[u]]
            np.testing.assert_allclose(found.probabilities[u], np.exp(log_p[run, labels[u]]).max(), rtol=1e-9)


def test_the_best_path_aligned_is_itself(batch):
    logits, lengths = batch
    read = best_path(logits, lengths)
    for b, n in enumerate(lengths):
        count = int(read.lengths[b])
        found = align(logits[b, :n], read.ids[b, :count].numpy().tolist())
        assert found.frames.tolist() == read.frames[b, :count].numpy().tolist()
        np.testing.assert_allclose(found.probabilities, read.probabilities[b, :count], rtol=1e-5)


@pytest.mark.parametrize("ids", [[1, 1, 1], [1, 2, 3, 1, 2], [0], [4]])
def test_labels_that_cannot_be_aligned(ids):
    with pytest.raises(ValueError, match="`ids` must fit 4 frames of 4 classes"):
        align(np.zeros((4, 4)), ids)
