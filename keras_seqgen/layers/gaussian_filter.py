"""Normalised Gaussian filters over the pixels of an image: near in position, or near in position and in colour."""

import math

import keras
import numpy as np
from keras import ops


def normalised(apply, adjoint, values, mask=None):
    """Turn a linear filter F into a weighted mean.

        filter(x) = F(m x) / F(m) where m is 1, and 0 where it is 0; m = 1 without a mask

    Args:
        apply, adjoint: functions of a tensor shaped like `values`: F and its transpose.
        values: (B, ..., L), a tensor of the shape and dtype to come.
        mask: boolean (B, ...) or `None`.

    Returns:
        A function, (B, ..., L) -> (B, ..., L). Its gradient is its exact adjoint, with respect to x only: what F was
        made from counts as fixed.
    """

    def keep(x):
        return x if mask is None else ops.where(mask[..., None], x, ops.zeros_like(x))

    scale = keep(1.0 / apply(keep(ops.ones_like(values[..., :1]))))

    @ops.custom_gradient
    def weighted_mean(x):
        def backward(*args, upstream=None):
            if upstream is None:
                (upstream,) = args
            return keep(adjoint(upstream * scale))

        return apply(keep(x)) * scale, backward

    return weighted_mean


def position_filter(theta, values, mask=None):
    """The filter whose features are the positions only: an exact separable convolution.

        F(x)_p = sum_q exp(-|p - q|^2 / (2 theta^2)) x_q,    p, q pixels of an image or of a volume

    Taps beyond 5 theta, each below 4e-6, are left out.

    Args:
        theta: in pixels.
        values, mask: as for `normalised`.

    Returns:
        As `normalised`.
    """
    radius = math.ceil(5 * theta)
    taps = np.exp(-(np.arange(-radius, radius + 1.0) ** 2) / (2 * theta**2))

    def convolve(x):
        whole = ops.shape(x)
        kernel = ops.cast(np.tile(taps[:, None, None, None], (1, 1, whole[-1], 1)), x.dtype)
        *outer, last = whole[1:-1]
        for axis, size in enumerate(outer, start=1):
            x = ops.reshape(x, (-1, size, math.prod(whole[axis + 1 : -1]), whole[-1]))
            x = ops.depthwise_conv(x, kernel, padding="same", data_format="channels_last")
        x = ops.reshape(x, (1, -1, last, whole[-1]))
        x = ops.depthwise_conv(x, ops.swapaxes(kernel, 0, 1), padding="same", data_format="channels_last")
        return ops.reshape(x, whole)

    return normalised(convolve, convolve, values, mask)


def colour_filter(theta_position, theta_colour, image, values, mask=None, exact=False):
    """The filter whose features are the positions and the image's channels: bilateral, it stops at edges.

        F(x)_p = sum_q exp(-|p - q|^2 / (2 theta_position^2) - |I_p - I_q|^2 / (2 theta_colour^2)) x_q

    Args:
        theta_position: in pixels.
        theta_colour: in the image's unit.
        image: (B, ..., C).
        values, mask: as for `normalised`.
        exact: sum over every pair of pixels: time and memory grow with the square of their number, so for images of a
            few thousand. Otherwise a permutohedral lattice sums approximately and in linear time, for one image (B = 1)
            and on the TensorFlow backend only.

    Returns:
        As `normalised`.
    """
    features = _features(theta_position, theta_colour, image, mask)
    if exact:
        kernel = ops.exp(-0.5 * sum(ops.square(f[:, :, None] - f[:, None, :]) for f in ops.unstack(features, axis=1)))
        apply = adjoint = _over_pixels(lambda x: ops.matmul(kernel, x))
    else:
        from keras_seqgen.layers.lattice_filter import Lattice  # the one file that needs TensorFlow

        lattice = Lattice(features[0])
        apply = _over_pixels(lambda x: lattice.apply(x[0])[None])
        adjoint = _over_pixels(lambda x: lattice.adjoint(x[0])[None])
    return normalised(apply, adjoint, values, mask)


def _features(theta_position, theta_colour, image, mask):
    """(B, d, N): positions from the last axis to the first, then the channels, each over its theta."""
    whole = ops.shape(image)
    axes = [ops.cast(ops.arange(size), image.dtype) / theta_position for size in whole[1:-1]]
    positions = [ops.broadcast_to(p, whole[:-1]) for p in reversed(ops.meshgrid(*axes, indexing="ij"))]
    colours = ops.unstack(image / theta_colour, whole[-1], axis=-1)
    features = ops.stack([ops.reshape(f, (whole[0], -1)) for f in (*positions, *colours)], axis=1)
    if mask is None:
        return features
    # A void pixel takes a real one's place: vertices of its own would be bridges over which real pixels blur.
    real = ops.reshape(mask, (whole[0], 1, -1))
    first = ops.argmax(ops.cast(real, "int32"), axis=-1, keepdims=True)
    return ops.where(real, features, ops.take_along_axis(features, first, axis=-1))


