"""Functions of sizes that return uncompiled functional models."""

from keras_seqgen.models.handwriting import handwriting_prediction, handwriting_synthesis

__all__ = ["handwriting_prediction", "handwriting_synthesis"]
