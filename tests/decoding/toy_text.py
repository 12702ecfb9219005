"""Small language models whose text a person can check: tables of bigrams, and networks with lively random weights."""

import functools

import keras
import numpy as np

from keras_seqgen.models.language import language_model

ALPHABET = "\nabdegnorst"


def bigram_model(table, first):
    """A network whose logits are `table[id - 1]` after a token and `first` before the first."""
    V = len(table)
    model = language_model(V, units=V, depth=1, cell="simple_rnn")
    cell, output = model.get_layer("recurrent_1").cell, model.get_layer("output")
    cell.kernel.assign(10 * np.eye(V))
    cell.recurrent_kernel.assign(np.zeros((V, V)))
    cell.bias.assign(np.zeros(V))
    output.kernel.assign(np.asarray(table) - first)
    output.bias.assign(first)
    return model


def chain(text, strength=30.0):
    """A table in which each letter of the text is all but surely followed by the next, the last by the first."""
    table = np.zeros((len(ALPHABET), len(ALPHABET)))
    for a, b in zip(text, text[1:] + text[0], strict=True):
        table[ALPHABET.index(a), ALPHABET.index(b)] = strength
    first = np.zeros(len(ALPHABET))
    first[ALPHABET.index(text[0])] = strength
    return bigram_model(table, first)


@functools.cache
def lively(cell="peephole_lstm", seed=0, V=11, **options):
    """A network with random weights of a size that makes its predictions vary from step to step."""
    keras.utils.set_random_seed(seed)
    model = language_model(V, **{"units": 24, "depth": 2, "cell": cell, **options})
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.4, weight.shape))
    return model


def retold(logits, temperature, top_k, top_p):
    """The distribution of one row's next token, in NumPy: temperature, then top-k, then top-p of what is left."""
    z = np.asarray(logits, np.float64) / temperature
    p = np.exp(z - z.max())
    order = sorted(range(len(p)), key=lambda v: (-logits[v], v))[: top_k or None]
    share = p[order] / p[order].sum()
    if top_p < 1:
        order = order[: 1 + np.searchsorted(np.cumsum(share), top_p)]
    kept = np.zeros(len(p))
    kept[order] = p[order]
    return kept / kept.sum()
