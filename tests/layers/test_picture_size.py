import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.layers.picture_size import CutToSize, Magnify, PadToMultiple
from tests.layers.layer_check import check_layer


def test_pad_and_cut_come_back():
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (32, 33), (7, 64)):
        x = rng.normal(size=(2, height, width, 3)).astype("float32")
        padded = PadToMultiple(32, value=5.0)(x)
        assert padded.shape[1] % 32 == padded.shape[2] % 32 == 0
        assert padded.shape[1] - height < 32
        np.testing.assert_array_equal(padded[:, height:], 5.0)
        np.testing.assert_array_equal(padded[:, :, width:], 5.0)
        np.testing.assert_array_equal(CutToSize()([padded, x]), x)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
def test_magnify_is_bilinear_interpolation(factor):
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    wanted = tf.image.resize(x, (5 * factor, 7 * factor), "bilinear")
    np.testing.assert_allclose(Magnify(factor)(x), wanted, atol=1e-5)


def test_sizes_may_be_unknown_in_a_graph():
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 2), tf.float32)])
    def both(x):
        return CutToSize()([Magnify(2)(PadToMultiple(4)(x)), x])

    for shape in ((1, 1, 1, 2), (3, 5, 9, 2)):
        assert both(tf.zeros(shape)).shape == shape


def test_magnify_has_the_adjoint_as_its_gradient():
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.normal(size=(1, 4, 3, 2))), tf.constant(rng.normal(size=(1, 12, 9, 2)))
    layer = Magnify(3, dtype="float64")
    with tf.GradientTape() as tape:
        tape.watch(x)
        product = tf.reduce_sum(layer(x) * y)
    np.testing.assert_allclose(tf.reduce_sum(tape.gradient(product, x) * x), product, rtol=1e-6)


def test_layers_keep_their_shapes_and_configs(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    for layer in (PadToMultiple(4, value=1.0), Magnify(2)):
        check_layer(layer, x, tmp_path)
    check_layer(CutToSize(), [x, x[:, :3, :2]], tmp_path)


def test_wrong_sizes_are_refused():
    for layer in (PadToMultiple, Magnify):
        with pytest.raises(ValueError, match="must be a positive integer"):
            layer(0)
