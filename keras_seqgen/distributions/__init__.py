"""Probability distributions over pen steps.

`stroke_density` holds the mathematics in `keras.ops`, on any backend. `StrokeMixture` is the same as a
`tfp.distributions.Distribution`; TensorFlow Probability is imported when it is first asked for.
"""

from keras_seqgen.distributions.stroke_density import (
    StrokeParameters,
    stroke_log_density,
    stroke_mean,
    stroke_mode,
    stroke_parameters,
    stroke_sample,
)

__all__ = [
    "StrokeMixture",
    "StrokeParameters",
    "stroke_log_density",
    "stroke_mean",
    "stroke_mode",
    "stroke_parameters",
    "stroke_sample",
]


def __getattr__(name):
    if name == "StrokeMixture":
        from keras_seqgen.distributions.strokes import StrokeMixture

        return StrokeMixture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
