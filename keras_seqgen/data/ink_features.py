"""What a recogniser sees of a line of ink: one function, used by the pipeline for training and by exported models.

Two kinds of features:

    raw             the pen's own data, point by point: 4 numbers
    preprocessed    the line normalised (`data.ink_normal_form`), sampled evenly along the path (`data.ink_frames`) and
                    described (`data.ink_descriptors`): 27 numbers
"""

from types import ModuleType
from typing import Any

from keras_seqgen.data import ink_arrays
from keras_seqgen.data.ink_descriptors import NAMES, describe, described
from keras_seqgen.data.ink_frames import frames_of
from keras_seqgen.data.ink_normal_form import mean, normal_form, pen_path

STEP = 0.25  # core heights from frame to frame of preprocessed ink

FEATURES = {"raw": ("dx", "dy", "y", "pen"), "preprocessed": NAMES}


def ink_features(strokes, kind: str, xp: ModuleType | Any = ink_arrays):
    """The features of a line, before the mean is taken off and the deviation divided out.

    Raw, with rows (dx, dy, pen) as in `data.schema.InkLine`, y downward:

        dx_t, dy_t      the step to point t                                   the device's unit
        y_t             sum_{s <= t} dy_s - its mean over the line            the device's unit
        pen_t           1 where the pen leaves the board behind point t, else 0

    Preprocessed: `ink_descriptors.describe` of the normal form, in frames of STEP.

    Args:
        strokes: (T, 3), T >= 1.
        kind: "raw" or "preprocessed".
        xp: the array library, `data.ink_arrays` or `serving.ink_tensors`.

    Returns:
        float64 (T, 4) or (F, 27), in the order of FEATURES[kind].

    Raises:
        ValueError: another kind.

    Example:

        >>> ink_features(np.array([[3.0, 0, 0], [0, 4, 1]]), "raw").tolist()
        [[3.0, 0.0, -2.0, 0.0], [0.0, 4.0, 2.0, 1.0]]

    Source: Graves, Liwicki, Fernandez, Bertolami, Bunke and Schmidhuber 2009, "A novel connectionist system for
    unconstrained handwriting recognition", section 4.1. Differs: their raw data are positions with their times and a
    mark for the end of a stroke; here steps stand for positions, so that a line's length does not matter, and times are
    left out, as most ink has none.
    """
    return features_and_points(strokes, kind, xp)[0]


def features_and_points(strokes, kind: str, xp: ModuleType | Any = ink_arrays):
    """`ink_features`, and where in the ink each frame is.

    Args:
        strokes, kind, xp: as for `ink_features`. Row t leads from point t to point t + 1.

    Returns:
        The features, (F, D), and int64 (F,): the number of the point at or before each frame.
    """
    if kind not in FEATURES:
        raise ValueError(f"`kind` must be one of {', '.join(FEATURES)}. Received: kind={kind!r}")
    strokes = xp.real(strokes)
    if kind == "raw":
        y = xp.cumsum(strokes[:, 1])
        features = xp.stack([strokes[:, 0], strokes[:, 1], y - mean(y, xp), strokes[:, 2]])
        return features, xp.arange(xp.count(strokes)) + 1
    frames = frames_of(normal_form(pen_path(strokes, xp), xp), STEP, xp)
    return describe(frames, xp), xp.keep(frames.point, described(frames, xp))
