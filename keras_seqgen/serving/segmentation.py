"""A network that labels pictures as a SavedModel: `segment` takes files, `segment_pixels` takes arrays.

By the conventions of TensorFlow Serving every input has the batch as its first dimension; a row's result depends on
that row alone: each picture is labelled by itself, whatever the sizes of the others. A row that cannot be labelled does
not fail the batch: its `error` says why, and its height and width are 0. Else `error` is the empty string.

Whether a row is refused because the batch is too large does depend on the batch: all rows, those with an error too, are
padded to the height of the tallest and the width of the widest picture. In the order of the request, a row is refused
if with it the rows x that height x that width would be more than `MAX_BATCH_PIXELS`; a refused row counts as a row, its
size does not count.

All operations are TensorFlow's own, none calls Python; a server that has them needs nothing else. On a CPU, set
TF_ENABLE_ONEDNN_SPMM=1 in the server's environment: the CRF then takes less than half the time.

Without a GPU kernel are, once for each picture and before the network: `DecodeImage`, `ExtractJpegShape`, `DecodeRaw`,
`Substr` and `StringJoin`, which read files, and whatever else holds strings: files and errors. The network, the lattice
and the mean-field steps have kernels for a GPU. TensorFlow keeps 32-bit whole numbers on the host there: sizes, and,
while a picture's lattice is built, the numbers of its vertices (`InvertPermutation`, `TensorScatterUpdate`, sums).
"""

import json

import tensorflow as tf

from keras_seqgen.data.labelled_image import decode_picture
from keras_seqgen.serving.picture_files import is_png, picture_size
from keras_seqgen.serving.version_writer import module_of, write_version

_NOT_FINITE = "the result is not finite: the picture is too large for the CRF's lattice, or the weights are not finite"
_TOO_LARGE = (
    "the batch is too large: its rows, padded to its largest picture, may have {} pixels together; "
    "send fewer rows, or pictures of like size"
)
MAX_PIXELS = 2**21  # of a picture: the CRF takes about 1.3 kB a pixel
MAX_BATCH_PIXELS = 2**22  # of all rows of a request, padded: each takes 4 bytes for its label and for each probability


