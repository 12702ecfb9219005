"""Metrics for `keras.Model.compile(weighted_metrics=...)`."""

from keras_seqgen.metrics.strokes import NatsPerPoint, NatsPerSequence, StrokeError

__all__ = ["NatsPerPoint", "NatsPerSequence", "StrokeError"]
