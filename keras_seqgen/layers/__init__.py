"""Keras layers, in keras.ops alone: they run on every Keras backend."""

from keras_seqgen.layers.gradient_clip import GradientClip, clip_gradient
from keras_seqgen.layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from keras_seqgen.layers.weight_noise import AdaptiveWeightNoise, WeightNoise
from keras_seqgen.layers.window_attention import window_weights
from keras_seqgen.layers.window_lstm import WindowLSTM, WindowLSTMCell

__all__ = [
    "AdaptiveWeightNoise",
    "GradientClip",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "WeightNoise",
    "WindowLSTM",
    "WindowLSTMCell",
    "clip_gradient",
    "window_weights",
]
