"""Batches for recognisers."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.distortion import Distortion
from keras_seqgen.data.recognition_batches import FrameUnit, recognition_batches
from keras_seqgen.data.recognition_schema import LabelledFrames, from_example, parse, parse_length, to_example
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from tests.recognition_data import write_prepared


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("frames"))


def flat(batches, count=None):
    return [
        (inputs["frames"].numpy(), inputs["length"].numpy(), labels.numpy())
        for inputs, labels in (batches if count is None else batches.take(count))
    ]


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_an_example_comes_back():
    line = LabelledFrames("n", "", "añ b", np.arange(12, dtype=np.float32).reshape(3, 4))
    record = to_example(line)
    again = from_example(record)
    assert (again.name, again.writer, again.text) == ("n", "", "añ b")
    np.testing.assert_array_equal(again.frames, line.frames)
    parsed = parse(tf.constant([record, record]), 4)
    np.testing.assert_array_equal(parsed["frames"][1].numpy(), line.frames)
    assert int(parse_length(tf.constant(record))) == 3
    assert tf.train.Example.FromString(record).SerializeToString(deterministic=True) == record


def test_every_line_once_normalised_padded_and_encoded(folder):
    unit, vocabulary = FrameUnit.load(folder / "stats.json"), Vocabulary.load(folder / "vocabulary.json")
    files = [str(path) for path in folder.glob("valid-*")]
    wanted = {}
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        line = from_example(record)
        wanted[line.frames.tobytes()] = line
    seen = 0
    for frames, lengths, labels in flat(recognition_batches(folder, "valid", 5)):
        assert frames.shape[1] == lengths.max()
        for row, length, ids in zip(frames, lengths, labels, strict=True):
            assert not row[length:].any()
            line = min(
                wanted.values(),
                key=lambda one: (
                    np.abs(unit.normalise(one.frames) - row[:length]).max() if len(one.frames) == length else math.inf
                ),
            )
            np.testing.assert_allclose(row[:length], unit.normalise(line.frames), atol=1e-5)
            assert vocabulary.decode(ids) == line.text
            seen += 1
    assert seen == 12


def test_a_stream_resumes_anywhere_distortion_included(folder):
    options = {"seed": 3, "repeat": True, "distortion": Distortion(0.1, 2, 4, 0.3, 0.1, 0.2)}
    whole = flat(recognition_batches(folder, "train", 4, **options), 30)
    assert_same(flat(recognition_batches(folder, "train", 4, start_step=17, **options), 13), whole[17:])
    other = flat(recognition_batches(folder, "train", 4, **options | {"seed": 4}), 1)
    assert other[0][0].shape != whole[0][0].shape or np.any(other[0][0] != whole[0][0])


def test_no_distortion_leaves_the_frames(folder):
    plain = flat(recognition_batches(folder, "train", 4, seed=1), 5)
    assert_same(flat(recognition_batches(folder, "train", 4, seed=1, distortion=Distortion()), 5), plain)
    noisy = flat(recognition_batches(folder, "train", 4, seed=1, distortion=Distortion(noise=0.1)), 5)
    for (a, lengths, labels), (b, _, again) in zip(plain, noisy, strict=True):
        inside = np.arange(a.shape[1])[None] < lengths[:, None]
        assert np.std((b - a)[inside]) == pytest.approx(0.1, rel=0.4)
        assert not (b - a)[~inside].any()
        np.testing.assert_array_equal(labels, again)


def test_masks_blot_out_spans_in_every_feature_at_once(folder):
    plain = flat(recognition_batches(folder, "train", 8, seed=1), 4)
    blotted = flat(recognition_batches(folder, "train", 8, seed=1, distortion=Distortion(masks=2, mask_frames=6)), 4)
    hidden = 0
    for (a, _, _), (b, _, _) in zip(plain, blotted, strict=True):
        gone = (b == 0).all(axis=2) & (a != 0).any(axis=2)
        np.testing.assert_array_equal(b[~gone], a[~gone])
        assert gone.sum(axis=1).max() <= 2 * 7
        hidden += gone.sum()
    assert hidden > 0


def test_characters_that_a_model_does_not_know_get_the_id_after_its_last(folder):
    (_, _, labels) = flat(recognition_batches(folder, "valid", 64, vocabulary=Vocabulary(" ab")))[0]
    assert labels.max() == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "nowhere"}, "no split 'nowhere'"),
        ({"batch_size": 0}, "must be positive"),
        ({"distortion": Distortion(noise=1.0)}, "give a `seed`"),
        ({"unit": FrameUnit("other", ("a",), np.zeros(1), np.ones(1))}, "not other features, 1 in a frame"),
    ],
)
def test_mistakes_are_named(folder, options, message):
    with pytest.raises(UserError, match=message):
        recognition_batches(folder, **{"split": "train", "batch_size": 4, **options})


@pytest.mark.parametrize("content", ["{}", '{"features": {"kind": "raw", "names": ["a"], "mean": [0], "std": [0]}}'])
def test_broken_statistics_are_named(tmp_path, content):
    (tmp_path / "stats.json").write_text(content)
    with pytest.raises(UserError, match="does not describe"):
        FrameUnit.load(tmp_path / "stats.json")
