"""What holds for every layer of the house."""

import keras
import numpy as np
import tensorflow as tf


def check_layer(layer, inputs, tmp_path, *, call=None, mixed=True):
    """Shapes, eager and symbolic; config and .keras round trips; a gradient to every weight; one fit; mixed precision.

    Args:
        layer: the layer, new.
        inputs: an array or a list of arrays.
        tmp_path: a folder.
        call: keyword arguments of each call.
        mixed: whether to try `mixed_bfloat16`.
    """
    call = call or {}
    arrays = inputs if isinstance(inputs, list) else [inputs]
    symbols = [keras.Input(array.shape[1:], dtype=str(array.dtype)) for array in arrays]
    pack = list if isinstance(inputs, list) else (lambda values: values[0])

    eager = tf.nest.flatten(layer(inputs, **call))
    symbolic = tf.nest.flatten(layer(pack(symbols), **call))
    for a, b in zip(eager, symbolic, strict=True):
        assert tuple(a.shape)[1:] == tuple(b.shape)[1:]
        assert str(a.dtype.name) == b.dtype

    config = layer.get_config()
    twin = type(layer).from_config(config)
    assert twin.get_config() == config
    twin(inputs, **call)
    twin.set_weights(layer.get_weights())
    for a, b in zip(eager, tf.nest.flatten(twin(inputs, **call)), strict=True):
        np.testing.assert_array_equal(a, b)

    model = keras.Model(symbols, tf.nest.flatten(symbolic))
    model.save(tmp_path / "layer.keras")
    loaded = keras.models.load_model(tmp_path / "layer.keras")
    for a, b in zip(eager, tf.nest.flatten(loaded(pack(arrays) if len(arrays) == 1 else arrays)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)

    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_sum(tf.cast(out, "float32") ** 2) for out in tf.nest.flatten(layer(inputs, **call)))
    for weight, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, [v.value for v in layer.trainable_variables]), strict=True
    ):
        assert gradient is not None, f"no gradient reaches {weight.path}"
        assert np.abs(gradient).max() > 0, f"the gradient of {weight.path} is zero"

    fitted = keras.Model(symbols, tf.nest.flatten(symbolic)[0])
    fitted.compile("sgd", "mse", jit_compile=False)
    before = layer.get_weights()
    fitted.fit(arrays, np.ones(eager[0].shape), epochs=1, verbose=0)
    assert all(np.isfinite(w).all() for w in layer.get_weights())
    assert not before or any((a != b).any() for a, b in zip(before, layer.get_weights(), strict=True))

    if mixed:
        half = type(layer).from_config({**config, "dtype": "mixed_bfloat16"})
        out = tf.nest.flatten(half(inputs, **call))
        half.set_weights(twin.get_weights())
        out = tf.nest.flatten(half(inputs, **call))
        assert out[0].dtype == tf.bfloat16
        for a, b in zip(eager, out, strict=True):
            np.testing.assert_allclose(a, tf.cast(b, "float32"), atol=0.1, rtol=0.1)
