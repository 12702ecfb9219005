"""The network that gives each frame of a sequence one of a few classes."""

import keras

from keras_seqgen.models.ctc_recogniser import ctc_recogniser


def frame_labeller(classes, features, **options):
    """The body of `ctc_recogniser` with a class for each frame in place of characters and blank.

        P(class | frame t, whole line) = softmax(logits_t)

    Args:
        classes: K.
        features: D, numbers in each frame.
        options: `units`, `depth`, `cell`, `convolutions` and so on of `ctc_recogniser`.

    Returns:
        An uncompiled `keras.Model`: {"frames": (B, T, D) float32, "length": (B,) int32} -> logits (B, T', K) float32,
        with a mask; T' = ceil(T / stride) for each convolution in turn (`models.ctc_recogniser.time_stride`).

    Raises:
        ValueError: `classes` is less than 2, or as for `ctc_recogniser`.

    Example:

        >>> model = frame_labeller(4, features=32, units=64, convolutions=((16, (3, 3), (2, 2)),))

    Source: Graves and Schmidhuber 2005, "Framewise phoneme classification with bidirectional LSTM".
    """
    if classes < 2:
        raise ValueError(f"`classes` must be at least 2. Received: classes={classes}")
    body = ctc_recogniser(classes - 1, features, **options)
    return keras.Model(body.input, body.output, name="frame_labeller")
