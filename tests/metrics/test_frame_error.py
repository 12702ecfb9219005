"""The frame error over masked and weighted frames."""

import numpy as np
import pytest

from keras_seqgen.layers.lengths import LengthMask
from keras_seqgen.metrics.frame_error import FrameError


@pytest.mark.parametrize(("weight", "error"), [(None, 1 / 3), ([[0, 1, 1, 1], [1, 1, 1, 1]], 1 / 2)])
def test_frames_that_the_mask_leaves_out_do_not_count(weight, error):
    """Three frames lie within the lengths, one of them wrong; all behind them are wrong."""
    labels = np.array([[0, 1, 1, 1], [0, 0, 1, 1]])
    logits = np.tile([2.0, 1.0], (2, 4, 1)).astype("float32")
    masked = LengthMask()([logits, np.array([2, 1])])
    metric = FrameError()
    metric.update_state(labels, masked, None if weight is None else np.array(weight, "float32"))
    assert float(metric.result()) == pytest.approx(error)
    metric.reset_state()
    metric.update_state(labels, logits)
    assert float(metric.result()) == pytest.approx(5 / 8)
