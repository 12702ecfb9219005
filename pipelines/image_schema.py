"""`schema.pbtxt` of labelled pictures, as a TensorFlow Metadata schema."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.label_set import LabelSet
from pipelines.image_summary import ImageSummary


def schema_text(summary: ImageSummary, labels: LabelSet) -> str:
    """The content of `schema.pbtxt`: the records' features, and the values of the pixels of `label`."""
    schema = schema_pb2.Schema()
    sizes = [size for split in summary.splits.values() for size in split.sizes] or [(0, 0)]
    for name, kind in (("name", "BYTES"), ("image", "BYTES"), ("label", "BYTES"), ("height", "INT"), ("width", "INT")):
        feature = schema.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
        feature.presence.min_fraction = 1.0
        feature.shape.SetInParent()
        if name in ("image", "label"):
            feature.image_domain.SetInParent()
        if kind == "INT":
            values = [size[name == "width"] for size in sizes]
            feature.int_domain.min, feature.int_domain.max = min(values), max(values)
    derived = schema_pb2.LifecycleStage.Value("VALIDATION_DERIVED")
    value = schema.feature.add(name="label_value", type=schema_pb2.INT, lifecycle_stage=derived)
    value.int_domain.min, value.int_domain.max, value.int_domain.is_categorical = 0, labels.count - 1, True
    if labels.names:
        schema.string_domain.add(name="classes", value=labels.names)
    return text_format.MessageToString(schema)
