import time

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data import text_schema
from keras_seqgen.data.text_batches import text_batches
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

COUNT = 1003
ALPHABET = Vocabulary([chr(0x100 + n) for n in range(COUNT)])  # so that each token of the text is another


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A prepared folder whose train split is 1, 2, ... 1003, in two shards."""
    path = tmp_path_factory.mktemp("text")
    ALPHABET.save(path / "vocabulary.json")
    ids = np.arange(1, COUNT + 1)
    for shard, (a, b) in enumerate(((0, 300), (300, COUNT))):
        with tf.io.TFRecordWriter(str(path / f"train-{shard:05d}-of-00002.tfrecord")) as writer:
            for at in range(a, b, 77):
                stop = min(at + 77, b)
                writer.write(text_schema.to_example(at, ids[at:stop], text_schema.id_type(len(ALPHABET))))
    return path


def flat(dataset):
    return [[part.numpy() for part in tf.nest.flatten(batch)] for batch in dataset]


def columns(dataset):
    """tokens, targets, weight of all steps side by side, and the fresh flags per step."""
    inputs, targets, weight = zip(*dataset, strict=True)
    side_by_side = [np.concatenate(list(map(np.asarray, part)), axis=1) for part in (targets, weight)]
    tokens = np.concatenate([part["tokens"].numpy() for part in inputs], axis=1)
    return tokens, *side_by_side, np.stack([part["fresh"].numpy() for part in inputs])


@pytest.mark.parametrize(("B", "T"), [(1, 10), (1, 5000), (4, 25), (7, 50), (13, 1), (1003, 1), (600, 3)])
def test_evaluation_has_every_token_once(folder, B, T):
    dataset = text_batches(folder, "train", B, T)
    tokens, targets, weight, fresh = columns(dataset)
    row = -(-COUNT // B)
    assert tokens.shape == (B, T * len(dataset))
    assert len(dataset) == -(-row // T)
    text = np.arange(1, COUNT + 1)
    np.testing.assert_array_equal(targets[weight == 1], text)  # in order, row after row
    np.testing.assert_array_equal(tokens[weight == 1], text - 1)  # the token before; 0 before the first
    assert not targets[weight == 0].any()
    assert not tokens[weight == 0].any()
    assert set(np.unique(weight)) <= {0, 1}
    assert np.all(weight[:, :-1] >= weight[:, 1:]), "padding is at the end of a row"
    assert fresh[0].all()
    assert not fresh[1:].any()


@pytest.mark.parametrize(("B", "T"), [(1, 10), (4, 25), (7, 50), (10, 100)])
def test_training_goes_through_equal_rows_again_and_again(folder, B, T):
    row = COUNT // B
    steps = row // T
    tokens, targets, weight, fresh = columns(text_batches(folder, "train", B, T, repeat=True).take(3 * steps))
    text = np.arange(1, COUNT + 1)
    wanted = text[: B * row].reshape(B, row)[:, : steps * T]
    np.testing.assert_array_equal(targets, np.tile(wanted, 3))
    np.testing.assert_array_equal(tokens, np.tile(wanted, 3) - 1)
    assert weight.min() == 1
    assert fresh.all(axis=1).tolist() == fresh.any(axis=1).tolist() == ([True] + [False] * (steps - 1)) * 3


def test_types_and_shapes_are_known_before_the_first_batch(folder):
    for repeat in (False, True):
        dataset = text_batches(folder, "train", 4, 25, repeat=repeat)
        assert dataset.element_spec == (
            {"tokens": tf.TensorSpec((4, 25), tf.int32), "fresh": tf.TensorSpec((4,), tf.bool)},
            tf.TensorSpec((4, 25), tf.int32),
            tf.TensorSpec((4, 25), tf.float32),
        )
        assert dataset.cardinality() == (tf.data.INFINITE_CARDINALITY if repeat else 11)
    assert text_batches(folder, "train", 4, 25, start_step=3).cardinality() == 8
    assert text_batches(folder, "train", 4, 25, start_step=30).cardinality() == 0


@pytest.mark.parametrize("repeat", [False, True])
def test_a_stopped_run_goes_on_where_it_was(folder, repeat):
    def batches(start, count):
        dataset = text_batches(folder, "train", 7, 20, repeat=repeat, reset_every=3, start_step=start)
        return flat(dataset.take(count))

    whole = batches(0, 30)
    for step in (1, 5, 7, 17):
        for one, other in zip(whole[step:], batches(step, max(len(whole) - step, 0)), strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_the_state_is_reset_every_so_many_steps(folder):
    dataset = text_batches(folder, "train", 4, 25, repeat=True, reset_every=4)  # 10 steps an epoch
    fresh = [bool(inputs["fresh"].numpy().all()) for inputs, _, _ in dataset.take(20)]
    assert np.flatnonzero(fresh).tolist() == [0, 4, 8, 10, 14, 18]


def test_a_split_shorter_than_a_batch(folder):
    with pytest.raises(UserError, match=r"has 1003 tokens, but a batch of 40 rows of 26 needs 1040: take a smaller"):
        text_batches(folder, "train", 40, 26, repeat=True)
    text_batches(folder, "train", 40, 25, repeat=True)
    with pytest.raises(UserError, match="a batch of 1004 rows needs 1004"):
        text_batches(folder, "train", 1004, 1)
    with pytest.raises(UserError, match="no split 'valid'"):
        text_batches(folder, "valid", 1, 1)


def test_a_vocabulary_that_does_not_match_the_model(folder):
    text_batches(folder, "train", 4, 25, vocabulary=Vocabulary(ALPHABET.tokens))
    for other in (
        Vocabulary(ALPHABET.tokens[:-1]),
        Vocabulary(ALPHABET.tokens[::-1]),
        Vocabulary(ALPHABET.tokens, kind="word"),
        Vocabulary(ALPHABET.tokens, normalization=None),
    ):
        with pytest.raises(UserError, match=r"another vocabulary than the model.*--vocabulary"):
            text_batches(folder, "train", 4, 25, vocabulary=other)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"length": 0}, {"start_step": -1}, {"reset_every": 0}])
def test_wrong_numbers_are_named(folder, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        text_batches(folder, "train", **{"batch_size": 4, "length": 25} | wrong)


def test_a_batch_is_made_in_no_time(tmp_path):
    """Two milliseconds are asked for; the best of several trials, since others share the machine."""
    ids = np.random.default_rng(0).integers(1, 51, 2_000_000)
    Vocabulary([chr(0x100 + n) for n in range(50)]).save(tmp_path / "vocabulary.json")
    with tf.io.TFRecordWriter(str(tmp_path / "train-00000-of-00001.tfrecord")) as writer:
        for at in range(0, len(ids), text_schema.RECORD):
            writer.write(text_schema.to_example(at, ids[at : at + text_schema.RECORD], np.dtype("u1")))
    batches = iter(text_batches(tmp_path, "train", 64, 100, repeat=True))
    next(batches)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(20):
            next(batches)
        seconds.append((time.perf_counter() - start) / 20)
    assert min(seconds) < 0.002
