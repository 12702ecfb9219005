"""A language model one step at a time: for sampling, for scoring word by word, for a look at its cells."""

import keras
from keras import ops

from keras_seqgen.layers import TokenEmbedding
from keras_seqgen.models.language import language_graph, network_parts, tied_output


def language_step(model, tokens, states, tables=None):
    """One step of the network: the same wiring as in training, with cells.

    Args:
        model: of `language_model`.
        tokens: (B,) int32, the last token of each row, 0 for none.
        states: a flat list of (B, size) tensors, of `initial_states` or of the step before.
        tables: of `step_tables`, for many steps in a row.

    Returns:
        logits (B, V) float32 of the next token, and the new states.
    """
    parts, before, after = network_parts(model), list(states), []

    def step(cell):
        def call(inputs):
            old = [before.pop(0) for _ in keras.tree.flatten(cell.state_size)]
            h, new = cell(inputs, old)
            after.extend(keras.tree.flatten(new))
            return h

        return call

    def part(name):
        layer = parts.get(name)
        if name.startswith("dropout_"):
            return None
        if name.startswith("recurrent_"):
            return None if layer is None else step(layer.cell)
        if tables and name in tables:
            return lambda ids: ops.take(tables[name], ids, axis=0)
        return tied_output(parts) if name == "output" and layer is None else layer

    return language_graph(tokens, part), after


def step_tables(model):
    """What `language_step` looks tokens up in, made once for many steps: by the part's name (V + 1, E), first zeros."""
    parts = {name: getattr(part, "layer", part) for name, part in network_parts(model).items()}
    found = {name: part for name, part in parts.items() if isinstance(part, TokenEmbedding)}
    return {
        name: ops.pad(ops.cast(part.embeddings, part.compute_dtype), ((1, 0), (0, 0))) for name, part in found.items()
    }


def initial_states(model, batch):
    """The states before the first token: a flat list of zeros (batch, size)."""
    parts = network_parts(model)
    cells = [parts[name].cell for name in sorted(parts, key=_number) if name.startswith("recurrent_")]
    return [ops.zeros((batch, size)) for cell in cells for size in keras.tree.flatten(cell.state_size)]


def _number(name):
    return int(name.rpartition("_")[2]) if name.rpartition("_")[2].isdecimal() else 0
