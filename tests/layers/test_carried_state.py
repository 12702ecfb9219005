"""`CarriedState`: a stream in pieces gives what the whole gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers import CarriedState, PeepholeLSTM, WeightNoise

RNG = np.random.default_rng(0)
OPTIONS = {"return_sequences": True, "return_state": True}
LAYERS = {
    "peephole": lambda: PeepholeLSTM(4, **OPTIONS),
    "lstm": lambda: keras.layers.LSTM(4, **OPTIONS),
    "gru": lambda: keras.layers.GRU(4, **OPTIONS),
    "simple": lambda: keras.layers.SimpleRNN(4, **OPTIONS),
    "noisy": lambda: WeightNoise(PeepholeLSTM(4, **OPTIONS), 0.1),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_pieces_with_carried_state_equal_the_whole(kind):
    layer = LAYERS[kind]()
    carried = CarriedState(layer, batch_size=2)
    x = RNG.normal(size=(2, 9, 3)).astype("float32")
    pieces = [carried(piece) for piece in (x[:, :4], x[:, 4:5], x[:, 5:])]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), layer(x)[0], atol=1e-6)


def test_a_fresh_row_starts_from_zero_and_the_others_go_on():
    layer = PeepholeLSTM(4, **OPTIONS)
    carried = CarriedState(layer, batch_size=2)
    first, second = RNG.normal(size=(2, 2, 5, 3)).astype("float32")
    carried(first, fresh=np.array([True, True]))
    h = carried(second, fresh=np.array([True, False]))
    np.testing.assert_allclose(h[0], layer(second)[0][0], atol=1e-6)
    np.testing.assert_allclose(h[1], layer(np.concatenate([first, second], axis=1))[0][1, 5:], atol=1e-6)


def test_no_derivative_reaches_the_batch_before():
    carried = CarriedState(PeepholeLSTM(4, **OPTIONS), batch_size=1)
    before, now = (tf.constant(RNG.normal(size=(1, 3, 2)).astype("float32")) for _ in range(2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([before, now])
        carried(before)
        loss = tf.reduce_sum(carried(now))
    assert tape.gradient(loss, before) is None
    assert np.abs(tape.gradient(loss, now)).max() > 0


def test_a_saved_model_goes_on_in_the_middle_of_the_stream(tmp_path):
    x, fresh = keras.Input(batch_shape=(2, None, 3)), keras.Input(batch_shape=(2,), dtype="bool")
    model = keras.Model([x, fresh], CarriedState(PeepholeLSTM(4, **OPTIONS), 2)(x, fresh=fresh))
    data, go_on = RNG.normal(size=(2, 6, 3)).astype("float32"), np.array([False, False])
    model([data, go_on])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again([data, go_on]), model([data, go_on]), atol=1e-6)
    assert np.abs(again([data, ~go_on]) - model([data, go_on])).max() > 1e-3


def test_state_is_kept_through_fit_and_is_not_trained():
    x, fresh = keras.Input(batch_shape=(2, None, 3)), keras.Input(batch_shape=(2,), dtype="bool")
    layer = CarriedState(PeepholeLSTM(4, **OPTIONS), 2)
    model = keras.Model([x, fresh], layer(x, fresh=fresh))
    model.compile("sgd", "mse", jit_compile=False)
    data = RNG.normal(size=(2, 5, 3)).astype("float32")
    model.fit([data, np.array([True, True])], np.zeros((2, 5, 4)), batch_size=2, verbose=0)
    assert np.abs(layer.states[0]).max() > 0
    assert len(model.trainable_variables) == 4
    assert len(model.non_trainable_variables) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CarriedState(PeepholeLSTM(4, **OPTIONS), 0), "batch_size"),
        (lambda: CarriedState(PeepholeLSTM(4, return_sequences=True), 2), "return_state=True"),
        (lambda: CarriedState(keras.layers.LSTM(4, return_state=True), 2), "return_sequences=True"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