def _over_pixels(function):
    """Let a function of (B, N, L) take and return (B, ..., L)."""

    def of_images(x):
        whole = ops.shape(x)
        return ops.reshape(function(ops.reshape(x, (whole[0], -1, whole[-1]))), whole)

    return of_images


def map_images(function, tensors, exact):
    """Call `function(**tensors)`: the whole batch at once where `exact`, else, for the lattice, image after image."""
    if exact:
        return function(**tensors)
    if keras.backend.backend() != "tensorflow":
        raise NotImplementedError(
            "The permutohedral lattice needs the TensorFlow backend; on any other take `exact=True`. "
            f"Received: backend={keras.backend.backend()}"
        )
    from keras_seqgen.layers.lattice_filter import one_by_one

    return one_by_one(function, tensors)


def pixel_tensors(dtype, mask, **tensors):
    """What a filter layer was called with, by name: in `dtype`, float32 at the least, and the mask if there is one.

    Raises:
        ValueError: in TensorFlow's eager mode, a value that is not masked is not finite. A graph cannot raise.
    """
    tensors = {name: ops.cast(x, keras.backend.result_type(dtype, "float32")) for name, x in tensors.items()}
    if isinstance(mask, (list, tuple)):
        mask = mask[0]  # Keras hands on one mask for each input
    for name, tensor in tensors.items():
        if hasattr(tensor, "numpy"):
            finite = np.isfinite(tensor.numpy()).all(axis=-1)
            if not (finite if mask is None else finite | ~np.asarray(mask, bool)).all():
                raise ValueError(f"`{name}` must be finite. Received: NaN or infinity at {np.sum(~finite)} pixels")
    return tensors if mask is None else {**tensors, "mask": ops.cast(mask, "bool")}


def positive(name, value):
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"`{name}` must be a positive number. Received: {name}={value}")
    return float(value)


@keras.saving.register_keras_serializable(package="keras_seqgen")
class GaussianFilter(keras.layers.Layer):
    """A normalised Gaussian filter: each pixel gets a weighted mean over all.

        y_p = sum_q k(p, q) x_q / sum_q k(p, q)
        k(p, q) = exp(-|p - q|^2 / (2 theta_position^2) - |I_p - I_q|^2 / (2 theta_colour^2))

    Args:
        theta_position: standard deviation in position, in pixels.
        theta_colour: standard deviation in colour, in the image's unit. `None`: no image, the positions alone count.
        exact: with an image, sum over every pair of pixels in place of the permutohedral lattice: for small images.

    Call: values (B, ..., L), or [values, image (B, ..., C)] -> (B, ..., L); "..." are the sizes of an image or of a
    volume, none of them fixed. `mask` (B, ...), boolean: void pixels, where it is false, give nothing and get 0. Inside
    it is float32 at the least. The gradient with respect to the values is exact; none reaches the image.

    Raises:
        ValueError: a theta is not positive; in eager mode, the image is not finite or spans too many cells of the
            lattice. In a graph such an image's result is NaN, and the others of its batch are as they would be alone.
        NotImplementedError: a lattice is wanted on another backend than TensorFlow.

    Example:

        >>> GaussianFilter(160.0, 3.0)([probabilities, image])

    Source: Adams, Baek and Davis 2010; the quotient: Kraehenbuehl and Koltun 2011 (arXiv 1210.5644), section 3.
    """

    def __init__(self, theta_position, theta_colour=None, exact=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.theta_position = positive("theta_position", theta_position)
        self.theta_colour = None if theta_colour is None else positive("theta_colour", theta_colour)
        self.exact = exact
        self.supports_jit = exact or theta_colour is None  # XLA has no lattice
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if self.theta_colour is None:
            values = pixel_tensors(self.compute_dtype, mask, values=inputs)
            smooth = position_filter(self.theta_position, **values)(values["values"])
        else:
            values, image = inputs
            tensors = pixel_tensors(self.compute_dtype, mask, values=values, image=image)
            smooth = map_images(self._filter_colours, tensors, self.exact)
        return ops.cast(smooth, self.compute_dtype)

    def _filter_colours(self, values, image, mask=None):
        return colour_filter(self.theta_position, self.theta_colour, image, values, mask, self.exact)(values)

    def compute_output_shape(self, input_shape):
        return input_shape if self.theta_colour is None else input_shape[0]

    def get_config(self):
        thetas = {"theta_position": self.theta_position, "theta_colour": self.theta_colour}
        return {**super().get_config(), **thetas, "exact": self.exact}
