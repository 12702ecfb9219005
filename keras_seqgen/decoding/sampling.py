"""The loop that reads and writes text: the cells of a language model, token by token, in one TensorFlow graph.

Rows of a batch never meet: each has its own temperature, seed, limit and stop string. The noise of a token is a
function of the row's seed and of the token's number (`next_token.token_noise`), and rows of zeros fill up what
libraries would round otherwise (`spare_rows`). So a text is the same alone and in a batch of up to 128, in a graph that
leaves the batch size open, where TensorFlow multiplies with oneDNN (its default on CPUs with VNNI;
TF_ENABLE_ONEDNN_OPTS=1 asks for it on others) or in a single thread. Without it, on a GPU and under XLA texts agree
until a random number falls between two roundings of a probability. The probabilities of text that was read agree to
rounding everywhere.
"""

import functools
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_seqgen.decoding.next_token import COLDEST, draw, ordered_width, restrict, scale, token_noise
from keras_seqgen.decoding.spare_rows import keep, spare_row_count, spare_rows
from keras_seqgen.decoding.text_sampler import MAX_STOP
from keras_seqgen.models.language import network_parts
from keras_seqgen.models.language_step import initial_states, language_step, step_tables


class Place(NamedTuple):
    """Where a batch of texts stands."""

    token: Any  # (B,) int32, the last token, which the network has not seen yet; 0 before the first
    drawn: Any  # (B,) int32, the tokens drawn so far, those read not counted
    finished: Any  # (B,) boolean, the stop string was drawn
    recent: Any  # (B, MAX_STOP) int32, the last tokens drawn, 0 where there was none
    cells: list  # the states of the recurrent cells, in order, flat


class Wishes(NamedTuple):
    """What to draw, a row each."""

    temperature: Any  # (B,) float32, positive
    top_k: Any  # (B,) int32, 0 for all
    top_p: Any  # (B,) float32, 1 for all
    seed: Any  # (B, 2) int32
    limit: Any  # (B,) int32, the tokens that may be drawn in this call
    stop: Any  # (B, MAX_STOP) int32, the ids of the stop string at the end, 0 before; all 0 for none


def start(model, batch):
    """The place before the first token: zeros throughout (x_1 is a null vector; Graves 2013, section 2)."""
    rows = tf.zeros((batch,), tf.int32)
    return Place(rows, rows, rows > 0, tf.zeros((batch, MAX_STOP), tf.int32), initial_states(model, batch))


def read(model, place, tokens, length, score=False):
    """Take in given tokens.

    Args:
        model: of `models.language_model`.
        place: of `start`, or of an earlier call.
        tokens: (B, T) int32 ids, padded at the end.
        length: (B,) int32, each row's own number of tokens; 0 leaves the row where it was.
        score: whether to add up how likely the tokens were.

    Returns:
        log Pr(tokens) (B,) float32, in nats, 0 without `score`; the place behind each row's last token, with no stop
        string found yet in a row that has read something.

    Source: Graves 2013, equations 14 and 15.
    """
    columns = tf.transpose(tokens)

    def body(t, token, cells, log_prob):
        logits, new = language_step(model, token, cells)
        here = t < length
        if score:
            likely = tf.gather(tf.nn.log_softmax(logits), tf.maximum(columns[t] - 1, 0), batch_dims=1)
            log_prob += tf.where(here, likely, 0.0)
        return t + 1, tf.where(here, columns[t], token), keep(here[:, None], new, cells), log_prob

    steps = tf.reduce_max(length)
    begin = [0, place.token, place.cells, tf.zeros_like(length, tf.float32)]
    _, token, cells, log_prob = tf.while_loop(lambda t, *_: t < steps, body, begin)
    nothing = length == 0
    recent = tf.where(nothing[:, None], place.recent, 0)
    return log_prob, place._replace(token=token, finished=place.finished & nothing, recent=recent, cells=cells)