class SegmentationSignatures:
    """The signatures of a `models.segmenter`, as `tf.function`s of raw inputs.

    Args:
        model: {"image": (B, h, w, 3)} -> logits (B, h, w, L).
        max_pixels: of a picture; a larger one is an error.
        max_batch_pixels: of all rows together, padded; at least `max_pixels`, so that each picture alone is labelled.

    Source: Zheng et al. 2015 (arXiv 1502.03240).
    """

    def __init__(self, model, max_pixels=MAX_PIXELS, max_batch_pixels=MAX_BATCH_PIXELS):
        self._model, self._max_pixels = model, max_pixels
        self._max_batch_pixels = max(max_pixels, max_batch_pixels)
        self._labels = model.output.shape[-1]

    def trace(self):
        """What `write_version` takes: a `tf.Module`, and a dict name -> concrete function; `segment` is the default."""
        functions = {
            "segment": self.segment.get_concrete_function(),
            "segment_pixels": self.segment_pixels.get_concrete_function(),
        }
        return module_of(functions.values()), {"serving_default": functions["segment"], **functions}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "image")], autograph=False)
    def segment(self, image):
        """Label encoded pictures.

        Args:
            image: (B,) strings, each a JPEG or PNG of any size. A file that is cut short fails the request.

        Returns:
            labels (B, H, W) int32 and probabilities (B, H, W, L) float32, H and W those of the largest picture, zeros
            beyond a row's own height and width, (B,) int32; error (B,) strings. B H W is at most `max_batch_pixels`:
            in the order of the request, a row with which it would be more is an error.
        """
        error, size = tf.map_fn(
            self._inspect, image, fn_output_signature=(tf.TensorSpec((), tf.string), tf.TensorSpec((2,), tf.int32))
        )
        return self._rows(image, decode_picture, error, size)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, "image")], autograph=False)
    def segment_pixels(self, image):
        """Label pictures of one size.

        Args:
            image: (B, h, w, 3) float32; red, green and blue in 0..255.

        Returns:
            As `segment`.
        """
        rows = tf.shape(image)[0]
        size = tf.tile(tf.shape(image)[None, 1:3], [rows, 1])
        finite = tf.reduce_all(tf.math.is_finite(image), axis=[1, 2, 3])
        error = tf.where(finite, self._size_error(size), "`image` must be finite")
        return self._rows(image, tf.identity, error, tf.where((error == "")[:, None], size, 0))

    def _rows(self, image, decode, error, size):
        """Each row by itself, padded to the largest.

        Args:
            image: (B, ...). decode: a row of it -> (h, w, 3). error: (B,) strings. size: (B, 2) int32, 0 for an error.
        """
        error, size = self._bounded(error, size)
        height, width = tf.unstack(tf.reduce_max(size, axis=0))

        def one(element):
            row, message, (h, w) = element
            found = tf.cond(message == "", lambda: self._probabilities(decode(row)), self._nothing)
            room = [[0, height - h], [0, width - w]]
            finite = tf.reduce_all(tf.math.is_finite(found))
            found = tf.where(finite, found, 0.0)
            labels = tf.argmax(found, axis=-1, output_type=tf.int32)
            return tf.pad(labels, room), tf.pad(found, [*room, [0, 0]]), finite

        kinds = (
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None, self._labels), tf.float32),
            tf.TensorSpec((), tf.bool),
        )
        parts = (image, error, tuple(tf.unstack(size, axis=1)))
        labels, probabilities, finite = tf.cond(
            tf.size(error) > 0,
            lambda: tf.map_fn(one, parts, fn_output_signature=kinds, parallel_iterations=1),
            lambda: (tf.zeros([0, 0, 0], tf.int32), tf.zeros([0, 0, 0, self._labels]), tf.zeros([0], tf.bool)),
        )  # `map_fn` cannot stack no rows at all
        error = tf.where(finite, error, _NOT_FINITE)
        size = tf.where(finite[:, None], size, 0)
        sizes = {"height": size[:, 0], "width": size[:, 1]}
        return {"labels": labels, "probabilities": probabilities, **sizes, "error": error}

    def _bounded(self, error, size):
        """Refuses, in their order, the rows with which the padded batch would have too many pixels.

        Args:
            error: (B,) strings. size: (B, 2) int32.

        Returns:
            Both, with the error and zeros for what is refused.
        """
        most = self._max_batch_pixels // tf.maximum(tf.size(error, tf.int64), 1)  # of one padded row

        def widen(room, row):
            wider = tf.maximum(room, row)
            return tf.where(tf.reduce_prod(wider) <= most, wider, room)

        wanted = tf.cast(size, tf.int64)
        room = tf.scan(widen, wanted, tf.zeros([2], tf.int64))
        fits = tf.reduce_all(wanted <= room, axis=1)
        return tf.where(fits, error, _TOO_LARGE.format(self._max_batch_pixels)), tf.where(fits[:, None], size, 0)

    def _probabilities(self, picture):
        logits = self._model({"image": picture[None]}, training=False)
        return tf.ensure_shape(tf.nn.softmax(tf.cast(logits[0], tf.float32)), [None, None, self._labels])

    def _nothing(self):
        return tf.zeros([0, 0, self._labels])

    def _inspect(self, encoded):
        """What is wrong with a file, and its size by its header: string scalar, (2,) int32, zeros where it is wrong."""
        size = picture_size(encoded)
        known = tf.io.is_jpeg(encoded) | is_png(encoded)
        error = tf.where(known, self._size_error(size[None])[0], "`image` must be the bytes of a JPEG or PNG")
        return error, tf.where(error == "", size, 0)

    def _size_error(self, size):
        """(B, 2) -> (B,) strings."""
        pixels = tf.reduce_prod(tf.cast(size, tf.int64), axis=1)
        fits = (pixels > 0) & (pixels <= self._max_pixels)
        return tf.where(fits, "", f"`image` must have 1 to {self._max_pixels} pixels")


def export_segmentation(model, labels, folder, card, max_pixels=MAX_PIXELS):
    """Write the next version of a SavedModel that labels pictures (`version_writer.write_version`).

    Args:
        model: of `models.segmenter`, trained; its CRF steps as often as it is to step for clients.
        labels: a `data.label_set.LabelSet`.
        folder: `saved_models/NAME`; made if it does not exist.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.
        max_pixels: of a picture.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: the card is empty, or the model knows another number of labels.
    """
    if model.output.shape[-1] != labels.count:
        raise ValueError(f"`labels` must be {model.output.shape[-1]}, as the model's are. Received: {labels.count}")
    module, signatures = SegmentationSignatures(model, max_pixels).trace()
    names = ", ".join(f"{number} {labels.name(number)}" for number in range(labels.count))
    card = f"{card.rstrip()}\n\n## Labels\n\n{names}\n" if card.strip() else card
    description = json.dumps({"system": "segmentation", "max_pixels": max_pixels}, indent=1) + "\n"
    extra = {"model.json": description, "labels.json": labels.to_json()}
    return write_version(folder, module, signatures, card, extra)
