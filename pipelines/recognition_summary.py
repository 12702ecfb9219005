"""What is counted while frames with their texts are prepared, and the files that tell it.

Sums are exact, so that the result does not depend on who added what first.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystems import FileSystems
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.recognition_schema import LabelledFrames
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines.exact_moments import moments, whole
from pipelines.files import write_text

_SLACK = 2.0  # ranges of the training lines are widened by this factor in the schema
BLANK = " "


@dataclass
class SplitSummary:
    """Counts, sums and ranges over the lines of one split."""

    lines: int = 0
    frames: int = 0
    sums: list[int] = field(default_factory=list)  # of each feature
    squares: list[int] = field(default_factory=list)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    characters: Counter = field(default_factory=Counter)

    def add(self, line: LabelledFrames) -> None:
        """Counts one line."""
        rows = line.frames.astype(np.float64)
        part = SplitSummary(1, len(rows), whole(rows.sum(axis=0)), whole(np.square(rows).sum(axis=0)))
        measures = {
            "length": len(rows),
            "text_length": len(line.text),
            "frames_per_character": len(rows) / len(line.text),
        }
        part.ranges = {name: (value, value) for name, value in measures.items()}
        part.characters.update(line.text)
        self.merge(part)

    def merge(self, other: "SplitSummary") -> None:
        """Adds another summary to this one."""
        self.lines += other.lines
        self.frames += other.frames
        for name in ("sums", "squares"):
            own, new = getattr(self, name), getattr(other, name)
            setattr(self, name, [a + b for a, b in zip(own, new, strict=True)] if own and new else own or new)
        for name, (low, high) in other.ranges.items():
            a, b = self.ranges.get(name, (low, high))
            self.ranges[name] = (min(a, low), max(b, high))
        self.characters.update(other.characters)

    def unit(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each feature; 1 in place of a deviation of 0."""
        return moments(self.sums, self.squares, self.frames)


@dataclass
class Summary:
    """Counts over a corpus or a part of it."""

    splits: dict[str, SplitSummary] = field(default_factory=dict)
    dead: Counter = field(default_factory=Counter)  # by kind of fault

    def add(self, split: str, line: LabelledFrames) -> None:
        """Counts one line of a split."""
        self.splits.setdefault(split, SplitSummary()).add(line)

    def merge(self, other: "Summary") -> None:
        """Adds another summary to this one."""
        for name, split in other.splits.items():
            self.splits.setdefault(name, SplitSummary()).merge(split)
        self.dead.update(other.dead)

    @property
    def records(self) -> dict[str, int]:
        """How many came in, went out, became dead letters."""
        out, dead = sum(split.lines for split in self.splits.values()), sum(self.dead.values())
        return {"in": out + dead, "out": out, "dead": dead}

    @property
    def vocabulary(self) -> Vocabulary:
        """Every character of every split; the blank between words is the first, whether or not a text has one."""
        found = set().union(*(split.characters for split in self.splits.values()))
        return Vocabulary([BLANK, *sorted(found - {BLANK})])

    def to_stats(self, features: dict[str, Any]) -> dict[str, Any]:
        """The content of `stats.json`; `features` is what the recogniser's inputs are, their unit is added to it."""
        return {
            "features": features | self._told().unit(),
            "records": self.records,
            "dead_letters": dict(sorted(self.dead.items())),
            "splits": {name: _split_stats(split) for name, split in sorted(self.splits.items())},
        }

    def _told(self) -> SplitSummary:
        """What the unit is of: the training split; without one, as where a folder is for tests alone, all lines."""
        if "train" in self.splits:
            return self.splits["train"]
        everything = SplitSummary()
        for split in self.splits.values():
            everything.merge(split)
        return everything

    def to_schema(self, features: dict[str, Any]) -> schema_pb2.Schema:
        """The schema of the records (TensorFlow Metadata): their features, the alphabet, the training lines' ranges."""
        train = self.splits.get("train", SplitSummary())
        schema = schema_pb2.Schema()
        schema.string_domain.add(name="alphabet", value=self.vocabulary.tokens)
        for name, kind in (("name", "BYTES"), ("writer", "BYTES"), ("text", "BYTES"), ("frames", "BYTES")):
            feature = schema.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
            feature.presence.min_fraction = 0.0 if name == "writer" else 1.0
            feature.shape.SetInParent()
        schema.feature[2].natural_language_domain.vocabulary = "alphabet"
        schema.feature[2].natural_language_domain.coverage.min_coverage = 1.0
        schema.feature[3].annotation.tag.extend(features["names"])
        for name, (low, high) in sorted(train.ranges.items()):
            feature = schema.feature.add(name=name)
            if name != "length":
                feature.lifecycle_stage = schema_pb2.LifecycleStage.Value("VALIDATION_DERIVED")
            if name == "frames_per_character":
                feature.type = schema_pb2.FLOAT
                feature.float_domain.min, feature.float_domain.max = low / _SLACK, high * _SLACK
            else:
                feature.type = schema_pb2.INT
                feature.int_domain.min, feature.int_domain.max = math.floor(low / _SLACK), math.ceil(high * _SLACK)
        return schema


def _split_stats(split: SplitSummary) -> dict[str, Any]:
    return {
        "lines": split.lines,
        "frames": split.frames,
        "longest": int(split.ranges.get("length", (0, 0))[1]),
        "ranges": {name: list(bounds) for name, bounds in sorted(split.ranges.items())},
        "characters": dict(sorted(split.characters.items())),
    }


class MergeSummaries(beam.CombineFn):
    """Adds up the shards' summaries."""

    def create_accumulator(self):
        return Summary()

    def add_input(self, accumulator, summary):
        accumulator.merge(summary)
        return accumulator

    def merge_accumulators(self, accumulators):
        total = Summary()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator):
        return accumulator


def write_summary(summary: Summary, output: str, features: dict[str, Any]) -> None:
    """Writes `stats.json`, `vocabulary.json` and `schema.pbtxt`."""
    write_text(FileSystems.join(output, "vocabulary.json"), summary.vocabulary.to_json())
    schema = text_format.MessageToString(summary.to_schema(features))
    write_text(FileSystems.join(output, "schema.pbtxt"), schema)
    stats = json.dumps(summary.to_stats(features), indent=1) + "\n"
    write_text(FileSystems.join(output, "stats.json"), stats)  # last: the folder is whole
