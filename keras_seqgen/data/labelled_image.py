"""A picture with a label for each pixel as a `tf.train.Example` and back: the one place that knows the features."""

from dataclasses import dataclass

from keras_seqgen.data.examples import serialize_example


@dataclass(frozen=True)
class LabelledImage:
    """A picture with its labels, both encoded.

    name: unique within the corpus. image: JPEG or PNG bytes. label: an 8-bit grey PNG whose values are labels.
    height, width: of both, in pixels.
    """

    name: str
    image: bytes
    label: bytes
    height: int
    width: int


def to_example(record: LabelledImage) -> bytes:
    """A serialized `tf.train.Example`: name, image, label (bytes), height, width (integers)."""
    return serialize_example({**vars(record), "name": record.name.encode("utf-8")})


def from_example(serialized: bytes) -> LabelledImage:
    """The inverse of `to_example`."""
    import tensorflow as tf

    feature = tf.train.Example.FromString(serialized).features.feature
    name, image, label = (feature[key].bytes_list.value[0] for key in ("name", "image", "label"))
    height, width = (feature[key].int64_list.value[0] for key in ("height", "width"))
    return LabelledImage(name.decode("utf-8"), image, label, height, width)


def parse(serialized):
    """The same inside `tf.data`, of one record.

    Args:
        serialized: string scalar.

    Returns:
        name: string scalar; image: float32 (h, w, 3) in 0..255; label: int32 (h, w).
    """
    import tensorflow as tf

    kinds = {"name": tf.string, "image": tf.string, "label": tf.string}
    record = tf.io.parse_single_example(
        serialized, {key: tf.io.FixedLenFeature([], kind) for key, kind in kinds.items()}
    )
    label = tf.io.decode_png(record["label"], channels=1)[..., 0]
    return {
        "name": record["name"],
        "image": decode_picture(record["image"]),
        "label": tf.cast(label, tf.int32),
    }


def parse_size(serialized):
    """Height and width of one serialized record, cheaply: int64 (2,)."""
    import tensorflow as tf

    size = tf.io.FixedLenFeature([], tf.int64)
    record = tf.io.parse_single_example(serialized, {"height": size, "width": size})
    return tf.stack([record["height"], record["width"]])


def decode_picture(encoded):
    """Bytes of a JPEG or PNG -> float32 (h, w, 3), red, green and blue in 0..255; inside `tf.data` and in servers.

    A grey picture gets three equal channels, transparency is dropped, 16 bits become 8.
    """
    import tensorflow as tf

    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(tf.cast(picture, tf.float32), [None, None, 3])
