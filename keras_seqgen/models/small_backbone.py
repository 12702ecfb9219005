"""A small fully convolutional network that a CPU can train from scratch within an hour or two."""

from keras import layers

from keras_seqgen.layers.picture_size import Magnify

STRIDE = 32  # heights and widths must be multiples of this
_WIDTHS = (32, 64, 128, 192, 256)  # channels at strides 2, 4, 8, 16 and 32
_GROUPS = 8


def small_scores(pictures, classes):
    """Residual blocks down to stride 32, a light way back up to stride 4, scores brought to full size.

        down:  x1 = block(block(stem)), x2 = ..., x4 = block(x3)        strides 4, 8, 16, 32; 3 x 3 convolutions
        up:    y = conv(relu(double(y) + project(x_n)))                 bilinear doubling, n = 3, 2, 1
        scores = 4 x bilinear(1 x 1 convolution(y))

    Plain 3 x 3 convolutions at few pixels: that is what a CPU does fast; depthwise and dilated ones are slow there.
    Group normalisation makes a picture's result independent of its batch, in training too.

    Args:
        pictures: (B, H, W, 3) in 0..255, H and W multiples of 32.
        classes: L.

    Returns:
        Scores (B, H, W, L).

    Source: residual blocks of He et al. 2015 (arXiv 1512.03385); sums on the way up as in LinkNet (arXiv 1707.03718);
    group normalisation of Wu and He 2018 (arXiv 1803.08494).
    """
    x = layers.Rescaling(1 / 64, -2.0, name="scale")(pictures)
    x = _convolve(x, _WIDTHS[0], 3, "stem", strides=2)
    ways = []
    for stage, width in enumerate(_WIDTHS[1:], 1):
        x = _block(x, width, f"down{stage}a", strides=2)
        if stage < 4:
            x = _block(x, width, f"down{stage}b")
        ways.append(x)
    y = _convolve(ways[3], _WIDTHS[2], 1, "top")
    for stage in (3, 2, 1):
        width = min(_WIDTHS[stage], _WIDTHS[2])
        if y.shape[-1] != width:
            y = layers.Conv2D(width, 1, use_bias=False, name=f"narrow{stage}")(y)
        y = Magnify(2, name=f"double{stage}")(y)
        side = _convolve(ways[stage - 1], width, 1, f"side{stage}", activation=None)
        y = layers.Activation("relu", name=f"sum{stage}_relu")(layers.Add(name=f"sum{stage}")([y, side]))
        y = _convolve(y, width, 3, f"up{stage}")
    scores = layers.Conv2D(classes, 1, name="score")(y)
    return Magnify(4, name="score_full")(scores)


def _convolve(x, width, size, name, strides=1, activation="relu"):
    """Convolution, normalisation, activation."""
    x = layers.Conv2D(
        width, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    x = layers.GroupNormalization(_GROUPS, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def _block(x, width, name, strides=1):
    """relu(x + two convolutions of x), x projected where its size changes."""
    y = _convolve(x, width, 3, f"{name}_1", strides)
    y = _convolve(y, width, 3, f"{name}_2", activation=None)
    if strides != 1:
        x = _convolve(x, width, 1, f"{name}_skip", strides, activation=None)
    return layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=name)([x, y]))
