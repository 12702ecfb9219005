"""Metrics for `keras.Model.compile(weighted_metrics=...)`."""

from keras_seqgen.metrics.strokes import NatsPerPoint, NatsPerSequence, StrokeError
from keras_seqgen.metrics.tokens import NatsPerToken

__all__ = ["NatsPerPoint", "NatsPerSequence", "NatsPerToken", "StrokeError"]
