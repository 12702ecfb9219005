"""A conditional random field over the pixels of an image, its mean-field inference unrolled into a layer."""

import keras
from keras import ops

from keras_seqgen.layers.gaussian_filter import colour_filter, map_images, pixel_tensors, position_filter, positive


def mean_field(unary, filters, kernels, iterations):
    """Mean-field inference, T steps from q = unary.

        p = softmax(q)
        q = unary - sum_f filter_f(p kernel_f)

    The kernels mix labels and the filters pixels, so the order of the two is free; in this one the gradients of kernels
    and filters need p alone, which is all that a step keeps for the way back.

    Args:
        unary: (B, ..., L) logits.
        filters: functions, (B, ..., L) -> (B, ..., L).
        kernels: as many matrices (L, L), applied from the right.
        iterations: T.

    Returns:
        q (B, ..., L), logits, not normalised.
    """
    q = unary
    for _ in range(iterations):
        p = ops.softmax(q)
        q = unary
        for smooth, kernel in zip(filters, kernels, strict=True):
            q = q - smooth(ops.matmul(p, kernel))
    return q


@keras.saving.register_keras_serializable(package="keras_seqgen")
class CRFRNN(keras.layers.Layer):
    """Labels pull at the labels of pixels nearby and of pixels nearby in place and colour: a fully connected CRF.

        q = U
        T times:  p = softmax(q),  m = Ws s(p) + Wb b(p),  q = U - mu m

    U are the logits. s and b are normalised Gaussian filters of the labels' probabilities: s over positions
    (theta_gamma, an exact separable convolution), b over positions and colours (theta_alpha and theta_beta, a
    permutohedral lattice, built once per image and call). The L x L matrices Ws, Wb and mu act on each pixel's vector
    of labels and are trained. At first Ws = 3 I, Wb = 5 I and mu = -I: equal labels attract each other, different ones
    do nothing.

    The published loss is a sum over pixels. With a mean its learning rates translate to about 2.5e-4 for Ws and Wb and
    2.5e-5 for mu (momentum 0.99). Train the network below first, without this layer.

    Args:
        iterations: T of the calls that do not say: 5 to train, 10 to test.
        theta_alpha: reach of the colour filter, in pixels.
        theta_beta: its tolerance in colour, in the image's unit (0..255).
        theta_gamma: reach of the position filter, in pixels.
        exact: the colour filter by brute force over all pairs of pixels: for images of a few thousand pixels, and for
            other backends than TensorFlow.

    Call: [logits (B, ..., L), image (B, ..., C) in 0..255] -> logits (B, ..., L), not normalised. "..." are height and
    width, or a volume's depth, height and width, none of them fixed. Any number of labels; channels and axes together
    make up to about nine features. `iterations=` overrides T. `mask` (B, ...), boolean: void pixels, where it is false,
    send and receive nothing, and their logits come back unchanged. Computed in float32 at the least, returned in the
    compute dtype. Gradients reach logits and weights; image and thetas are constants.

    The images of a batch are treated one after another: the memory is that of one, and its result its own alone.

    Raises:
        ValueError: a theta or T is out of range; the inputs' sizes differ, in a graph those that it knows; in eager
            mode, an input is not finite, or an image spans too many cells of the lattice. In a graph such an image's
            result is NaN, and no other's is.
        NotImplementedError: on another backend than TensorFlow, unless `exact`.

    Example:

        >>> crf = CRFRNN(iterations=5)
        >>> refined = crf([logits, image], iterations=10)

    Differs: the published code approximates s, too, on a lattice.

    Source: Zheng et al. 2015 (arXiv 1502.03240), section 4; Kraehenbuehl and Koltun 2011 (arXiv 1210.5644).
    """

    def __init__(self, iterations=5, theta_alpha=160.0, theta_beta=3.0, theta_gamma=3.0, exact=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.iterations = whole("iterations", iterations)
        self.theta_alpha = positive("theta_alpha", theta_alpha)
        self.theta_beta = positive("theta_beta", theta_beta)
        self.theta_gamma = positive("theta_gamma", theta_gamma)
        self.exact = exact
        self.supports_jit = exact  # XLA has no lattice
        self.supports_masking = True

    def build(self, input_shape):
        logits, image = input_shape
        check_sizes(logits, image)
        self.spatial_weights = self._add_matrix("spatial_weights", logits[-1], 3.0)
        self.bilateral_weights = self._add_matrix("bilateral_weights", logits[-1], 5.0)
        self.compatibility = self._add_matrix("compatibility", logits[-1], -1.0)

    def _add_matrix(self, name, labels, diagonal):
        return self.add_weight(shape=(labels, labels), initializer=keras.initializers.Identity(diagonal), name=name)

    def call(self, inputs, mask=None, iterations=None):
        iterations = self.iterations if iterations is None else whole("iterations", iterations)
        logits, image = inputs
        check_sizes(logits.shape, image.shape)
        tensors = pixel_tensors(self.compute_dtype, mask, logits=logits, image=image)

        def matrix(weight):
            return ops.cast(weight, tensors["logits"].dtype)

        # A pixel's labels are a row here, a column in the paper: its matrices are transposed and act from the right.
        kernels = [
            ops.transpose(ops.matmul(matrix(self.compatibility), matrix(weight)))
            for weight in (self.spatial_weights, self.bilateral_weights)
        ]

        def infer(logits, image, mask=None):
            spatial = position_filter(self.theta_gamma, logits, mask)
            bilateral = colour_filter(self.theta_alpha, self.theta_beta, image, logits, mask, self.exact)
            if mask is None:
                return mean_field(logits, [spatial, bilateral], kernels, iterations)
            real = mask[..., None]  # a void logit may be NaN, and 0 NaN = NaN would reach the weights' gradients
            unary = ops.where(real, logits, ops.zeros_like(logits))
            return ops.where(real, mean_field(unary, [spatial, bilateral], kernels, iterations), logits)

        return ops.cast(map_images(infer, tensors, self.exact), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        names = "iterations", "theta_alpha", "theta_beta", "theta_gamma", "exact"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def check_sizes(logits, image):
    """Raises a `ValueError` where two shapes differ in more than the last size; `None` may be any."""
    logits, image = tuple(logits), tuple(image)
    if len(logits) != len(image) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(logits[:-1], image[:-1], strict=True)
    ):
        raise ValueError(
            "`inputs` must be [logits (B, ..., L), image (B, ..., C)] of the same sizes. "
            f"Received: shapes {logits} and {image}"
        )


def whole(name, value):
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"`{name}` must be a whole number, 0 or more. Received: {name}={value}")
    return value
