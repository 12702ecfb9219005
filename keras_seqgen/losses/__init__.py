"""Losses for `keras.Model.compile`."""

from keras_seqgen.losses.ctc import CTCLoss
from keras_seqgen.losses.stroke_loss import StrokeLoss
from keras_seqgen.losses.token_loss import TokenLoss

__all__ = ["CTCLoss", "StrokeLoss", "TokenLoss"]
