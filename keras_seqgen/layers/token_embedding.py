"""Rows of a table for token ids: a learned embedding, or a one-hot token times a kernel."""

import keras
from keras import ops

from keras_seqgen.layers.peephole_lstm import check_positive_integer

FEW = 1024  # up to so many rows a product with one-hot vectors adds up the derivatives faster than a scatter


def table_rows(table, ids):
    """one_hot(ids - 1) table: row i - 1 for the id i, zeros for the id 0.

    Args:
        table: (V, E); a V that is known and at most FEW has derivatives by a product.
        ids: (...,) integers in 0..V.

    Returns:
        (..., E), in the dtype of `table`.
    """
    V = table.shape[0]

    def look_up(table):
        rows = ops.take(table, ops.maximum(ids - 1, 0), axis=0)
        return rows * ops.cast(ids > 0, table.dtype)[..., None]

    if V is None or V > FEW:
        return look_up(table)

    @ops.custom_gradient
    def few_rows(table):
        def backward(*args, upstream=None):
            (gradient,) = (upstream,) if upstream is not None else args
            one_hot = ops.one_hot(ops.reshape(ids, (-1,)) - 1, V, dtype=gradient.dtype)
            return ops.matmul(ops.transpose(one_hot), ops.reshape(gradient, (-1, gradient.shape[-1])))

        return look_up(table), backward

    return few_rows(table)


def rows_in_use(ids, V):
    """Cut a table to the rows of `ids`: one row for each position, and for all that hold one id the same.

    Args:
        ids: (...,) integers in 0..V.
        V: rows of the table.

    Returns:
        ids into the cut table, and the function that cuts a tensor (V, ...) to (ids in all, ...).
    """
    rows = ops.reshape(ops.maximum(ids - 1, 0), (-1,))
    positions = ops.arange(ops.shape(rows)[0], dtype="int32")
    chosen = ops.scatter_update(ops.zeros((V,), "int32"), rows[:, None], positions)
    cut_ids = ops.where(ids > 0, ops.take(chosen, ops.maximum(ids - 1, 0)) + 1, 0)
    return cut_ids, lambda value: ops.take(value, rows, axis=0)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class TokenEmbedding(keras.layers.Layer):
    """A table with a row for each token; the same table turns a hidden vector back into logits.

        e_t = one_hot(i_t - 1) E             the id 0, padding or "nothing yet", is the zero vector
        logits = h E^T + b                   with `reverse=True`

    Args:
        vocabulary_size: V, the number of tokens; their ids are 1..V.
        dimension: E, the width of a row.
        dropout: fraction of the tokens of the vocabulary whose rows are zero during a training call; the others are
            scaled by 1 / (1 - dropout) (Gal and Ghahramani 2016).
        reverse_bias: whether there is a b, for a table that is used both ways.
        embeddings_initializer: of the table.
        seed: of the dropout.

    Call: `layer(ids (B, T) or (B,))` -> (B, T, E) or (B, E); `layer(h (..., E), reverse=True)` -> logits (..., V), of
    the ids 1..V.

    Weights: `embeddings` (V, E) and, with `reverse_bias`, `bias` (V,).

    Raises:
        ValueError: `vocabulary_size` or `dimension` is not a positive integer, `dropout` not in [0, 1).

    Example:

        >>> TokenEmbedding(49, 4000)(ids)

    Source: Graves 2013, section 3 (one-hot input); Press and Wolf 2017, Inan et al. 2017 (tied output).
    """

    def __init__(
        self,
        vocabulary_size,
        dimension,
        dropout=0.0,
        reverse_bias=False,
        embeddings_initializer="uniform",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive_integer("vocabulary_size", vocabulary_size)
        check_positive_integer("dimension", dimension)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must lie in [0, 1). Received: dropout={dropout}")
        self.vocabulary_size, self.dimension = vocabulary_size, dimension
        self.dropout, self.reverse_bias = float(dropout), reverse_bias
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        self.bias = None
        self.built = False

    def build(self, input_shape):
        shape = self.vocabulary_size, self.dimension
        self.embeddings = self.add_weight(shape, initializer=self.embeddings_initializer, name="embeddings")
        if self.reverse_bias:
            self.bias = self.add_weight((self.vocabulary_size,), initializer="zeros", name="bias")

    def call(self, inputs, reverse=False, training=None):
        table = ops.cast(self.embeddings, self.compute_dtype)
        if reverse:
            logits = ops.matmul(inputs, ops.transpose(table))
            return logits if self.bias is None else logits + ops.cast(self.bias, logits.dtype)
        if training and table.shape[0] == self.vocabulary_size > FEW:
            # On TensorFlow a table's derivative lists a row once for each place that reads it, and Keras's optimisers
            # square the entries of the list one by one, for Adam and for `global_clipnorm`. This adds them up first.
            inputs, cut = rows_in_use(inputs, self.vocabulary_size)
            table = cut(table)
        if training and self.dropout:
            whole = ops.ones((ops.shape(table)[0], 1), table.dtype)
            kept = keras.random.dropout(whole, self.dropout, seed=self.seed_generator)
            return table_rows(table, inputs) * table_rows(kept, inputs)
        return table_rows(table, inputs)

    def compute_output_spec(self, inputs, reverse=False, training=None):
        shape = (*inputs.shape[:-1], self.vocabulary_size) if reverse else (*inputs.shape, self.dimension)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        names = "vocabulary_size", "dimension", "dropout", "reverse_bias", "seed"
        own = {name: getattr(self, name) for name in names}
        initializer = keras.initializers.serialize(self.embeddings_initializer)
        return {**super().get_config(), **own, "embeddings_initializer": initializer}
