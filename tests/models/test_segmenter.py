import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.models import fcn8s
from keras_seqgen.models.fcn8s import load_vgg16
from keras_seqgen.models.segmenter import copy_weights, fcn_part, has_crf, segmenter

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(3)
    return segmenter(4, crf=False)


def picture(*size, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (1, *size, 3)).astype("float32")


@pytest.mark.parametrize("size", [(1, 1), (45, 60), (64, 32), (33, 97)])
def test_pictures_of_any_size(small, size):
    assert small({"image": picture(*size)}).shape == (1, *size, 4)
    assert small.output.dtype == "float32"
    label = tf.function(lambda x: small({"image": x}), input_signature=[tf.TensorSpec((None, None, None, 3))])
    np.testing.assert_allclose(label(picture(*size)), small({"image": picture(*size)}), atol=1e-4)


def test_a_picture_alone_is_the_picture_in_a_batch(small):
    pair = np.concatenate([picture(40, 50, seed=1), picture(40, 50, seed=2)])
    np.testing.assert_allclose(small({"image": pair})[:1], small({"image": pair[:1]}), atol=1e-4)


def test_every_weight_learns(small):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(small({"image": picture(64, 64)}, training=True) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in small.trainable_variables])
    for variable, gradient in zip(small.trainable_variables, gradients, strict=True):
        assert np.abs(gradient).max() > 0, variable.path


def test_weights_are_copied_by_name(small):
    other = segmenter(4, crf=False)
    x = picture(32, 40)
    assert np.abs(other({"image": x}) - small({"image": x})).max() > 1e-3
    copy_weights(small, other)
    np.testing.assert_array_equal(other({"image": x}), small({"image": x}))
    assert fcn_part(other) is other
    assert not has_crf(other)


def test_other_networks_are_refused(small):
    with pytest.raises(ValueError, match="the layers differ"):
        copy_weights(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), small)
    with pytest.raises(ValueError, match="shape"):
        copy_weights(segmenter(5, crf=False), small)
    with pytest.raises(ValueError, match="`backbone` must be one of small, vgg16"):
        segmenter(3, backbone="resnet")
    with pytest.raises(ValueError, match="`classes` must be a positive integer"):
        segmenter(0)
    with pytest.raises(ValueError, match="`weights` are those of vgg16"):
        segmenter(3, weights="vgg16.h5")


def test_keras_file_and_few_weights(small, tmp_path):
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again({"image": picture(40, 33)}), small({"image": picture(40, 33)}))
    assert small.count_params() < 4_000_000


@pytest.mark.slow
def test_jax_gives_the_same_numbers(small, tmp_path):
    small.save(tmp_path / "small.keras")
    np.save(tmp_path / "picture.npy", picture(37, 45))
    code = (
        "import sys, keras, numpy as np, keras_seqgen.models.segmenter\n"
        "assert keras.backend.backend() == 'jax' and 'tensorflow' not in sys.modules\n"
        "model = keras.models.load_model('small.keras', compile=False)\n"
        "np.save('found.npy', np.asarray(model({'image': np.load('picture.npy')})))\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, timeout=200)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), small({"image": picture(37, 45)}), atol=1e-3)


@pytest.fixture(scope="module")
def fcn():
    """An FCN-8s with few units between the convolutions and the scores."""
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcn8s, "_UNITS", 16)
        return segmenter(3, backbone="vgg16", crf=False)


def test_fcn8s_is_vgg16_made_convolutional(fcn, tmp_path):
    """The convolutions of a VGG16 in a user's file give the same features here."""
    vgg = keras.applications.VGG16(include_top=False, weights=None)
    vgg.save_weights(tmp_path / "notop.weights.h5")
    load_vgg16(fcn, str(tmp_path / "notop.weights.h5"))
    x = picture(64, 96)
    ours = keras.Model(fcn.input, fcn.get_layer("block5_pool").output)({"image": x})
    theirs = vgg(keras.applications.vgg16.preprocess_input(x.copy()))
    assert float(np.abs(theirs).max()) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="`weights` must be a file of VGG16's weights"):
        load_vgg16(fcn, str(tmp_path / "nothing.weights.h5"))


def test_fcn8s_sums_scores_of_three_depths(fcn):
    x = {"image": picture(45, 70)}
    np.testing.assert_array_equal(fcn(x), np.zeros((1, 45, 70, 3)))  # the score layers begin at zero
    rng = np.random.default_rng(1)
    parts = []
    for name in ("score_fc7", "score_pool4", "score_pool3"):
        layer = fcn.get_layer(name)
        kernel = rng.normal(size=layer.kernel.shape).astype("float32")
        layer.set_weights([kernel, np.zeros(3, "float32")])
        parts.append(fcn(x))
    for one, other in zip(parts[1:], parts[:-1], strict=True):
        assert np.abs(one - other).max() > 0


def test_a_doubling_layer_begins_as_linear_interpolation(fcn):
    layer = fcn.get_layer("double4")
    x = np.random.default_rng(0).normal(size=(1, 6, 5, 3)).astype("float32")
    inside = tf.image.resize(x, (12, 10), "bilinear")[:, 1:-1, 1:-1]
    np.testing.assert_allclose(layer(x)[:, 1:-1, 1:-1], inside, atol=1e-5)


@pytest.mark.slow
def test_the_dense_layers_of_vgg16_become_convolutions(tmp_path):
    fcn = segmenter(3, backbone="vgg16", crf=False)
    assert round(fcn.count_params() / 1e6) == 134
    vgg = keras.applications.VGG16(weights=None)
    vgg.save_weights(tmp_path / "vgg16.weights.h5")
    load_vgg16(fcn, str(tmp_path / "vgg16.weights.h5"))
    x = picture(224, 224)
    ours = keras.Model(fcn.input, fcn.get_layer("fc7").output)({"image": x})[0, 3, 3]
    theirs = keras.Model(vgg.input, vgg.get_layer("fc2").output)(keras.applications.vgg16.preprocess_input(x.copy()))
    np.testing.assert_allclose(ours, theirs[0], rtol=1e-3, atol=1e-4)
