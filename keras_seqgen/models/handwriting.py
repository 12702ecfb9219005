"""Graves's handwriting networks: prediction (section 4) and synthesis from a text (section 5)."""

import keras
from keras import layers, ops

from keras_seqgen.layers import GradientClip, PeepholeLSTM, WindowLSTM


def handwriting_graph(strokes, context, recurrent, output):
    """The wiring, once: the input reaches every layer, and every layer reaches the output.

        h1 = recurrent_1(x)                         or, with a text,  h1, w = recurrent_1(x, text)
        hn = recurrent_n([x, h(n-1)])               or, with a text,  hn = recurrent_n([x, w, h(n-1)])
        y^ = output([h1, ..., hN])

    Training calls it with layers and whole sequences, writing with cells and one step.

    Args:
        strokes: (..., 3), the strokes so far: dx, dy, pen.
        context: (B, U, C) the text, or `None` for the prediction network.
        recurrent: a list of N callables. The first takes the strokes (and the context) and returns h, or h and w; the
            rest take and return one tensor.
        output: a callable, (..., NH) -> (..., 6M + 1).

    Returns:
        What `output` returns.

    Source: Graves 2013, equations 1 to 6, 52 and 53.
    """
    if context is None:
        inputs, hidden = [strokes], [recurrent[0](strokes)]
    else:
        h, w = recurrent[0](strokes, context)
        inputs, hidden = [strokes, w], [h]
    for layer in recurrent[1:]:
        hidden.append(layer(ops.concatenate([*inputs, hidden[-1]], axis=-1)))
    return output(ops.concatenate(hidden, axis=-1) if len(hidden) > 1 else hidden[0])


def handwriting_prediction(
    units=400, depth=3, mixture_components=20, lstm_clip=10.0, output_clip=100.0, wrap=lambda layer: layer
):
    """The network that continues handwriting.

    Args:
        units: H, cells in each layer.
        depth: N, the number of layers (the paper: 3 x 400 and 1 x 900).
        mixture_components: M, bivariate Gaussians in the output.
        lstm_clip: bound on the derivatives at the LSTM gates.
        output_clip: bound on the derivatives at the network's raw outputs.
        wrap: applied to each layer that has weights, for weight noise: `lambda layer: WeightNoise(layer, 0.075,
            name=layer.name)`.

    Returns:
        An uncompiled `keras.Model`: {"strokes": (B, T, 3) float32}, normalised and delayed by one step -> raw
        parameters (B, T, 6M + 1) float32 of the density of the stroke at each step (`distributions.stroke_parameters`).

    Source: Graves 2013, section 4.
    """
    strokes = keras.Input((None, 3), name="strokes")
    recurrent = [wrap(_recurrent(n, units, lstm_clip)) for n in range(depth)]
    raw = handwriting_graph(strokes, None, recurrent, _output(mixture_components, output_clip, wrap))
    return keras.Model({"strokes": strokes}, raw, name="handwriting_prediction")


def handwriting_synthesis(
    alphabet_size,
    units=400,
    depth=3,
    window_components=10,
    mixture_components=20,
    lstm_clip=10.0,
    output_clip=100.0,
    wrap=lambda layer: layer,
):
    """The network that writes a given text.

    Args:
        alphabet_size: C, the number of characters; the paper's 57 give its 3,654 k weights.
        units: H, cells in each layer.
        depth: N, the number of layers.
        window_components: K, Gaussians in the window over the text.
        mixture_components: M, bivariate Gaussians in the output.
        lstm_clip: bound on the derivatives at the LSTM gates.
        output_clip: bound on the derivatives at the network's raw outputs.
        wrap: applied to each layer that has weights, for weight noise: `lambda layer: WeightNoise(layer, 0.075,
            name=layer.name)`.

    Returns:
        An uncompiled `keras.Model`: {"strokes": (B, T, 3) float32, normalised and delayed by one step, "text": (B, U)
        int32, 0 for padding and 1..C for characters} -> raw parameters (B, T, 6M + 1) float32.

    Source: Graves 2013, section 5.
    """
    strokes = keras.Input((None, 3), name="strokes")
    text = keras.Input((None,), dtype="int32", name="text")
    first = wrap(WindowLSTM(units, components=window_components, gradient_clip=lstm_clip, name="recurrent_0"))
    recurrent = [lambda x, context: first([x, context])]
    recurrent += [wrap(_recurrent(n, units, lstm_clip)) for n in range(1, depth)]
    context = ops.one_hot(text - 1, alphabet_size)
    raw = handwriting_graph(strokes, context, recurrent, _output(mixture_components, output_clip, wrap))
    return keras.Model({"strokes": strokes, "text": text}, raw, name="handwriting_synthesis")


def recurrent_layers(model):
    """The model's recurrent layers, first to last, without wrappers; each has a `cell`."""
    return [_plain(layer) for layer in model.layers if layer.name.startswith("recurrent_")]


def output_layer(model):
    """The model's last weight layer, h -> raw parameters, without its wrapper."""
    return _plain(model.get_layer("output"))


def copy_weights(source, target):
    """Start `target` from the weights of `source`, a network of the same sizes with or without weight noise.

    Raises:
        ValueError: the sizes differ.
    """
    pairs = ([*recurrent_layers(model), output_layer(model)] for model in (source, target))
    for old, new in zip(*pairs, strict=True):
        new.set_weights(old.get_weights())


def _plain(layer):
    """The layer inside its wrapper, if it has one."""
    return layer.layer if isinstance(layer, layers.Wrapper) else layer


def _recurrent(n, units, lstm_clip):
    return PeepholeLSTM(units, return_sequences=True, gradient_clip=lstm_clip, name=f"recurrent_{n}")


def _output(mixture_components, output_clip, wrap):
    dense = wrap(layers.Dense(6 * mixture_components + 1, dtype="float32", name="output"))
    clip = GradientClip(output_clip, dtype="float32", name="output_clip")
    return lambda hidden: clip(dense(hidden))