def sample(model, place, wishes, steps, freeze=False):
    """Draw tokens until every row has drawn its stop string or reached its limit.

    Args:
        model: see `read`.
        place: of `start`, of `read` or of an earlier call.
        wishes: what to draw.
        steps: T, the greatest limit; an int if XLA is to compile the loop.
        freeze: leave the state of a row where its last token left it, so that another call can go on from there. The
            state of the row, or rows, that are written last is right without it.

    Returns:
        tokens (B, T) int32, 0 after a row's last; length (B,) int32; the place. The stop string is part of the row.

    Source: Graves 2013, section 2: each input is drawn from the prediction before it.
    """
    V = model.output.shape[-1]
    uniform = tf.transpose(token_noise(wishes.seed, place.drawn, steps))
    temperature = tf.maximum(wishes.temperature, COLDEST)
    restricted = tf.reduce_any(wishes.top_k > 0) | tf.reduce_any((wishes.top_p > 0) & (wishes.top_p < 1))
    width = V if isinstance(steps, int) else ordered_width(wishes.top_k, wishes.top_p, V)
    stop = tf.where(wishes.stop[:, -1:] > 0, wishes.stop, -1)  # what is never drawn
    before_stop = stop == 0
    tables = step_tables(model)

    def stopped(recent):
        return tf.reduce_all(before_stop | (stop == recent), axis=1)

    def body(plain, t, active, token, recent, cells, written):
        logits, new = language_step(model, token, cells, tables)
        logits = scale(logits, temperature)
        if not plain:
            logits = tf.cond(restricted, lambda: restrict(logits, wishes.top_k, wishes.top_p, width), lambda: logits)
        drawn = tf.where(active, draw(logits, tf.gather(uniform, t)), 0)
        written = written.write(t, drawn)
        going = active & (t + 1 < wishes.limit)
        if not plain:
            recent = tf.concat([recent[:, 1:], drawn[:, None]], 1)
            going &= ~stopped(recent)
        if freeze:
            drawn, new = tf.where(active, drawn, token), keep(active[:, None], new, cells)
        return t + 1, going, drawn, recent, new, written

    def going_on(t, active, *_):
        return (t < steps) & tf.reduce_any(active)

    written = tf.TensorArray(tf.int32, steps).unstack(tf.zeros([steps, tf.shape(place.token)[0]], tf.int32))
    begin = [0, ~place.finished & (wishes.limit > 0), place.token, place.recent, place.cells, written]

    def loop(plain):
        return tf.while_loop(going_on, functools.partial(body, plain), begin)

    if isinstance(steps, int):
        _, _, token, _, cells, written = loop(plain=False)
    else:  # without what nobody asked for, a step of a text drawn alone takes about a tenth less time
        plain = ~restricted & ~tf.reduce_any(wishes.stop > 0)
        _, _, token, _, cells, written = tf.cond(plain, lambda: loop(plain=True), lambda: loop(plain=False))
    tokens = tf.transpose(written.stack())
    length = tf.math.count_nonzero(tokens, axis=1, dtype=tf.int32)
    last = length[:, None] + tf.range(MAX_STOP)
    recent = tf.gather(tf.concat([place.recent, tokens], 1), last, batch_dims=1)
    finished = place.finished | ((length > 0) & stopped(recent))
    return tokens, length, Place(token, place.drawn + length, finished, recent, cells)


def write(model, wishes, place=None, primer=None, primer_length=None, score=False, steps=None, freeze=False):
    """Read a primer and go on with it, from the start or from where an earlier call left the text.

    Args:
        model: see `read`.
        wishes: what to draw, or `None` to read only.
        place: of an earlier call, or `None`.
        primer, primer_length: (B, P) int32 and (B,) int32; `None` for none.
        score: see `read`.
        steps: T, an int if XLA is to compile the loop; the greatest limit if left out.
        freeze: see `sample`.

    Returns:
        tokens (B, T) int32, 0 after a row's last; length (B,) int32 (both `None` if `wishes` is); log Pr(primer) (B,);
        the place.
    """
    rows = tf.shape(primer_length if wishes is None else wishes.limit)[0]
    weights = [(variable, tf.convert_to_tensor(variable.value)) for variable in _step_variables(model)]
    tokens = length = None
    with keras.StatelessScope(state_mapping=weights):  # the weights were read here, once, and not in every step
        spare = spare_row_count(_narrowest(model))
        wishes, given, primer, primer_length = tf.nest.map_structure(
            lambda x: spare_rows(x, spare), (wishes, place, primer, primer_length)
        )
        at = start(model, rows + spare) if given is None else given
        log_prob = tf.zeros((rows,))
        if primer is not None:
            log_prob, at = read(model, at, primer, primer_length, score)
        if wishes is not None:
            steps = tf.maximum(tf.reduce_max(wishes.limit), 1) if steps is None else steps
            tokens, length, at = sample(model, at, wishes, steps, freeze)
            tokens, length = tokens[:rows], length[:rows]
    return tokens, length, log_prob[:rows], tf.nest.map_structure(lambda x: x[:rows], at)


def _step_variables(model):
    """The weights that a step reads, without what a wrapper adds for training."""
    parts = [getattr(part, "layer", part) for part in network_parts(model).values()]
    return [variable for part in parts for variable in part.weights]


def _narrowest(model):
    """The columns of the narrowest array of numbers in a step."""
    return min(model.output.shape[-1], *(state.shape[1] for state in initial_states(model, 1)))
