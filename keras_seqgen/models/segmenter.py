"""A label for each pixel: a fully convolutional network, then mean-field steps of a fully connected CRF."""

import keras
import numpy as np

from keras_seqgen.layers.crf_rnn import CRFRNN
from keras_seqgen.layers.picture_size import CutToSize, PadToMultiple
from keras_seqgen.models import fcn8s, small_backbone

BACKBONES = {"small": small_backbone.small_scores, "vgg16": fcn8s.fcn8s_scores}
CRF = "crf"  # the name of the CRF's layer


def segmenter(
    classes,
    backbone="small",
    crf=True,
    iterations=5,
    theta_alpha=160.0,
    theta_beta=3.0,
    theta_gamma=3.0,
    weights=None,
):
    """The network that labels pictures.

        logits = CRFRNN([network(picture), picture])        or, without a CRF,        logits = network(picture)

    Args:
        classes: L, the number of labels.
        backbone: "vgg16" (FCN-8s, 134 M weights) or "small" (3.4 M, for a CPU).
        crf: whether the CRF follows.
        iterations, theta_alpha, theta_beta, theta_gamma: of `layers.CRFRNN`; thetas in pixels, theta_beta in levels of
            a colour.
        weights: for "vgg16": a file of `keras.applications.VGG16`'s weights, or "imagenet" to download them; `None`:
            random ones, and nothing is downloaded.

    Returns:
        An uncompiled `keras.Model`: {"image": (B, h, w, 3) float32, red, green and blue in 0..255, of any size} ->
        logits (B, h, w, L) float32.

    Raises:
        ValueError: `classes` is not positive, there is no such backbone, or `weights` do not belong to it.

    Example:

        >>> segmenter(11)({"image": np.zeros((1, 45, 60, 3))}).shape
        TensorShape([1, 45, 60, 11])

    Source: Zheng et al. 2015 (arXiv 1502.03240), section 5.
    """
    if classes < 1:
        raise ValueError(f"`classes` must be a positive integer. Received: classes={classes}")
    if backbone not in BACKBONES:
        raise ValueError(f"`backbone` must be one of {', '.join(BACKBONES)}. Received: backbone={backbone}")
    if weights is not None and backbone != "vgg16":
        raise ValueError(f"`weights` are those of vgg16. Received: backbone={backbone}")
    image = keras.Input((None, None, 3), name="image")
    padded = PadToMultiple(32, value=127.5, name="pad")(image)
    logits = CutToSize(dtype="float32", name="logits")([BACKBONES[backbone](padded, classes), image])
    model = keras.Model({"image": image}, logits, name="segmenter")
    if weights is not None:
        fcn8s.load_vgg16(model, weights)
    return with_crf(model, iterations, theta_alpha, theta_beta, theta_gamma) if crf else model


def with_crf(
    model, iterations=10, theta_alpha=160.0, theta_beta=3.0, theta_gamma=3.0, spatial_weight=3.0, bilateral_weight=5.0
):
    """A network over the same weights, followed by a CRF: untrained, that is post-processing.

    Args:
        model: a `segmenter` without a CRF.
        iterations, theta_alpha, theta_beta, theta_gamma, spatial_weight, bilateral_weight: see `crf_of`.

    Returns:
        A `keras.Model` with the same input -> logits (B, h, w, L).
    """
    logits = model.get_layer("logits").output
    crf = crf_of(logits.shape[-1], iterations, theta_alpha, theta_beta, theta_gamma, spatial_weight, bilateral_weight)
    return keras.Model(model.input, crf([logits, model.input["image"]]), name="segmenter")


def crf_of(
    classes,
    iterations=10,
    theta_alpha=160.0,
    theta_beta=3.0,
    theta_gamma=3.0,
    spatial_weight=3.0,
    bilateral_weight=5.0,
):
    """The CRF's layer, begun at a Potts model: Ws = spatial_weight I, Wb = bilateral_weight I, mu = -I.

    Args:
        classes: L.
        iterations, theta_alpha, theta_beta, theta_gamma: of `layers.CRFRNN`.
        spatial_weight, bilateral_weight: how much like labels count of near pixels, and of near ones of like colours.

    Returns:
        A `layers.CRFRNN`: [logits (B, h, w, L), pictures (B, h, w, 3) in 0..255] -> logits.

    Source: the values by default are those of the authors of Zheng et al. 2015 (arXiv 1502.03240).
    """
    thetas = {"theta_alpha": theta_alpha, "theta_beta": theta_beta, "theta_gamma": theta_gamma}
    layer = CRFRNN(iterations=iterations, **thetas, dtype="float32", name=CRF)
    layer.build([(None, None, None, classes), (None, None, None, 3)])
    one = np.eye(classes, dtype="float32")
    layer.set_weights([spatial_weight * one, bilateral_weight * one, -one])
    return layer


def fcn_part(model):
    """The network before the CRF, over the same weights: `model` itself if it has no CRF.

    Returns:
        A `keras.Model` with the same input -> logits (B, h, w, L).
    """
    return keras.Model(model.input, model.get_layer("logits").output) if has_crf(model) else model


def has_crf(model):
    """Whether a `segmenter` ends in a CRF."""
    return any(layer.name == CRF for layer in model.layers)


def copy_weights(source, target):
    """Start `target` from `source`, a segmenter of the same backbone and labels: the network's weights, and the CRF's
    where both have one.

    Raises:
        ValueError: the backbones or the numbers of labels differ.
    """
    names = [{layer.name for layer in fcn_part(model).layers if layer.weights} for model in (source, target)]
    if names[0] != names[1]:
        raise ValueError(f"the layers differ: {sorted(names[0] ^ names[1])}")
    for layer in target.layers:
        if layer.name in names[0] or (layer.name == CRF and has_crf(source)):
            layer.set_weights(source.get_layer(layer.name).get_weights())


def with_iterations(model, iterations):
    """The same layers, the CRF stepping another number of times: `model` over again if it has no CRF."""
    logits = model.get_layer("logits").output
    if has_crf(model):
        logits = model.get_layer(CRF)([logits, model.input["image"]], iterations=iterations)
    return keras.Model(model.input, logits)
