"""What is counted on the way through a text, and the schema of the records."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

import apache_beam as beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.text_schema import RECORD
from keras_seqgen.data.vocabulary import UNKNOWN, Vocabulary
from pipelines.text_blocks import Block
from pipelines.text_sources import Document, Piece

NOT_UTF8 = "not UTF-8"


@dataclass
class SplitText:
    """Counts over one split.

    tokens: what a model predicts, ends of lines among them. unknown: tokens that the vocabulary does not have.
    characters, bytes: of the text as it was encoded (bytes: as UTF-8), ends of lines among them: what bits per
    character and per byte are per. lines: ends of lines. documents: files that begin here.
    """

    tokens: int = 0
    unknown: int = 0
    characters: int = 0
    bytes: int = 0
    lines: int = 0
    documents: int = 0

    def merge(self, other: "SplitText") -> None:
        """Adds other counts to these."""
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))


@dataclass
class TextSummary:
    """Counts over a corpus or a part of it. read, dead_bytes: bytes of the documents in use, unpacked."""

    splits: dict[str, SplitText] = field(default_factory=dict)
    read: int = 0
    dead_bytes: int = 0
    dead: Counter = field(default_factory=Counter)  # dead letters by reason

    def add_piece(self, piece: Piece) -> None:
        """Counts a piece's document where it begins."""
        self.splits.setdefault(piece.split, SplitText()).documents += piece.start == 0

    def add_block(self, split: str, block: Block, tokens: int, unknown: int) -> None:
        """Counts a block."""
        numbers = SplitText(tokens, unknown, block.characters(), block.utf8_size(), block.lines)
        self.splits.setdefault(split, SplitText()).merge(numbers)
        self.read += block.size
        self.dead_bytes += sum(len(data) for _, data in block.dead)
        if block.dead:
            self.dead[NOT_UTF8] += len(block.dead)

    def merge(self, other: "TextSummary") -> None:
        """Adds another summary to this one."""
        for name, split in other.splits.items():
            self.splits.setdefault(name, SplitText()).merge(split)
        self.read += other.read
        self.dead_bytes += other.dead_bytes
        self.dead.update(other.dead)

    def to_stats(self, documents: list[Document], vocabulary: Vocabulary, given: bool) -> dict[str, Any]:
        """The content of `stats.json`."""
        bad = [document for document in documents if document.fault]
        reasons = self.dead + Counter(document.fault.partition(":")[0] for document in bad)
        return {
            "vocabulary": {
                "kind": vocabulary.kind,
                "size": len(vocabulary),
                "has_unknown": UNKNOWN in vocabulary.ids,
                "given": given,
            },
            "documents": {"in": len(documents), "out": len(documents) - len(bad), "dead": len(bad)},
            "bytes": {"in": self.read, "out": self.read - self.dead_bytes, "dead": self.dead_bytes},
            "dead_letters": dict(sorted(reasons.items())),
            "splits": {name: vars(split) for name, split in sorted(self.splits.items())},
        }


class MergeTextSummaries(beam.CombineFn):
    """Adds up the shards' summaries."""

    def create_accumulator(self):
        return TextSummary()

    def add_input(self, accumulator, summary):
        accumulator.merge(summary)
        return accumulator

    def merge_accumulators(self, accumulators):
        total = TextSummary()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator):
        return accumulator


def schema_text(vocabulary: Vocabulary) -> str:
    """The content of `schema.pbtxt`: the two features of a record, and the vocabulary as a domain."""
    schema = schema_pb2.Schema()
    schema.string_domain.add(name="vocabulary", value=vocabulary.tokens)
    first = schema.feature.add(name="first", type=schema_pb2.INT)
    first.int_domain.min = 0
    ids = schema.feature.add(name="ids", type=schema_pb2.BYTES)
    for feature in (first, ids):
        feature.presence.min_fraction = 1.0
        feature.shape.SetInParent()
    tokens = schema.feature.add(
        name="token", type=schema_pb2.INT, lifecycle_stage=schema_pb2.LifecycleStage.Value("VALIDATION_DERIVED")
    )
    tokens.int_domain.min, tokens.int_domain.max = 1, len(vocabulary)
    tokens.value_count.min, tokens.value_count.max = 1, RECORD
    return text_format.MessageToString(schema)
