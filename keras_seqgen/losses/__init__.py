"""Losses for `keras.Model.compile`."""

from keras_seqgen.losses.stroke_loss import StrokeLoss

__all__ = ["StrokeLoss"]
