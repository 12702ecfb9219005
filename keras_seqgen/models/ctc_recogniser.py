"""The network that reads: frames of pen, print or speech -> logits of characters and the blank."""

import math

import keras
from keras import layers

from keras_seqgen.layers.lengths import LengthMask
from keras_seqgen.layers.mean_subtraction import MeanSubtraction
from keras_seqgen.layers.peephole_lstm import PeepholeLSTM
from keras_seqgen.layers.time_convolution import TimeConvolution

CELLS = {
    "simple_rnn": layers.SimpleRNN,
    "lstm": layers.LSTM,
    "gru": layers.GRU,
    "peephole_lstm": PeepholeLSTM,
}


def ctc_recogniser(
    alphabet_size,
    features,
    units=100,
    depth=1,
    cell="lstm",
    convolutions=(),
    hidden=(),
    activation="relu",
    merge="concat",
    dropout=0.0,
    centred=False,
    **cell_options,
):
    """A bidirectional network over sequences of frames, for `losses.CTCLoss`.

        x = frames, masked by their length       less their own mean, where `centred`
        x = convolution_n(x)                     each may shorten the sequence, and its mask
        x = [forward_n(x), backward_n(x)]        N layers
        logits = output(hidden(x))

    The lengths travel as masks: convolutions shorten them, recurrent layers skip the padding, the loss and the metrics
    read them from the logits, and so does `layers.lengths.sequence_lengths(model(inputs))`.

    Args:
        alphabet_size: C, the number of characters, with ids 1..C; class 0 of the logits is the blank.
        features: D, numbers in each frame.
        units: H, cells of each layer and direction.
        depth: N, the number of recurrent layers.
        cell: "simple_rnn", "lstm", "gru" or "peephole_lstm".
        convolutions: for each one (filters, size, stride); sizes are integers for a convolution over time, whose
            channels are the features, or pairs for one over time and features, as over an image. Pairs come first.
        hidden: units of the dense layers between the recurrent ones and the output.
        activation: of convolutions and dense layers: `layers.clipped_relu.clipped_relu` for Deep Speech.
        merge: how the directions become one: "concat" (Graves) or "sum" (Deep Speech).
        dropout: of what enters each recurrent layer and the output.
        centred: whether each sequence's mean is taken off its frames (`layers.mean_subtraction`).
        cell_options: of every recurrent layer, such as `gradient_clip=1.0` or `activation=clipped_relu`.

    Returns:
        An uncompiled `keras.Model`: {"frames": (B, T, D) float32, "length": (B,) int32} -> logits (B, T', C + 1)
        float32, with a mask; T' = ceil(T / stride) for each convolution in turn (`time_stride`).

    Raises:
        ValueError: an unknown cell.

    Example:

        >>> model = ctc_recogniser(80, features=4)  # Graves 2008: raw pen data, 100 cells each way
        >>> model.compile("adam", CTCLoss(), weighted_metrics=[CharacterErrorRate()])

    Source: Graves et al. 2009, "A novel connectionist system for unconstrained handwriting recognition"; Breuel et al.
    2013; Hannun et al. 2014.
    """
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={cell}")
    frames = keras.Input((None, features), name="frames")
    length = keras.Input((), dtype="int32", name="length")
    x = LengthMask(name="masked")([frames, length])
    x = MeanSubtraction(name="centred")(x) if centred else x

    for n, (filters, size, stride) in enumerate(convolutions, start=1):
        image = not isinstance(size, int)
        if image and n == 1:
            x = MaskedReshape((features, 1), name="image")(x)
        elif not image and len(x.shape) == 4:
            x = MaskedReshape((math.prod(x.shape[2:]),), name="columns")(x)
        x = TimeConvolution(filters, size, stride, activation=activation, name=f"convolution_{n}")(x)
    if len(x.shape) == 4:
        x = MaskedReshape((math.prod(x.shape[2:]),), name="columns")(x)

    for n in range(1, depth + 1):
        recurrent = CELLS[cell](units, return_sequences=True, **cell_options)
        x = _dropped(x, dropout, f"dropout_{n}")
        x = layers.Bidirectional(recurrent, merge_mode=merge, name=f"recurrent_{n}")(x)
    for n, size in enumerate(hidden, start=1):
        x = layers.Dense(size, activation=activation, name=f"hidden_{n}")(x)
    x = _dropped(x, dropout, "dropout_output")
    logits = layers.Dense(alphabet_size + 1, dtype="float32", name="logits")(x)
    return keras.Model({"frames": frames, "length": length}, logits, name="ctc_recogniser")


def time_stride(model):
    """How many frames of the input go into one of the output: frame t of the logits is frame t times this."""
    return math.prod(layer.stride_over_time for layer in model.layers if isinstance(layer, TimeConvolution))


@keras.saving.register_keras_serializable(package="keras_seqgen")
class MaskedReshape(layers.Layer):
    """(B, T, ...) -> (B, T, *shape): each frame in another shape, the mask kept."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.supports_masking = True

    def call(self, inputs):
        B, T = keras.ops.shape(inputs)[:2]
        return keras.ops.reshape(inputs, (B, T, *self.shape))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], *self.shape)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}


def _dropped(x, rate, name):
    return layers.Dropout(rate, name=name)(x) if rate else x
