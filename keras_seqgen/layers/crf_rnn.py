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
    """A fully connected conditional random field as a recurrent layer: labels of pixels that are near each other, and
    near each other in colour, pull together.

        q = U;  T times:  p = softmax(q);  m = Ws s(p) + Wb b(p);  q = U - mu m

    U are the logits, s and b the normalised Gaussian filters of the labels' probabilities: s over positions
    (theta_gamma, an exact separable convolution), b over positions and colours together (theta_alpha, theta_beta, a
    permutohedral lattice, built once per image and call). The L x L matrices Ws, Wb and mu act on the vector of labels
    of each pixel and are trained. Ws = 3 I, Wb = 5 I and mu = -I at first: equal labels attract, different ones ignore
    each other.

    The loss of the published training is a sum over pixels: with a mean its learning rates translate to about 2.5e-4
    for Ws and Wb and 2.5e-5 for mu (momentum 0.99). Train the network below first, without this layer.

    Args:
        iterations: T of a call that does not say otherwise: 5 to train, 10 to test.
        theta_alpha: reach of the colour filter in pixels.
        theta_beta: tolerance of the colour filter, in the image's unit (0..255).
        theta_gamma: reach of the position filter in pixels.
        exact: the colour filter by brute force over all pairs of pixels, for images of a few thousand pixels and for
            other backends than TensorFlow.

    Call: [logits (B, ..., L), image (B, ..., C) in 0..255] -> logits (B, ..., L), not normalised; "..." are height and
    width, or depth, height and width of a volume, none of them fixed; any L >= 2 and C >= 1 (the lattice takes about
    nine features, positions and channels together). `iterations=` overrides T. `mask` (B, ...), boolean: void pixels,
    where it is false, neither give nor get messages, their logits come back unchanged. Computes in float32 at the least
    and returns the layer's compute dtype. Gradients reach logits and weights; image and thetas are constants.

    Images are treated one after another: memory is that of one image, and its result does not depend on its batch.

    Raises:
        ValueError: a theta or T is out of range; the inputs' sizes differ; in eager mode, an input is not finite, or an
            image spans too many cells of the lattice. In a graph the result of such an image, and only its, is NaN.
        NotImplementedError: on another backend than TensorFlow, unless `exact`.

    Example:

        >>> crf = CRFRNN(theta_alpha=160.0, theta_beta=3.0, theta_gamma=3.0)
        >>> refined = crf([logits, image], iterations=10)

    Differs: the published code truncates nothing in s but computes it on a lattice, approximately; here it is exact.

    Source: Zheng et al. 2015 (arXiv 1502.03240), section 4; Kraehenbuehl and Koltun 2011 (arXiv 1210.5644).
    """

    def __init__(self, iterations=5, theta_alpha=160.0, theta_beta=3.0, theta_gamma=3.0, exact=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.iterations = _count(iterations)
        self.theta_alpha = positive("theta_alpha", theta_alpha)
        self.theta_beta = positive("theta_beta", theta_beta)
        self.theta_gamma = positive("theta_gamma", theta_gamma)
        self.exact = exact
        self.supports_jit = exact  # XLA has no lattice

    def build(self, input_shape):
        logits, image = input_shape
        if len(logits) != len(image) or any(
            None not in (a, b) and a != b for a, b in zip(logits[:-1], image[:-1], strict=True)
        ):
            raise ValueError(
                f"`inputs` must be [logits (B, ..., L), image (B, ..., C)] of the same sizes. Received: {input_shape}"
            )
        shape = (logits[-1], logits[-1])
        self.spatial_weights = self.add_weight(shape=shape, initializer=_scaled_identity(3.0), name="spatial_weights")
        self.bilateral_weights = self.add_weight(
            shape=shape, initializer=_scaled_identity(5.0), name="bilateral_weights"
        )
        self.compatibility = self.add_weight(shape=shape, initializer=_scaled_identity(-1.0), name="compatibility")

    def call(self, inputs, mask=None, iterations=None):
        iterations = self.iterations if iterations is None else _count(iterations)
        logits, image = inputs
        tensors = pixel_tensors(self.compute_dtype, mask, logits=logits, image=image)
        weights = (
            ops.cast(w, tensors["logits"].dtype)
            for w in (self.compatibility, self.spatial_weights, self.bilateral_weights)
        )
        mu, Ws, Wb = weights
        # Vectors of labels are rows here, columns in the paper.
        kernels = [ops.transpose(ops.matmul(mu, W)) for W in (Ws, Wb)]

        def infer(logits, image, mask=None):
            spatial = position_filter(self.theta_gamma, logits, mask)
            bilateral = colour_filter(self.theta_alpha, self.theta_beta, image, logits, mask, self.exact)
            return mean_field(logits, [spatial, bilateral], kernels, iterations)

        return ops.cast(map_images(infer, tensors, self.exact), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        names = "iterations", "theta_alpha", "theta_beta", "theta_gamma", "exact"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _count(iterations):
    if not isinstance(iterations, int) or iterations < 0:
        raise ValueError(f"`iterations` must be a whole number, 0 or more. Received: iterations={iterations}")
    return iterations


def _scaled_identity(factor):
    return keras.initializers.Identity(factor)
