"""N-gram language models in NumPy: estimated by Kneser-Ney, kept in ARPA files, asked token by token."""

from keras_seqgen.ngram.arpa import read_arpa, write_arpa
from keras_seqgen.ngram.kneser_ney import estimate
from keras_seqgen.ngram.mixture import MixtureModel
from keras_seqgen.ngram.model import NGramModel
from keras_seqgen.ngram.scorer import BOS, EOS, UNKNOWN, Scorer

__all__ = [
    "BOS",
    "EOS",
    "UNKNOWN",
    "MixtureModel",
    "NGramModel",
    "Scorer",
    "estimate",
    "read_arpa",
    "write_arpa",
]
