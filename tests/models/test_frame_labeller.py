"""The labeller of frames: sizes, masks, and that padding changes nothing."""

import keras
import numpy as np
import pytest

from keras_seqgen.models.ctc_recogniser import time_stride
from keras_seqgen.models.frame_labeller import frame_labeller


def test_one_class_for_each_frame_whatever_the_padding():
    keras.utils.set_random_seed(0)
    model = frame_labeller(4, features=8, units=5, depth=2, convolutions=((3, (3, 3), (2, 2)), (6, 3, 2)))
    assert time_stride(model) == 4
    frames = np.random.default_rng(0).normal(size=(2, 23, 8)).astype("f4")
    length = np.array([23, 9])
    logits = model({"frames": frames, "length": length}).numpy()
    assert logits.shape == (2, 6, 4)
    alone = model({"frames": frames[1:, :9], "length": length[1:]}).numpy()
    np.testing.assert_allclose(alone[0], logits[1, :3], atol=1e-5)
    assert model.name == "frame_labeller"


def test_a_mistake_in_its_arguments():
    with pytest.raises(ValueError, match="`classes` must be at least 2"):
        frame_labeller(1, features=8)
    with pytest.raises(ValueError, match="`cell` must be one of"):
        frame_labeller(4, features=8, cell="none")
