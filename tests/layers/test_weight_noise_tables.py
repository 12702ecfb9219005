"""Noise on large tables: only the rows that a batch reads are drawn, and one id has one row."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_seqgen.layers import AdaptiveWeightNoise, TokenEmbedding, WeightDrop, WeightNoise
from keras_seqgen.layers.token_embedding import FEW

V, E = 3 * FEW, 40
IDS = np.array([[5, 9, 5, V, 0], [9, 1, 1, 7, 0]], np.int32)
WRAPPERS = {
    "fixed": lambda layer: WeightNoise(layer, stddev=0.2, seed=1),
    "adaptive": lambda layer: AdaptiveWeightNoise(layer, kl_weight=0.0, initial_stddev=0.2, seed=1),
}


@pytest.fixture(params=WRAPPERS)
def noisy(request):
    return WRAPPERS[request.param](TokenEmbedding(V, E, name="tokens"))


def test_one_id_has_one_row_in_a_call_and_another_in_the_next(noisy):
    a, b = (noisy(IDS, training=True).numpy() for _ in range(2))
    assert (a[IDS == 0] == 0).all()
    for token in (5, 9, 1):
        first, *others = a[token == IDS]
        assert all((row == first).all() for row in others)
    plain = noisy(IDS).numpy()
    for token in (1, 5, 7, 9, V):
        assert (a[token == IDS] != plain[token == IDS]).all()
        assert (a[token == IDS] != b[token == IDS]).all()


def test_the_noise_is_gaussian_of_the_given_size(noisy):
    ids = np.random.default_rng(0).permutation(V)[:500].astype("int32")[None] + 1
    noise = (noisy(ids, training=True) - noisy(ids)).numpy()[0]
    n = noise.size
    np.testing.assert_allclose(noise.std(), 0.2, rtol=4 / np.sqrt(2 * n))
    assert stats.kstest(noise.ravel()[::7] / 0.2, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 4 / np.sqrt(n)


def test_rows_follow_their_own_log_variances():
    noisy = AdaptiveWeightNoise(TokenEmbedding(V, 4000), 0.0, seed=1)
    noisy.build((None, None))
    sizes = np.geomspace(0.01, 1, V)
    noisy.log_variances[0].assign(np.tile(2 * np.log(sizes)[:, None], (1, 4000)))
    ids = np.array([[1, 1500, V, 1500]], np.int32)
    found = (noisy(ids, training=True) - noisy(ids)).numpy().std(axis=-1)
    np.testing.assert_allclose(found, sizes[ids - 1], rtol=0.05)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(noisy(ids, training=True) ** 2)
    gradient = tf.convert_to_tensor(tape.gradient(loss, noisy.log_variances[0].value)).numpy()
    assert set(np.flatnonzero(gradient.any(axis=1)) + 1) == {1, 1500, V}


@pytest.mark.parametrize("known", [True, False])
def test_derivatives_are_those_of_the_rows(noisy, known):
    """d sum(r * out) / dE[i] is the sum of r over the places that hold i, known the number of places or not."""
    noisy.build((None, None))
    r = np.random.default_rng(1).normal(size=(*IDS.shape, E)).astype("float32")

    @tf.function(input_signature=[tf.TensorSpec(IDS.shape if known else (None, None), tf.int32)])
    def gradient(ids):
        table = noisy.layer.embeddings.value
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(r * noisy(ids, training=True))
        return tf.convert_to_tensor(tape.gradient(loss, table))

    expected = np.zeros((V + 1, E), np.float32)
    np.add.at(expected, IDS, r)
    np.testing.assert_allclose(gradient(IDS), expected[1:], atol=1e-5)


def test_no_more_is_drawn_than_a_batch_reads(noisy):
    noisy.build((None, None))
    graph = tf.function(lambda ids: noisy(ids, training=True)).get_concrete_function(tf.TensorSpec((2, 5), tf.int32))
    drawn = [op.outputs[0].shape for op in graph.graph.get_operations() if "Normal" in op.type]
    assert drawn == [(10, E)]


@pytest.mark.parametrize("wrap", [WRAPPERS["fixed"], WeightDrop])
def test_a_dropped_token_is_dropped_wherever_it_stands(wrap):
    noisy = wrap(TokenEmbedding(V, E, dropout=0.5, seed=3, embeddings_initializer="ones"))
    ids = np.random.default_rng(2).integers(1, 200, (4, 300)).astype("int32")
    dropped = (noisy(ids, training=True).numpy() == 0).all(axis=-1)
    by_token = [dropped[ids == token] for token in np.unique(ids)]
    assert all(places.all() or not places.any() for places in by_token)
    assert 0.3 < np.mean([places[0] for places in by_token]) < 0.7


def test_a_model_with_noisy_tables_trains_and_comes_back(noisy, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, keras.layers.Dense(2)(noisy(ids)))
    model.compile("sgd", "mse", jit_compile=False)
    before = noisy.layer.get_weights()[0]
    model.fit(IDS, np.ones((2, 5, 2)), verbose=0)
    changed = np.flatnonzero((noisy.layer.get_weights()[0] != before).any(axis=1)) + 1
    assert set(changed) == {1, 5, 7, 9, V}
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(IDS), model(IDS), atol=1e-6)
