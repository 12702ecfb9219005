"""Truncated back-propagation: a recurrent layer that goes on where the last batch left it."""

import keras
from keras import ops

from keras_seqgen.layers.peephole_lstm import check_positive_integer


@keras.saving.register_keras_serializable(package="keras_seqgen")
class CarriedState(keras.layers.Layer):
    """Calls a recurrent layer with the state that it had at the end of the last batch, row by row.

        s_0 = 0 where a row is fresh, else the last state of that row in the batch before
        h_1..T, s_T = layer(x_1..T, s_0)

    No derivative passes from a batch to the one before. The state is kept in weights that are not trained, so a model
    saved in the middle of a stream goes on in the middle of it.

    Args:
        layer: a recurrent layer with `return_sequences` and `return_state`, or such a layer in a wrapper that passes
            `initial_state` on (`WeightNoise`). `.layer` is it and `.cell` its cell.
        batch_size: B, the rows of every batch.

    Call: `carried(x (B, T, D), fresh=(B,) boolean or None)` -> h (B, T, H). Without `fresh` no row is fresh. With
    `advance=False` the state is read and left where it is.

    Raises:
        ValueError: `batch_size` is not a positive integer, or the layer does not return its state.

    Example:

        >>> lstm = keras.layers.LSTM(400, return_sequences=True, return_state=True)
        >>> h = CarriedState(lstm, batch_size=32)(x, fresh=fresh)

    Source: Graves 2013, sections 3.1 and 3.2: sequences of 100 characters, the state reset every 100 sequences.
    """

    def __init__(self, layer, batch_size, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("batch_size", batch_size)
        inner = getattr(layer, "layer", layer)
        if not (inner.return_state and inner.return_sequences):
            raise ValueError("`layer` must have return_sequences=True and return_state=True.")
        self.layer, self.batch_size = layer, batch_size

    @property
    def cell(self):
        return self.layer.cell

    def build(self, inputs_shape, fresh_shape=None):
        if not self.layer.built:
            self.layer.build(inputs_shape)
        self.states: list = []
        for size in keras.tree.flatten(self.cell.state_size):
            kind = {"initializer": "zeros", "trainable": False, "dtype": self.compute_dtype}
            self.states.append(self.add_weight((self.batch_size, size), name=f"state_{len(self.states)}", **kind))

    def call(self, inputs, fresh=None, advance=True, training=None):
        before = [ops.convert_to_tensor(state) for state in self.states]
        if fresh is not None:
            before = [ops.where(fresh[:, None], 0, state) for state in before]
        outputs, *after = self.layer(inputs, initial_state=before, training=training)
        if advance:
            for state, new in zip(self.states, keras.tree.flatten(after), strict=True):
                state.assign(new)
        return outputs

    def compute_output_shape(self, inputs_shape, fresh_shape=None):
        return (*inputs_shape[:-1], self.cell.output_size)

    def get_config(self):
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer, "batch_size": self.batch_size}

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})
