"""Language models: the paper's weight counts, the wiring by hand, pieces, single steps, files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import WeightDrop, WeightNoise
from keras_seqgen.models import char_lm, word_lm
from keras_seqgen.models.language import copy_weights, language_model, with_batch_size
from keras_seqgen.models.language_step import initial_states, language_step
from tests.reference.graves import lstm_forward

RNG = np.random.default_rng(0)
IDS = RNG.integers(1, 8, (3, 12)).astype("int32")
DROPOUTS = {f"dropout_{part}": 0.3 for part in ("tokens", "input", "hidden", "output")}
NETWORKS = {
    "graves 1": {"depth": 1},
    "graves 3": {"depth": 3},
    "embedded": {"depth": 2, "embedding": 5},
    "lstm": {"depth": 2, "cell": "lstm"},
    "gru": {"depth": 2, "cell": "gru", "embedding": 5},
    "simple_rnn": {"depth": 1, "cell": "simple_rnn"},
    "tied": {"depth": 2, "embedding": 5, "tied": True, **DROPOUTS},
    "noise": {"depth": 2, "wrap": lambda layer: WeightNoise(layer, 0.1, name=layer.name)},
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return language_model(7, 6, **NETWORKS[request.param], batch_size=3)


def test_the_papers_weight_counts():
    assert char_lm(49).count_params() == 4_252_049  # 4.25 M
    assert word_lm(10_000).count_params() == 54_017_000  # 54.0 M
    for depth, total in ((7, 30.5e6), (5, 21.25e6)):  # the paper says 7 layers and 21.3 M
        first, further = (205 + 700) * 2800 + 7 * 700, (205 + 700 + 700) * 2800 + 7 * 700
        weights = first + (depth - 1) * further + (depth * 700 + 1) * 205
        assert char_lm(205, units=700, depth=depth).count_params() == weights == pytest.approx(total, rel=2e-3)


def test_two_layers_with_skips_are_the_papers_equations():
    model = char_lm(7, units=4, depth=2)
    parts = {layer.name: layer for layer in model.layers}
    for layer in parts.values():
        layer.set_weights([RNG.normal(size=w.shape) * 0.5 for w in layer.get_weights()])
    x = np.eye(7)[IDS - 1]
    h1 = by_hand(parts["recurrent_1"], x @ parts["tokens_1"].get_weights()[0])
    h2 = by_hand(parts["recurrent_2"], x @ parts["tokens_2"].get_weights()[0] + h1 @ parts["below_2"].get_weights()[0])
    kernel, bias = parts["output"].get_weights()
    np.testing.assert_allclose(model({"tokens": IDS}), np.concatenate([h1, h2], -1) @ kernel + bias, atol=1e-5)


def by_hand(layer, z):
    """(B, T, H) of a peephole LSTM, from what enters its gates."""
    weights = (np.eye(z.shape[-1]), *layer.get_weights())
    zero = np.zeros((len(z), z.shape[-1] // 4))
    return lstm_forward(z.swapaxes(0, 1), zero, zero, weights)[0].swapaxes(0, 1)


def test_pieces_with_carried_state_equal_the_whole(network):
    fresh = np.array([True, True, True])
    pieces = [network({"tokens": IDS[:, :5], "fresh": fresh}), network({"tokens": IDS[:, 5:], "fresh": ~fresh})]
    whole = with_batch_size(network, None)({"tokens": IDS})
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-6)


def test_single_steps_equal_the_whole(network):
    states, logits = initial_states(network, 3), []
    for column in IDS.T:
        one, states = language_step(network, tf.constant(column), states)
        logits.append(one)
    whole = with_batch_size(network, None)({"tokens": IDS})
    np.testing.assert_allclose(np.stack(logits, axis=1), whole, atol=1e-5)


def test_a_model_from_a_file_is_the_same_and_its_twin_leaves_its_state_alone(network, tmp_path):
    inputs = {"tokens": IDS, "fresh": np.array([False] * 3)}
    network(inputs)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    with_batch_size(loaded, 2)({"tokens": IDS[:2], "fresh": np.array([True, True])})
    np.testing.assert_allclose(loaded(inputs), network(inputs), atol=1e-6)


def test_weights_are_copied_between_a_noisy_and_a_plain_network():
    noisy = language_model(7, 6, 2, wrap=lambda layer: WeightNoise(layer, 0.1, name=layer.name), batch_size=2)
    plain = language_model(7, 6, 2, batch_size=3)
    copy_weights(noisy, plain)
    results = [with_batch_size(model, None)({"tokens": IDS}) for model in (noisy, plain)]
    np.testing.assert_array_equal(*results)
    with pytest.raises(ValueError, match=r"shape|layer"):
        copy_weights(noisy, language_model(7, 8, 2))
    deep, flat = (language_model(7, 5, depth, embedding=5, tied=True) for depth in (2, 1))
    with pytest.raises(ValueError, match="recurrent_2"):
        copy_weights(deep, flat)


def test_dropped_weights_are_dropped_in_training_only():
    def wrap(layer):
        return WeightDrop(layer, 0.5, name=layer.name) if "recurrent" in layer.name else layer

    model = language_model(7, 6, 2, embedding=5, tied=True, wrap=wrap, **DROPOUTS)
    quiet = [model({"tokens": IDS}) for _ in range(2)]
    np.testing.assert_array_equal(*quiet)
    noisy = [model({"tokens": IDS}, training=True) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3


def test_the_id_0_is_no_token():
    model = char_lm(7, units=4)
    table, states = model.get_layer("tokens_1"), initial_states(model, 1)
    table.set_weights([RNG.normal(size=w.shape) for w in table.get_weights()])
    none, _ = language_step(model, tf.constant([0]), states)
    table.set_weights([RNG.normal(size=w.shape) for w in table.get_weights()])
    np.testing.assert_array_equal(language_step(model, tf.constant([0]), states)[0], none)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cell": "lstmp"}, "cell"),
        ({"tied": True}, "tied"),
        ({"cell": "lstm", "product_dtype": "bfloat16"}, "product_dtype"),
    ],
)
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        language_model(7, 6, 1, **wrong)
