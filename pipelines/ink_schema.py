"""`schema.pbtxt`: what prepared data look like, as a TensorFlow Metadata schema; and the check of new data against one.

The features of the records stand in it by their names. Beside them stand measures of a line that are checked but not
stored (life-cycle stage VALIDATION_DERIVED): points per character, share of pen lifts, length of steps, and the share
of dead letters in the corpus.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.schema import InkLine
from keras_seqgen.errors import UserError
from pipelines.summary import SplitSummary, Summary, line_measures

SLACK = 2.0  # ranges of the training lines are widened by this factor: an anomaly is a stranger, not an extreme
_LEAST_DEAD_RATE = 0.01
_INTEGERS = ("length", "text_length")


def to_schema(summary: Summary) -> schema_pb2.Schema:
    """The schema of a prepared corpus. Ranges come from the training split; the alphabet has every character."""
    train = summary.splits.get("train", SplitSummary())
    schema = schema_pb2.Schema()
    schema.string_domain.add(name="alphabet", value=summary.alphabet)
    for name, kind in (
        ("name", "BYTES"),
        ("writer", "BYTES"),
        ("text", "BYTES"),
        ("strokes", "FLOAT"),
        ("length", "INT"),
    ):
        feature = schema.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
        complete = {"writer": train.with_writer, "text": train.with_text}.get(name, train.lines) == train.lines
        feature.presence.min_fraction = 1.0 if complete else 0.0
        if name == "strokes":
            feature.value_count.min = 3
        else:
            feature.shape.SetInParent()
    text = schema.feature[2].natural_language_domain
    text.vocabulary = "alphabet"
    text.coverage.min_coverage = 1.0
    for name, bounds in sorted(_ranges(summary, train).items()):
        derived = schema_pb2.LifecycleStage.Value("VALIDATION_DERIVED")
        feature = schema.feature[4] if name == "length" else schema.feature.add(name=name, lifecycle_stage=derived)
        if name in _INTEGERS:
            feature.type = schema_pb2.INT
            feature.int_domain.min, feature.int_domain.max = math.floor(bounds[0]), math.ceil(bounds[1])
        else:
            feature.type = schema_pb2.FLOAT
            feature.float_domain.min, feature.float_domain.max = bounds
    return schema


def _ranges(summary: Summary, train: SplitSummary) -> dict[str, tuple[float, float]]:
    ranges = {
        name: (low / SLACK, high * SLACK) for name, (low, high) in train.ranges.items() if name not in ("dx", "dy")
    }
    counts = summary.records
    rate = counts["dead"] / max(counts["in"], 1)
    return ranges | {"dead_letter_rate": (0.0, min(1.0, max(_LEAST_DEAD_RATE, SLACK * rate)))}


@dataclass(frozen=True)
class Rules:
    """What a schema allows: the characters, the range of each measure, the features that no line may lack."""

    alphabet: frozenset[str]
    ranges: dict[str, tuple[float, float]]
    required: frozenset[str]

    @classmethod
    def from_text(cls, text: str) -> "Rules":
        """Reads a schema.pbtxt.

        Raises:
            UserError: where it is not a schema, or not one of handwriting.
        """
        try:
            schema = text_format.Parse(text, schema_pb2.Schema())
        except text_format.ParseError as error:
            raise UserError(f"not a schema.pbtxt: {error}") from error
        features = {feature.name: feature for feature in schema.feature}
        if not {"text", "strokes", "length"} <= features.keys():
            raise UserError(f"not a schema of handwriting: its features are {', '.join(features) or 'none'}")
        domains = {domain.name: domain.value for domain in schema.string_domain}
        alphabet = domains.get(features["text"].natural_language_domain.vocabulary, [])
        ranges = {}
        for name, feature in features.items():
            kind = feature.WhichOneof("domain_info")
            if kind in ("int_domain", "float_domain"):
                ranges[name] = (getattr(feature, kind).min, getattr(feature, kind).max)
        return cls(
            frozenset(alphabet), ranges, frozenset(n for n, f in features.items() if f.presence.min_fraction == 1.0)
        )

    def anomalies(self, line: InkLine) -> Iterator[tuple[str, str]]:
        """(kind, detail) of all that a line has and the schema does not allow."""
        for name in ("writer", "text"):
            if name in self.required and not getattr(line, name):
                yield f"missing feature: {name}", ""
        for character in sorted(set(line.text) - self.alphabet):
            yield f"unknown character: {character!r} (U+{ord(character):04X})", line.text
        for name, value in line_measures(line).items():
            low, high = self.ranges.get(name, (-math.inf, math.inf))
            if not low <= value <= high:
                yield f"out of range: {name}", f"{value:.6g} is not in {low:.6g}..{high:.6g}"

    def corpus_anomalies(self, summary: Summary) -> dict[str, int]:
        """Those of the lines, counted, and those of the corpus as a whole."""
        found = dict(sorted(summary.anomalies.items()))
        counts = summary.records
        if counts["dead"] > self.ranges.get("dead_letter_rate", (0.0, 1.0))[1] * counts["in"]:
            found["out of range: dead_letter_rate"] = counts["dead"]
        return found


def schema_text(summary: Summary) -> str:
    """The content of `schema.pbtxt`."""
    return text_format.MessageToString(to_schema(summary))
