"""Keras layers, in keras.ops: they run on every Keras backend, but for the permutohedral lattice (TensorFlow)."""

from keras_seqgen.layers.carried_state import CarriedState
from keras_seqgen.layers.clipped_relu import clipped_relu
from keras_seqgen.layers.crf_rnn import CRFRNN
from keras_seqgen.layers.gaussian_filter import GaussianFilter
from keras_seqgen.layers.gradient_clip import GradientClip, clip_gradient
from keras_seqgen.layers.lengths import LengthMask, sequence_lengths
from keras_seqgen.layers.mean_subtraction import MeanSubtraction
from keras_seqgen.layers.one_hot import OneHot
from keras_seqgen.layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from keras_seqgen.layers.scheduled_sampling import ScheduledSampling
from keras_seqgen.layers.time_convolution import TimeConvolution
from keras_seqgen.layers.token_embedding import TokenEmbedding
from keras_seqgen.layers.weight_drop import WeightDrop
from keras_seqgen.layers.weight_noise import AdaptiveWeightNoise, WeightNoise
from keras_seqgen.layers.window_attention import window_weights
from keras_seqgen.layers.window_lstm import WindowLSTM, WindowLSTMCell

__all__ = [
    "CRFRNN",
    "AdaptiveWeightNoise",
    "CarriedState",
    "GaussianFilter",
    "GradientClip",
    "LengthMask",
    "MeanSubtraction",
    "OneHot",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "ScheduledSampling",
    "TimeConvolution",
    "TokenEmbedding",
    "WeightDrop",
    "WeightNoise",
    "WindowLSTM",
    "WindowLSTMCell",
    "clip_gradient",
    "clipped_relu",
    "sequence_lengths",
    "window_weights",
]
