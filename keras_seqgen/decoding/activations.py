"""A language model that reads a text: its state after each token, and what it had expected there."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_seqgen.models.language import network_parts, with_batch_size
from keras_seqgen.models.language_step import initial_states, language_step

_CHUNK = 1024  # tokens read in one call of the graph


class Reading(NamedTuple):
    """What a network went through while it read rows of text.

    cells: K names: "c1.37" is number 37 (from 0) of the cell states of layer 1, "h2.0" the first output of layer 2.
    states: (B, T, K) float32, their values after each token.
    guesses: (B, T, G) int32, ids of the most probable tokens, the best first, before each token was read.
    probabilities: (B, T, G) float32, theirs.
    nats: (B, T) float32, -log Pr of the token that came.
    """

    cells: tuple[str, ...]
    states: np.ndarray
    guesses: np.ndarray
    probabilities: np.ndarray
    nats: np.ndarray


def state_names(model) -> list[tuple[str, int]]:
    """The states of `initial_states`, in order: "h1" and "c1" for an LSTM of layer 1, with the size of each.

    >>> state_names(char_lm(49, units=400, depth=2))
    [('h1', 400), ('c1', 400), ('h2', 400), ('c2', 400)]
    """
    parts, names, n = network_parts(model), [], 1
    while f"recurrent_{n}" in parts:
        sizes = keras.tree.flatten(parts[f"recurrent_{n}"].cell.state_size)
        names += [(f"{kind}{n}", size) for kind, size in zip("hc", sizes, strict=False)]
        n += 1
    return names


def memory_names(model) -> list[str]:
    """The states in which each layer keeps what it knows: c of an LSTM, h of a cell that has no other."""
    names = [name for name, _ in state_names(model)]
    return [name for name in names if name.startswith("c") or f"c{name[1:]}" not in names]


def read_tokens(model, ids, states: Sequence[str] = (), guesses: int = 5) -> Reading:
    """Read rows of text from a state of zero, a token of each row at a time.

    The first step sees the id 0, "nothing yet", as in training; guesses[:, t] come from the step that has seen the
    tokens before t, states[:, t] from the one that has seen token t too. The graph runs `language_step`, which alone
    tells the inner states of all kinds of layers, for 1,024 tokens at a time, and carries the state on.

    Args:
        model: of `language_model`.
        ids: (B, T) integers in 0..V; 0 is padding, with 0 nats.
        states: names as in `state_names`, of the states to keep.
        guesses: G, how many of the most probable tokens to keep.

    Returns:
        A `Reading`; its rows do not depend on each other.

    Raises:
        ValueError: `ids` are not rows of tokens, or there is no such state.

    Example:

        >>> reading = read_tokens(model, vocabulary.encode("to be or not")[None], states=["c1"])
        >>> reading.states.shape, reading.guesses.shape
        ((1, 12, 1000), (1, 12, 5))
    """
    ids = np.asarray(ids, np.int32)
    if ids.ndim != 2 or not ids.size:
        raise ValueError(f"`ids` must be rows of tokens, (B, T). Received: shape={ids.shape}")
    known = dict(state_names(model))
    if unknown := [name for name in states if name not in known]:
        raise ValueError(f"`states` must be among {', '.join(known)}. Received: {', '.join(unknown)}")
    kept = [list(known).index(name) for name in states]
    B, T = ids.shape
    steps = np.concatenate([np.zeros((B, 1), np.int32), ids], axis=1)
    targets = np.pad(ids, ((0, 0), (0, 1)))
    now, pieces = [tf.convert_to_tensor(state) for state in initial_states(model, B)], []
    read = _reader(model, now, kept, guesses)
    for start in range(0, T + 1, _CHUNK):
        part = slice(start, start + _CHUNK)
        now, *results = read(tf.constant(steps[:, part]), tf.constant(targets[:, part]), now)
        pieces.append([result.numpy().swapaxes(0, 1) for result in results])
    values, best, probabilities, nats = (np.concatenate(piece, axis=1) for piece in zip(*pieces, strict=True))
    cells = tuple(f"{name}.{unit}" for name in states for unit in range(known[name]))
    return Reading(cells, values[:, 1:], best[:, :-1], probabilities[:, :-1], nats[:, :-1])


def untrained_copy(model, seed: int = 0):
    """A network of the same layers with new weights, drawn by the layers' own initialisers."""
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(with_batch_size(model, None))


def _reader(model, states, kept, guesses):
    """A graph over (steps (B, T), targets (B, T), states).

    It returns the states after the last step and, time first, the kept states, guesses, their probabilities, and nats.
    """
    rows = tf.TensorSpec((states[0].shape[0], None), tf.int32)
    signature = [rows, rows, [tf.TensorSpec(state.shape, state.dtype) for state in states]]

    @tf.function(input_signature=signature, autograph=False)
    def read(steps, targets, states):
        T = tf.shape(steps)[1]
        arrays = [tf.TensorArray(dtype, T) for dtype in (tf.float32, tf.int32, tf.float32, tf.float32)]

        def step(t, states, arrays):
            logits, states = language_step(model, steps[:, t], states)
            log_p = tf.nn.log_softmax(logits)
            best, number = tf.math.top_k(log_p, min(guesses, log_p.shape[-1]))
            target = targets[:, t]
            nats = -tf.gather(log_p, tf.maximum(target - 1, 0), batch_dims=1) * tf.cast(target > 0, tf.float32)
            nothing = tf.zeros((steps.shape[0], 0))
            values = tf.concat([nothing, *(tf.cast(states[k], tf.float32) for k in kept)], axis=1)
            new = values, number + 1, tf.exp(best), nats
            return t + 1, states, [array.write(t, value) for array, value in zip(arrays, new, strict=True)]

        _, states, arrays = tf.while_loop(lambda t, *_: t < T, step, (0, list(states), arrays))
        return states, *(array.stack() for array in arrays)

    return read.get_concrete_function()
