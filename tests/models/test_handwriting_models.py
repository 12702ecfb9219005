import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.models import handwriting_prediction, handwriting_synthesis
from keras_seqgen.models.handwriting import output_layer, recurrent_layers


@pytest.mark.parametrize(
    ("model", "thousands"),
    [
        (lambda: handwriting_prediction(400, 3), 3368),
        (lambda: handwriting_prediction(900, 1), 3366),
        (lambda: handwriting_synthesis(57), 3654),
    ],
)
def test_the_papers_weight_counts(model, thousands):
    """Tables 3 and 4 of Graves 2013."""
    assert round(model().count_params() / 1000) == thousands


def small():
    return handwriting_synthesis(4, units=6, depth=3, window_components=2, mixture_components=2)


def batch(rng, rows=3, steps=7):
    return {"strokes": rng.normal(size=(rows, steps, 3)).astype("float32"), "text": rng.integers(1, 5, (rows, 5))}


def test_the_output_is_raw_float32_parameters():
    model = small()
    assert model.output.shape == (None, None, 13)
    assert model.output.dtype == "float32"
    assert [type(layer.cell).__name__ for layer in recurrent_layers(model)] == [
        "WindowLSTMCell",
        "PeepholeLSTMCell",
        "PeepholeLSTMCell",
    ]
    assert output_layer(model).kernel.shape == (18, 13)


def test_padding_of_strokes_and_text_changes_nothing():
    model, x = small(), batch(np.random.default_rng(0))
    padded = {
        "strokes": np.pad(x["strokes"], [(0, 0), (0, 4), (0, 0)]),
        "text": np.pad(x["text"], [(0, 0), (0, 6)]),
    }
    np.testing.assert_allclose(model(padded)[:, :7], model(x), atol=1e-6)


def test_the_past_alone_decides():
    """Changing the strokes from step 4 on changes no output before it."""
    model, x = small(), batch(np.random.default_rng(0))
    other = {**x, "strokes": x["strokes"].copy()}
    other["strokes"][:, 4:] += 1
    np.testing.assert_array_equal(model(x)[:, :4], model(other)[:, :4])
    assert np.abs(model(x)[:, 4:] - model(other)[:, 4:]).max() > 1e-3


def test_the_text_reaches_the_output():
    model, x = small(), batch(np.random.default_rng(0))
    model.get_layer("recurrent_0").cell.window_bias.assign(np.log([1, 1, 0.1, 0.1, 1.0, 1.0]))
    other = {**x, "text": x["text"] % 4 + 1}
    assert np.abs(model(x) - model(other)).max() > 1e-3


def test_the_raw_outputs_derivatives_are_clipped():
    """A loss of slope 1000 reaches the output layer's bias as 100 a step."""
    model, x = small(), batch(np.random.default_rng(0))
    with tf.GradientTape() as tape:
        loss = 1000 * tf.reduce_sum(model(x))
    gradient = tape.gradient(loss, output_layer(model).bias.value)
    np.testing.assert_allclose(gradient, np.full(13, 100.0 * 3 * 7), rtol=1e-6)
