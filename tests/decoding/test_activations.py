import keras
import numpy as np
import pytest

from keras_seqgen.decoding import activations
from keras_seqgen.decoding.activations import memory_names, read_tokens, state_names, untrained_copy
from keras_seqgen.models.language import CELLS, language_model, with_batch_size
from keras_seqgen.models.language_step import initial_states, language_step

V, H = 9, 6
MODELS = {
    **{cell: {"cell": cell, "depth": 2} for cell in CELLS},
    "embedded": {"cell": "lstm", "depth": 1, "embedding": 4},
    "tied": {"cell": "lstm", "depth": 2, "embedding": 4, "tied": True, "dropout_hidden": 0.5, "dropout_output": 0.5},
    "carried": {"cell": "peephole_lstm", "depth": 1, "batch_size": 3},
}


@pytest.fixture(scope="module", params=MODELS)
def network(request):
    """A model with large weights, so that its states and guesses differ from place to place."""
    keras.utils.set_random_seed(3)
    model = language_model(V, H, **MODELS[request.param])
    for weight in model.trainable_weights:
        weight.assign(weight * 3)
    return model


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(0).integers(1, V + 1, (2, 11)).astype("int32")


def test_states_are_those_of_language_step(network, ids):
    reading = read_tokens(network, ids, [name for name, _ in state_names(network)])
    states = initial_states(network, 2)
    _, states = language_step(network, np.zeros(2, "int32"), states)
    for t in range(ids.shape[1]):
        _, states = language_step(network, ids[:, t], states)
        wanted = np.concatenate([keras.ops.convert_to_numpy(state) for state in states], axis=1)
        np.testing.assert_allclose(reading.states[:, t], wanted, atol=2e-6)
    assert reading.states.std() > 0.1
    assert len(reading.cells) == reading.states.shape[-1] == len(set(reading.cells))


def test_guesses_are_those_of_the_whole_graph(network, ids):
    reading = read_tokens(network, ids, guesses=4)
    graph = with_batch_size(network, None)
    logits = keras.ops.convert_to_numpy(graph({"tokens": np.pad(ids[:, :-1], ((0, 0), (1, 0)))})).astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    order = np.argsort(-p, axis=-1)[..., :4]
    np.testing.assert_array_equal(reading.guesses, order + 1)
    np.testing.assert_allclose(reading.probabilities, np.take_along_axis(p, order, -1), rtol=1e-5)
    likelihood = np.take_along_axis(p, ids[..., None] - 1, -1)[..., 0]
    np.testing.assert_allclose(reading.nats, -np.log(likelihood), rtol=1e-5, atol=1e-6)
    assert reading.states.shape == (2, 11, 0)


def test_chunks_and_rows_change_nothing(network, ids, monkeypatch):
    names = memory_names(network)
    whole = read_tokens(network, ids, names)
    monkeypatch.setattr(activations, "_CHUNK", 5)  # 12 steps: the last chunk is shorter
    pieces = read_tokens(network, ids, names)
    one = read_tokens(network, ids[1:], names)
    for a, b, c in zip(whole[1:], pieces[1:], one[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)
        np.testing.assert_allclose(a[1:], c, atol=2e-6)


def test_reading_leaves_the_carried_state_alone(ids):
    model = language_model(V, H, 1, batch_size=2)
    before = [variable.numpy() for variable in model.non_trainable_variables]
    read_tokens(model, ids, ["c1"])
    for old, variable in zip(before, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


def test_names():
    assert state_names(language_model(V, H, 2)) == [("h1", H), ("c1", H), ("h2", H), ("c2", H)]
    assert memory_names(language_model(V, H, 2, cell="lstm")) == ["c1", "c2"]
    assert memory_names(language_model(V, H, 2, cell="gru")) == ["h1", "h2"]
    reading = read_tokens(language_model(V, 2, 2), [[1, 2, 3]], ["c2", "h1"])
    assert reading.cells == ("c2.0", "c2.1", "h1.0", "h1.1")


def test_padding_has_no_nats_and_few_tokens_few_guesses():
    reading = read_tokens(language_model(3, H, 1), [[1, 0]], guesses=5)
    assert reading.nats[0, 0] > 0
    assert reading.nats[0, 1] == 0
    assert reading.guesses.shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("ids", "states", "message"),
    [([1, 2], [], "rows of tokens"), (np.zeros((1, 0)), [], "rows of tokens"), ([[1]], ["c3"], "h1, c1.*: c3")],
)
def test_mistakes_are_named(ids, states, message):
    with pytest.raises(ValueError, match=message):
        read_tokens(language_model(V, H, 1), ids, states)


def test_an_untrained_copy_has_new_weights_of_the_same_shapes(network):
    before = [weight.numpy() for weight in network.trainable_weights]
    one, again, other = (untrained_copy(network, seed) for seed in (0, 0, 1))
    assert [w.shape for w in one.trainable_weights] == [w.shape for w in network.trainable_weights]
    for old, weight in zip(before, network.trainable_weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())
    kernels = [[w.numpy() for w in model.trainable_weights if w.name == "recurrent_kernel"] for model in (one, again)]
    for a, b in zip(*kernels, strict=True):
        np.testing.assert_array_equal(a, b)
    for weights in zip(network.trainable_weights, one.trainable_weights, other.trainable_weights, strict=True):
        if "kernel" in weights[0].name and "peephole" not in weights[0].name:
            a, b, c = (weight.numpy() for weight in weights)
            assert np.abs(a - b).max() > 0.01
            assert np.abs(b - c).max() > 0.01
