"""The loop that writes: the cells of a trained network, one point after the other, in one TensorFlow graph.

Rows of a batch never meet: each has its own text, bias, seed, limit and stop. But libraries add up in another order for
another shape, and sampling is chaotic: a difference in the last bit becomes another line. So

- the noise of a point is a function of the row's seed and of the point's number (`noise`);
- `spare_rows` at the end of a batch fill the last tile of a matrix product, and the last vector of an array, where exp
  and its like are computed number by number and round otherwise; they also see to it that no product has a single row;
- texts are padded in whole vectors.

With these a row is the same alone and in a batch of up to 128, bit for bit, where TensorFlow multiplies with oneDNN
(its default on CPUs with VNNI; TF_ENABLE_ONEDNN_OPTS=1 asks for it on others) or in a single thread. Without it, on a
GPU and under XLA (`jit_compile`) rows agree until rounding tells them apart.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_seqgen.decoding.noise import point_noise
from keras_seqgen.decoding.spare_rows import VECTOR, keep, spare_row_count, spare_rows
from keras_seqgen.distributions import stroke_parameters, stroke_sample
from keras_seqgen.layers import window_weights
from keras_seqgen.models.handwriting import handwriting_graph, output_layer, recurrent_layers


class Pen(NamedTuple):
    """Where a batch of lines stands."""

    stroke: Any  # (B, 3) float32, the last point: dx, dy, pen, normalised; zeros before the first
    drawn: Any  # (B,) int32, the points drawn so far, those of a primer not counted
    finished: Any  # (B,) boolean, the window has passed the end of the text
    cells: list  # the states of the recurrent cells, in order, flat


class Lines(NamedTuple):
    """What to write, a row each."""

    text: Any  # (B, U) int32 ids, a primer's text before the text to write; `None` for a network without a text
    bias: Any  # (B,) float32, b of Graves 2013, section 5.4
    seed: Any  # (B, 2) int32
    limit: Any  # (B,) int32, the points that may be drawn in this call


def start(model, batch):
    """The pen before the first point: zeros throughout (x_1 is a null vector; Graves 2013, section 2)."""
    cells = [state for layer in recurrent_layers(model) for state in layer.cell.get_initial_state(batch)]
    return Pen(tf.zeros((batch, 3)), tf.zeros((batch,), tf.int32), tf.zeros((batch,), tf.bool), cells)


def one_step(model, stroke, cells, context):
    """Feed one point to the network.

    Args:
        model: of `models.handwriting_synthesis` or `handwriting_prediction`.
        stroke: (B, 3), normalised.
        cells: flat list of states.
        context: (B, U, C), the text one-hot, or `None`.

    Returns:
        raw (B, 6M + 1), the new states, and the window: phi (B, U) and kappa (B, K), or `None`.

    Source: Graves 2013, equations 1 to 6 and 46 to 53.
    """
    states, window, before = [], [], list(cells)

    def run(layer):
        cell = layer.cell

        def step(inputs, context=None):
            old = [before.pop(0) for _ in cell.state_size]
            if context is None:
                h, new = cell(inputs, old)
            else:
                (h, w), new = cell(inputs, old, context)
                alpha, beta, kappa = cell.window(h, old[3])  # as the cell did: the graph optimiser keeps one of the two
                window.append((window_weights(alpha, beta, kappa, tf.shape(context)[1]), kappa))
            states.extend(new)
            return h if context is None else (h, w)

        return step

    raw = handwriting_graph(stroke, context, [run(layer) for layer in recurrent_layers(model)], output_layer(model))
    return raw, states, window[0] if window else None


def past_the_end(phi, kappa, text_length):
    """The stop rule, row by row: phi(t, U + 1) > phi(t, u) for all 1 <= u <= U.

    It holds of itself where every kappa_k > U + 1, as each term of phi then grows with u up to U + 1. That is asked for
    too: far behind the text all of phi is 0 in float32.

    Args:
        phi: (B, U + 1 or more), the weights of the positions 1, 2, ...
        kappa: (B, K), the positions of the window's components.
        text_length: (B,) int32, each row's own U.

    Returns:
        (B,) boolean.

    Source: Graves 2013, section 5.3.
    """
    candidates = tf.sequence_mask(text_length + 1, tf.shape(phi)[1], phi.dtype)
    best = tf.argmax(phi * candidates, axis=1, output_type=tf.int32)  # of equals the first: hence ">"
    beyond = tf.reduce_min(kappa, axis=1) > tf.cast(text_length + 1, kappa.dtype)
    return (best == text_length) | beyond


def prime(model, pen, context, primer, length):
    """Feed real strokes; the window, kappa and all other state carry over to what is written next.

    Args:
        model: see `one_step`.
        pen: of `start`.
        context: (B, U, C), the primer's text followed by the text to write, or `None`.
        primer: (B, P, 3), normalised, padded at the end.
        length: (B,) int32, each row's own number of points; 0 for a row without a primer.

    Returns:
        The pen, at the primer's last point.

    Source: Graves 2013, section 5.5.
    """
    points = tf.transpose(primer, [1, 0, 2])

    def body(t, stroke, cells):
        _, new, _ = one_step(model, stroke, cells, context)
        here = (t < length)[:, None]
        return t + 1, tf.where(here, points[t], stroke), keep(here, new, cells)

    steps = tf.reduce_max(length)
    _, stroke, cells = tf.while_loop(lambda t, *_: t < steps, body, [0, pen.stroke, pen.cells])
    return pen._replace(stroke=stroke, cells=cells)


def sample(model, pen, context, lines, steps, freeze=False):
    """Draw points until every row has passed the end of its text or reached its limit.

    Args:
        model: see `one_step`.
        pen: of `start`, of `prime` or of an earlier call.
        context: (B, U, C) of `lines.text`, with a column or more of padding after the longest, or `None`.
        lines: what to write.
        steps: T, the greatest limit; an int if XLA is to compile the loop.
        freeze: leave the state of a row where its last point left it, so that another call can go on from there.

    Returns:
        strokes (B, T, 3) float32, normalised, zeros after a row's last point; length (B,) int32; the pen. The step at
        which the window has passed the end draws no point.

    Source: Graves 2013, sections 4.2, 5.3 and 5.4.
    """
    length = None if context is None else tf.math.count_nonzero(lines.text, axis=1, dtype=tf.int32)
    room = -(-steps // VECTOR) * VECTOR
    noise = tf.transpose(spare_rows(point_noise(lines.seed, pen.drawn, room), VECTOR), [1, 0, 2])
    uniform, normal = noise[..., :2], noise[..., 2:]
    bias, rows = spare_rows(lines.bias, VECTOR), tf.shape(lines.bias)[0]

    def body(t, active, pen, written):
        raw, cells, window = one_step(model, pen.stroke, pen.cells, context)
        finished = pen.finished
        if window is not None:
            phi, kappa = window
            finished |= active & past_the_end(phi, kappa, length)
        active &= ~finished
        here = active[:, None]
        drawn = stroke_sample(stroke_parameters(spare_rows(raw, VECTOR), bias), uniform[t], normal[t])[:rows]
        stroke = tf.where(here, drawn, 0.0)
        written = written.write(t, stroke)
        if freeze:
            stroke, cells = tf.where(here, stroke, pen.stroke), keep(here, cells, pen.cells)
        pen = Pen(stroke, pen.drawn + tf.cast(active, tf.int32), finished, cells)
        return t + 1, active & (t + 1 < lines.limit), pen, written

    def going_on(t, active, *_):
        return (t < steps) & tf.reduce_any(active)

    written = tf.TensorArray(tf.float32, steps).unstack(tf.zeros(tf.concat([[steps], tf.shape(pen.stroke)], 0)))
    before, active = pen.drawn, ~pen.finished & (lines.limit > 0)
    _, _, pen, written = tf.while_loop(going_on, body, [0, active, pen, written])
    return tf.transpose(written.stack(), [1, 0, 2]), pen.drawn - before, pen


def write(model, lines, pen=None, primer=None, primer_length=None, steps=None):
    """Write lines, from the start, after a primer, or from where an earlier call left the pen.

    Args:
        model: see `one_step`.
        lines: what to write.
        pen: of an earlier call, or `None`.
        primer, primer_length: (B, P, 3) normalised and (B,) int32, or `None`; not together with `pen`.
        steps: T, an int if XLA is to compile the loop; the greatest limit if left out.

    Returns:
        strokes (B, T, 3) float32, normalised, zeros after a row's last point; length (B,) int32; the pen, which means
        something only if `pen` was given.

    Source: Graves 2013, sections 4 and 5.
    """
    rows = tf.shape(lines.bias)[0]
    spare = _spare_row_count(model)
    steps = tf.maximum(tf.reduce_max(lines.limit), 1) if steps is None else steps
    weights = [(variable, tf.convert_to_tensor(variable.value)) for variable in _step_variables(model)]
    with keras.StatelessScope(state_mapping=weights):  # the weights were read here, once, and not in every step
        lines, given, primer, primer_length = tf.nest.map_structure(
            lambda x: spare_rows(x, spare), (lines, pen, primer, primer_length)
        )
        at = start(model, rows + spare) if given is None else given
        context = None if lines.text is None else _one_hot(model, lines.text)
        if primer is not None:
            at = prime(model, at, context, primer, primer_length)
        strokes, length, at = sample(model, at, context, lines, steps, freeze=given is not None)
    return strokes[:rows], length[:rows], tf.nest.map_structure(lambda x: x[:rows], at)


def _step_variables(model):
    """The weights of the cells and of the output layer, without what a wrapper adds for training."""
    output = output_layer(model)
    layers = [*(layer.cell for layer in recurrent_layers(model)), getattr(output, "layer", output)]
    return [variable for layer in layers for variable in layer.variables]


def _one_hot(model, text):
    """(B, U) ids -> (B, V, C), V being the next multiple of `VECTOR` above U."""
    width = tf.shape(text)[1]
    text = tf.pad(text, [[0, 0], [0, VECTOR - width % VECTOR]])
    cell = recurrent_layers(model)[0].cell
    return tf.one_hot(text - 1, cell.state_size[2], dtype=cell.compute_dtype)


def _spare_row_count(model):
    """See `spare_rows`; the narrowest array of a step is that of the cells or of the window."""
    cell = recurrent_layers(model)[0].cell
    return spare_row_count(min(cell.units, 3 * getattr(cell, "components", cell.units)))
