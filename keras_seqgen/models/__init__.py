"""Functions of sizes that return uncompiled functional models."""

from keras_seqgen.models.ctc_recogniser import ctc_recogniser
from keras_seqgen.models.frame_labeller import frame_labeller
from keras_seqgen.models.handwriting import handwriting_prediction, handwriting_synthesis
from keras_seqgen.models.language import char_lm, word_lm
from keras_seqgen.models.segmenter import fcn_part, segmenter

__all__ = [
    "char_lm",
    "ctc_recogniser",
    "fcn_part",
    "frame_labeller",
    "handwriting_prediction",
    "handwriting_synthesis",
    "segmenter",
    "word_lm",
]
