"""`TokenEmbedding` against one-hot vectors times its table."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import TokenEmbedding
from keras_seqgen.layers.token_embedding import FEW, table_rows
from tests.layers.layer_check import check_layer

RNG = np.random.default_rng(0)


def one_hot(ids, size):
    return (np.asarray(ids)[..., None] == np.arange(1, size + 1)).astype("float32")


@pytest.mark.parametrize("size", [5, 1500])
def test_rows_and_their_gradient_are_those_of_a_product_with_one_hot_vectors(size):
    table = tf.Variable(RNG.normal(size=(size, 3)).astype("float32"))
    ids = np.array([[0, 1, 5], [5, 0, 2]], "int32")
    upstream = RNG.normal(size=(2, 3, 3)).astype("float32")
    with tf.GradientTape() as tape:
        rows = table_rows(table, ids)
        loss = tf.reduce_sum(rows * upstream)
    np.testing.assert_allclose(rows, one_hot(ids, size) @ table.numpy(), atol=1e-6)
    wanted = np.einsum("btv,bte->ve", one_hot(ids, size), upstream)
    np.testing.assert_allclose(tf.convert_to_tensor(tape.gradient(loss, table)), wanted, atol=1e-5)


@pytest.mark.parametrize("drop", [0.0, 1e-9])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, global_clipnorm=1.0),
        lambda: keras.optimizers.Adam(0.1, epsilon=1e-2, global_clipnorm=1.0),
    ],
)
def test_a_token_that_stands_at_many_places_has_one_derivative(optimizer, drop):
    """Two updates of a large table are those of its whole derivative: the bound on its length, Adam's squares."""
    size, ids, slope = FEW + 8, np.array([[5, 5, 5, 5, 9, 0, 5]], "int32"), np.array([1.0, 2.0, 3.0], "float32")
    layer = TokenEmbedding(size, 3, dropout=drop)
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    model.compile(optimizer(), loss=lambda _, rows: tf.reduce_sum(rows * slope), jit_compile=False)
    table = keras.Variable(layer.get_weights()[0])
    model.fit(ids, np.ones((1, 7, 3)), epochs=2, verbose=0)

    wanted = optimizer()
    wanted.build([table])
    for _ in range(2):
        wanted.apply([one_hot(ids, size)[0].sum(axis=0)[:, None] * slope], [table])
    np.testing.assert_allclose(layer.get_weights()[0], table.numpy(), atol=1e-6)


def test_what_holds_for_every_layer(tmp_path):
    check_layer(TokenEmbedding(6, 4), RNG.integers(0, 7, (3, 5)).astype("int32"), tmp_path)


def test_reversed_it_gives_logits_of_the_same_table():
    layer = TokenEmbedding(6, 4, reverse_bias=True)
    layer(np.array([[1, 2]]))
    layer.bias.assign(np.arange(6.0))
    h = RNG.normal(size=(2, 3, 4)).astype("float32")
    wanted = h @ layer.embeddings.numpy().T + np.arange(6)
    np.testing.assert_allclose(layer(h, reverse=True), wanted, atol=1e-5)
    symbol = layer(keras.Input((None, 4)), reverse=True)
    assert symbol.shape == (None, None, 6)


def test_dropout_takes_away_whole_tokens_and_keeps_the_mean():
    layer = TokenEmbedding(4000, 2, dropout=0.25, embeddings_initializer="ones", seed=1)
    ids = np.repeat(np.arange(1, 4001)[None], 2, axis=0)
    rows = np.asarray(layer(ids, training=True))
    np.testing.assert_array_equal(rows[0], rows[1])  # one mask over the vocabulary, not over positions
    assert set(np.unique(rows.round(5))) == {0.0, np.float32(1.33333)}
    assert abs((rows == 0).mean() - 0.25) < 0.03
    np.testing.assert_array_equal(layer(ids), np.ones((2, 4000, 2)))


@pytest.mark.parametrize("wrong", [{"vocabulary_size": 0}, {"dimension": 2.5}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TokenEmbedding(**{"vocabulary_size": 4, "dimension": 2} | wrong)
