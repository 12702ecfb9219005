"""FCN-8s: the VGG16 network made fully convolutional, with scores from three depths."""

import os

import keras
import numpy as np
from keras import layers

from keras_seqgen.layers.picture_size import Magnify

STRIDE = 32  # heights and widths must be multiples of this
_BLOCKS = (2, 2, 3, 3, 3)  # convolutions in each block of VGG16
_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, of the pictures that VGG16 was trained on
_SKIP_SCALES = {4: 0.01, 3: 0.0001}
_UNITS = 4096  # of fc6 and fc7
_SMALLEST_WITH_TOP = 300e6  # bytes: VGG16 has 553 MB with its top layers and 59 MB without


def fcn8s_scores(pictures, classes):
    """Scores of FCN-8s, all depths trained at once.

        s5 = score(fc7(fc6(pool5)))
        s4 = double(s5) + score(0.01 pool4),    s3 = double(s4) + score(0.0001 pool3)
        scores = 8 x bilinear(s3)

    `double` is a transposed convolution that begins as bilinear interpolation; the score layers begin at zero.

    Args:
        pictures: (B, H, W, 3), red, green and blue in 0..255, H and W multiples of 32.
        classes: L.

    Returns:
        Scores (B, H, W, L).

    Source: Long, Shelhamer, Darrell 2015 (arXiv 1411.4038, section 4) and, for training all depths at once, Shelhamer,
    Long, Darrell 2016 (arXiv 1605.06211).
    Differs: convolutions pad with zeros, so that nothing has to be cut to fit; the original pads the picture by 100
    pixels and cuts.
    """
    width = 64
    x = layers.Normalization(mean=_MEAN, variance=(1.0, 1.0, 1.0), name="centre")(pictures[..., ::-1])
    pools = {}
    for block, convolutions in enumerate(_BLOCKS, 1):
        for number in range(1, convolutions + 1):
            x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
        pools[block] = x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
        width = min(2 * width, 512)
    x = layers.Conv2D(_UNITS, 7, padding="same", activation="relu", name="fc6")(x)
    x = layers.Dropout(0.5, name="fc6_dropout")(x)
    x = layers.Conv2D(_UNITS, 1, activation="relu", name="fc7")(x)
    x = layers.Dropout(0.5, name="fc7_dropout")(x)
    y = _score(x, classes, "score_fc7")
    for block, scale in _SKIP_SCALES.items():
        double = layers.Conv2DTranspose(classes, 4, 2, padding="same", use_bias=False, name=f"double{block}")
        y = double(y)
        double.set_weights([_bilinear(classes)])
        side = layers.Rescaling(scale, name=f"pool{block}_scale")(pools[block])
        y = layers.Add(name=f"sum{block}")([y, _score(side, classes, f"score_pool{block}")])
    return Magnify(8, name="score_full")(y)


def load_vgg16(model, weights):
    """Fill the VGG16 part of an FCN-8s.

    Args:
        model: with the layers of `fcn8s_scores`.
        weights: a file of `keras.applications.VGG16`'s weights, with its top layers or without ("notop": then fc6 and
            fc7 stay as they are); or "imagenet", which downloads them.

    Raises:
        ValueError: the file holds no weights of VGG16.
    """
    try:
        top = weights == "imagenet" or os.path.getsize(weights) > _SMALLEST_WITH_TOP
        source = keras.applications.VGG16(include_top=top, weights=weights)
    except (OSError, ValueError) as error:
        raise ValueError(f"`weights` must be a file of VGG16's weights. Received: {weights}: {error}") from error
    for layer in source.layers:
        if layer.name.startswith("block") and layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    if top:
        for name, dense in (("fc6", "fc1"), ("fc7", "fc2")):
            kernel, bias = source.get_layer(dense).get_weights()
            model.get_layer(name).set_weights([kernel.reshape(model.get_layer(name).kernel.shape), bias])


def _score(x, classes, name):
    return layers.Conv2D(classes, 1, kernel_initializer="zeros", name=name)(x)


def _bilinear(classes):
    """The kernel (4, 4, L, L) of a transposed convolution that doubles each class by linear interpolation."""
    tent = np.array([0.25, 0.75, 0.75, 0.25], "float32")
    return np.einsum("i,j,kl->ijkl", tent, tent, np.eye(classes, dtype="float32"))
