"""Metrics for `keras.Model.compile(weighted_metrics=...)`, and edit distances as plain functions."""

from keras_seqgen.metrics.edit_distance import character_error_rate, edit_distance, word_error_rate
from keras_seqgen.metrics.error_rates import CharacterErrorRate, ImpossibleLabels, WordErrorRate
from keras_seqgen.metrics.segmentation import MeanIoU, OneMinusMeanIoU
from keras_seqgen.metrics.strokes import NatsPerPoint, NatsPerSequence, StrokeError
from keras_seqgen.metrics.tokens import NatsPerToken

__all__ = [
    "CharacterErrorRate",
    "ImpossibleLabels",
    "MeanIoU",
    "NatsPerPoint",
    "NatsPerSequence",
    "NatsPerToken",
    "OneMinusMeanIoU",
    "StrokeError",
    "WordErrorRate",
    "character_error_rate",
    "edit_distance",
    "word_error_rate",
]
