"""Distorted frames: what each distortion does, against ink and sound that were changed themselves."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.distortion import Distortion, moved, stretched, warped, with_room
from keras_seqgen.data.ink_features import ink_features
from keras_seqgen.data.recognition_batches import recognition_batches
from keras_seqgen.data.speech_features import SpeechForm, hertz, log_mel, mel
from keras_seqgen.errors import UserError
from tests.recognition_data import write_prepared

FORM = SpeechForm(8000)
DRAW = tf.constant([5, 6], tf.int64)


def draws(*shape):
    """The numbers in -1..1 that a distortion draws first."""
    return tf.random.stateless_uniform(shape, DRAW, -1.0, 1.0, alg="philox").numpy()


def rotation(angle):
    return [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]


@pytest.mark.parametrize(
    ("distortion", "matrix"),
    [
        (Distortion(slant=0.5), lambda a: [[1, 0.5 * a[1]], [0, 1]]),
        (Distortion(turn=0.2), lambda a: rotation(0.2 * a[2])),
        (Distortion(scale=0.3), lambda a: np.diag([math.exp(0.3 * (a[0] + a[3])), math.exp(0.3 * a[3])])),
    ],
    ids=["slant", "turn", "scale"],
)  # fmt: skip
def test_moved_features_are_the_features_of_moved_ink(distortion, matrix):
    rng = np.random.default_rng(0)
    lines = [np.column_stack([rng.normal(0, 2, (n, 2)), rng.random(n) < 0.1]) for n in (9, 6)]
    frames = np.stack([np.pad(ink_features(line, "raw"), ((0, 9 - len(line)), (0, 0))) for line in lines])
    found = moved(tf.constant(frames, tf.float32), tf.constant([9, 6]), distortion, DRAW).numpy()
    even = draws(4, 2, 1)[..., 0]
    for row, line in enumerate(lines):
        other = np.column_stack([line[:, :2] @ np.array(matrix(even[:, row])).T, line[:, 2]])
        np.testing.assert_allclose(found[row, : len(line)], ink_features(other, "raw"), atol=1e-5)


def test_stretched_lines_are_interpolated_from_first_to_last_frame():
    frames = np.random.default_rng(0).normal(size=(3, 20, 2)).astype("f4")
    lengths, least = np.array([20, 13, 1], "i4"), np.array([4, 12, 8], "i4")
    found, new = stretched(tf.constant(frames), tf.constant(lengths), tf.constant(least), 0.9, DRAW)
    wanted = np.maximum(np.round(lengths * np.exp(0.9 * draws(3))), np.minimum(lengths, least))
    np.testing.assert_array_equal(new, np.maximum(wanted, 1))
    assert found.shape[1] == max(new)
    for row, (length, longer) in enumerate(zip(lengths, new.numpy(), strict=True)):
        place = np.linspace(0, length - 1, longer)
        for n in range(2):
            line = np.interp(place, np.arange(length), frames[row, :length, n])
            np.testing.assert_allclose(found[row, :longer, n], line, atol=1e-4)


def test_stretches_cover_their_range_and_leave_the_text_its_room():
    lengths, least = np.full(4000, 200, "i4"), np.full(4000, 150, "i4")
    frames = tf.zeros((4000, 200, 1))
    new = stretched(frames, tf.constant(lengths), tf.zeros_like(lengths), 0.5, DRAW)[1].numpy()
    assert new.min() == pytest.approx(200 * math.exp(-0.5), abs=1)
    assert new.max() == pytest.approx(200 * math.exp(0.5), abs=1)
    assert np.mean(np.log(new / 200)) == pytest.approx(0, abs=0.02)
    held = stretched(frames, tf.constant(lengths), tf.constant(least), 0.5, DRAW)[1].numpy()
    np.testing.assert_array_equal(held, np.maximum(new, 150))


def tone(frequency):
    return log_mel(0.5 * np.sin(2 * np.pi * frequency * np.arange(1600) / 8000), FORM)


@pytest.mark.parametrize("frequency", [300, 700, 1500, 2100])
def test_a_warped_tone_is_a_tone_of_another_pitch(frequency):
    frames = np.stack([tone(frequency)] * 6)
    found = warped(tf.constant(frames), FORM.kind, 0.1, DRAW).numpy()
    for row, u in zip(found, draws(6), strict=True):
        wanted = tone(frequency * math.exp(0.1 * u))
        weights = [np.exp(sound).mean(axis=0) for sound in (row, wanted)]
        centres = [(np.arange(40) * weight).sum() / weight.sum() for weight in weights]
        assert centres[0] == pytest.approx(centres[1], abs=0.5)  # bands


def test_a_warp_keeps_the_highest_band_and_the_order_of_all():
    bands = np.tile(hertz(np.linspace(mel(20), mel(4000), 42)[1:-1]), (500, 2, 1)).astype("f4")
    found = warped(tf.constant(bands), FORM.kind, 0.3, DRAW).numpy()[:, 0]
    assert np.all(np.diff(found, axis=1) >= 0)
    low = bands[0, 0] < 1500  # below the bend for every factor: f / a, or the lowest band's
    wanted = np.maximum(bands[0, :1, low].T / np.exp(0.3 * draws(500, 1)), bands[0, 0, 0])
    np.testing.assert_allclose(found[:, low], wanted, rtol=0.02)
    top = hertz(np.linspace(mel(20), mel(4000), 42)[-2])
    assert np.abs(found[:, -1] / top - 1).max() < 0.05


def test_no_strength_no_change():
    frames = tf.constant(np.random.default_rng(1).normal(size=(2, 9, 40)), tf.float32)
    lengths = tf.constant([9, 7])
    np.testing.assert_allclose(warped(frames, FORM.kind, 0.0, DRAW), frames, atol=2e-4)
    again, same = stretched(frames, lengths, lengths, 0.0, DRAW)
    np.testing.assert_array_equal(same, lengths)
    np.testing.assert_allclose(again[0], frames[0], atol=1e-5)


def test_a_room_adds_its_power_to_that_of_the_voice():
    lengths = np.full(300, 80, "i4")
    lengths[0] = 40
    frames = np.full((300, 80, 40), -13.8, "f4")
    frames[:, 20, 10] = 2.0  # the loudest
    frames[0, 60, 10] = 9.0  # behind the first line's end
    found = with_room(tf.constant(frames), tf.constant(lengths), 25.0, DRAW).numpy()
    assert np.all(found >= frames)
    np.testing.assert_allclose(found[:, 20, 10], 2.0, atol=0.2)
    even = draws(2, 300, 1, 1)[..., 0, 0]
    noise = 2.0 + math.log(10) / 10 * (25 * (even[0] + 1) / 2 - 60)
    tilt = math.log(10) / 10 * 5 * even[1]
    for band, side in ((0, -1), (39, 1)):
        wanted = np.logaddexp(-13.8, noise + side * tilt)
        np.testing.assert_allclose(found[1:, 30:, band].mean(axis=1), wanted[1:], atol=0.4)
        assert abs(found[0, 22:40, band].mean() - wanted[0]) < 0.5
    assert found[1:, 30:, 20].std(axis=1).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "distortion", "message"),
    [
        ("preprocessed", Distortion(turn=1), "move raw ink; the data have preprocessed features"),
        ("raw", Distortion(warp=0.1), "for speech; the data have raw features"),
        ("raw", Distortion(masks=-1), "`masks` must not be negative"),
    ],
)
def test_what_a_distortion_is_not_for_is_refused(tmp_path, kind, distortion, message):
    with pytest.raises(UserError, match=message):
        recognition_batches(write_prepared(tmp_path, kind=kind), "train", 4, seed=1, distortion=distortion)


def test_speech_is_distorted_anew_in_each_batch_and_resumes(tmp_path):
    folder = write_prepared(tmp_path, kind="log-mel-8000")
    options = {"seed": 1, "repeat": True, "shortest": 3, "distortion": Distortion(stretch=0.9, warp=0.2, room=20)}

    def batches(start, count, **changed):
        stream = recognition_batches(folder, "train", 8, start_step=start, **options | changed).take(count)
        return [(inputs["frames"].numpy(), inputs["length"].numpy(), labels.numpy()) for inputs, labels in stream]

    plain, whole = batches(0, 12, distortion=None), batches(0, 12)
    for (_, old, texts), (frames, new, labels) in zip(plain, whole, strict=True):
        np.testing.assert_array_equal(labels, texts)
        assert frames.shape[1] == new.max()
        assert np.isfinite(frames).all()
        assert not any(row[length:].any() for row, length in zip(frames, new, strict=True))
        assert np.all(new >= np.minimum(old, 3 * (labels > 0).sum(axis=1)))
    factors = np.concatenate([new / old for (_, old, _), (_, new, _) in zip(plain, whole, strict=True)])
    assert factors.max() > 2
    assert len(np.unique(factors)) > 40
    for left, right in zip(batches(7, 5), whole[7:], strict=True):
        for a, b in zip(left, right, strict=True):
            np.testing.assert_array_equal(a, b)
