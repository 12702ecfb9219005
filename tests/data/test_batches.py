import json

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.batches import count_lines, handwriting_batches
from keras_seqgen.data.schema import InkLine, to_example
from keras_seqgen.data.strokes import StrokeStatistics
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

COUNT = 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A prepared folder of two shards; the text of a line spells its length."""
    path = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    lengths = rng.integers(20, 200, COUNT)
    for shard in range(2):
        with tf.io.TFRecordWriter(str(path / f"train-{shard:05d}-of-00002.tfrecord")) as writer:
            for i in range(shard, COUNT, 2):
                rows = rng.normal(5, 3, (lengths[i], 3)).astype(np.float32)
                rows[:, 2] = rng.random(lengths[i]) < 0.1
                writer.write(to_example(InkLine(f"n{i}", "", str(lengths[i]), rows)))
    stats = {
        "offsets": {"mean": [5.0, 4.0], "std": [3.0, 2.0]},
        "splits": {"train": {"lines": COUNT, "longest": int(lengths.max())}},
    }
    (path / "stats.json").write_text(json.dumps(stats))
    Vocabulary("0123456789").save(path / "vocabulary.json")
    return path


def flat(batches):
    return [[part.numpy() for part in tf.nest.flatten(batch)] for batch in batches]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_contents_of_a_batch(folder):
    seen = 0
    for inputs, targets, weight in handwriting_batches(folder, "train", 8):
        B, T, _ = targets.shape
        assert inputs["strokes"].shape == (B, T, 3)
        assert weight.shape == (B, T)
        assert inputs["text"].dtype == tf.int32
        lengths = weight.numpy().sum(axis=1).astype(int)
        for row, length in enumerate(lengths):
            ids = inputs["text"].numpy()[row]
            assert "".join(str(i - 1) for i in ids if i) == str(length)
            np.testing.assert_array_equal(targets.numpy()[row, length:], 0)
            np.testing.assert_array_equal(inputs["strokes"].numpy()[row, length:], 0)
            np.testing.assert_array_equal(inputs["strokes"].numpy()[row, 0], 0)
            np.testing.assert_array_equal(inputs["strokes"].numpy()[row, 1:length], targets.numpy()[row, : length - 1])
            assert set(np.unique(targets.numpy()[row, :, 2])) <= {0, 1}
        seen += B
    assert seen == COUNT


def test_offsets_are_normalised_by_the_folders_or_the_given_statistics(folder):
    _, targets, weight = next(iter(handwriting_batches(folder, "train", COUNT)))
    ink = targets.numpy()[weight.numpy() == 1]
    assert abs(ink[:, 0].mean()) < 0.2
    assert abs(ink[:, 0].std() - 1) < 0.2
    other = StrokeStatistics(np.zeros(2, np.float32), np.ones(2, np.float32))
    raw = next(iter(handwriting_batches(folder, "train", COUNT, statistics=other)))[1].numpy()[weight.numpy() == 1]
    np.testing.assert_allclose(raw[:, :2], ink[:, :2] * [3, 2] + [5, 4], rtol=1e-5, atol=1e-5)
    assert "text" not in next(iter(handwriting_batches(folder, "train", 4, with_text=False)))[0]


def test_padding_stays_small(folder):
    steps = cells = 0
    for _, _, weight in handwriting_batches(folder, "train", 4, seed=1, repeat=True).take(500):
        steps += weight.numpy().sum()
        cells += weight.numpy().size
    assert steps / cells > 0.95


def test_a_stopped_run_goes_on_where_it_was(folder):
    whole = flat(handwriting_batches(folder, "train", 8, seed=3, repeat=True).take(60))
    for step in (1, 17, 41):  # an epoch is about 19 batches
        rest = flat(handwriting_batches(folder, "train", 8, seed=3, repeat=True, start_step=step).take(60 - step))
        assert_same(whole[step:], rest)


def test_order_depends_on_the_seed_alone(folder):
    def first(seed):
        return flat(handwriting_batches(folder, "train", 8, seed=seed, repeat=True).take(40))

    one = first(1)
    tf.keras.utils.set_random_seed(99)
    assert_same(one, first(1))
    assert any(not np.array_equal(a[-1], b[-1]) for a, b in zip(one, first(2), strict=True))
    unshuffled = flat(handwriting_batches(folder, "train", 8))
    assert_same(unshuffled, flat(handwriting_batches(folder, "train", 8)))


def test_every_epoch_has_every_line_once_in_another_order(folder):
    def names(seed, count):
        batches = handwriting_batches(folder, "train", 1, seed=seed, repeat=True).take(count)
        return [float(targets.numpy()[0, 0, 0]) for _, targets, _ in batches]

    first, second = np.split(np.array(names(5, 2 * COUNT)), 2)
    assert sorted(first) == sorted(second)
    assert len(set(first)) == COUNT
    assert not np.array_equal(first, second)


def test_max_length_leaves_out_longer_lines(folder):
    longest = max(weight.shape[1] for _, _, weight in handwriting_batches(folder, "train", 4, max_length=100))
    assert 0 < longest <= 100


def test_lines_are_counted_and_none_left_is_told(folder):
    lengths = [int(row[3].sum()) for batch in flat(handwriting_batches(folder, "train", 1)) for row in [batch]]
    assert count_lines(folder, "train") == COUNT == count_lines(folder, "train", 10**6)
    assert count_lines(folder, "train", 100) == sum(length <= 100 for length in lengths) > 0
    with pytest.raises(UserError, match=f"no line of at most {min(lengths) - 1} points"):
        handwriting_batches(folder, "train", 1, repeat=True, max_length=min(lengths) - 1)


def test_mistakes_are_named(folder, tmp_path):
    with pytest.raises(UserError, match="no split 'valid'"):
        handwriting_batches(folder, "valid", 8)
    with pytest.raises(UserError, match="batch_size"):
        handwriting_batches(folder, "train", 0)
    with pytest.raises(UserError, match="no split"):
        handwriting_batches(tmp_path, "train", 8)


def test_a_character_outside_of_the_vocabulary_is_an_error(folder):
    with pytest.raises(tf.errors.InvalidArgumentError, match="vocabulary does not have"):
        list(handwriting_batches(folder, "train", 8, vocabulary=Vocabulary("012345678")))
