"""The two passes over a text: the first counts, the second writes the shards.

All the text stays inside these steps, a block at a time. What travels between them are the addresses of the pieces and
counts, so memory does not grow with the corpus (with the vocabulary it does), on the local runner too.
"""

import contextlib
import json
import logging
from collections import Counter
from dataclasses import dataclass, field

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics

from keras_seqgen.data.text_schema import RECORD, id_type, to_example
from keras_seqgen.data.vocabulary import Vocabulary
from pipelines.files import Replacing, write_record
from pipelines.text_blocks import Form, read_text
from pipelines.text_sources import Document, Piece
from pipelines.text_splits import TextSplit
from pipelines.text_summary import NOT_UTF8, TextSummary
from pipelines.text_tokens import Encoder, TokenCounts, count_tokens

LOG = logging.getLogger(__name__)
SHARD = 1 << 20  # tokens: a split that has fewer is one shard


@dataclass(frozen=True)
class TextPreparation:
    """What the workers need to know.

    output: the folder. shards: files per split at most. form: what becomes of the text. split: what goes where.
    min_count: a rarer token of the training split is unknown. vocabulary: the one to use, or None to make one.
    """

    output: str
    shards: int
    form: Form
    split: TextSplit
    min_count: int = 1
    vocabulary: Vocabulary | None = None


@dataclass(frozen=True)
class Shard:
    """What one worker writes: a contiguous part of a split. first: the number of its first token in the split."""

    split: str
    number: int
    count: int
    first: int
    pieces: list[Piece] = field(default_factory=list)

    @property
    def stem(self) -> str:
        return f"{self.number:05d}-of-{self.count:05d}"


class ScanPiece(beam.DoFn):
    """A piece -> (its number, how many tokens it has); on the side, its `TokenCounts`."""

    def __init__(self, preparation: TextPreparation):
        self.preparation = preparation

    def process(self, piece):
        counts, tokens = TokenCounts(), 0
        fixed = self.preparation.vocabulary
        encoder = Encoder(fixed, self.preparation.form) if fixed else None
        for block in read_text(piece, self.preparation.form):
            if encoder:
                tokens += len(encoder(block)[0])
                continue
            found = count_tokens(block, self.preparation.form)
            tokens += found.total()
            if piece.split == "train":
                counts.train.update(found)
            else:
                counts.others.update(found)
        yield piece.number, tokens
        yield beam.pvalue.TaggedOutput("tokens", counts)


def plan_shards(_, documents: list[Document], counts: list[tuple[int, int]], preparation: TextPreparation):
    """The shards: each split's pieces in order, parted by the number of tokens before them."""
    tokens = dict(counts)
    groups: dict[str, dict[int, list[Piece]]] = {}
    totals: Counter[str] = Counter()
    before: Counter[str] = Counter()
    pieces = list(preparation.split.pieces(usable(documents)))
    for piece in pieces:
        totals[piece.split] += tokens[piece.number]
    for piece in pieces:
        total = max(totals[piece.split], 1)
        count = min(preparation.shards, max(total // SHARD, 1))
        part = min(before[piece.split] * count // total, count - 1)
        groups.setdefault(piece.split, {}).setdefault(part, []).append(piece)
        before[piece.split] += tokens[piece.number]
    for split, parts in groups.items():
        first = 0
        for number, members in enumerate(parts.values()):
            yield Shard(split, number, len(parts), first, members)
            first += sum(tokens[piece.number] for piece in members)


def usable(documents: list[Document]) -> list[Document]:
    """The documents without a fault, in the order of the corpus."""
    return sorted((document for document in documents if not document.fault), key=lambda document: document.number)


class WriteTextShard(beam.DoFn):
    """A shard and the vocabulary -> the shard's file, and one of dead letters where there are any; yields a summary."""

    def __init__(self, preparation: TextPreparation):
        self.preparation = preparation
        self.tokens_out = Metrics.counter("text", "tokens_out")
        self.dead_letters = Metrics.counter("text", "dead_letters")

    def process(self, shard, vocabulary):
        form, summary = self.preparation.form, TextSummary()
        encoder, dtype = Encoder(vocabulary, form), id_type(len(vocabulary))
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(self._file(f"{shard.split}-{shard.stem}.tfrecord"))
            records = _RecordWriter(stream, shard.first, dtype)
            letters = None
            for piece in shard.pieces:
                summary.add_piece(piece)
                for block in read_text(piece, form):
                    ids, unknown = encoder(block)
                    records.add(ids)
                    said = encoder.encoded(block) if unknown else block
                    summary.add_block(piece.split, said, len(ids), unknown)
                    self.tokens_out.inc(len(ids))
                    if block.dead:
                        name = f"dead_letters-{shard.split}-{shard.stem}.jsonl"
                        letters = letters or stack.enter_context(self._file(name))
                        for offset, data in block.dead:
                            letters.write(dead_letter(piece.document, NOT_UTF8, data[:16].hex(" "), offset, len(data)))
                        self.dead_letters.inc(len(block.dead))
            records.flush()
        LOG.info(
            "%s shard %d of %d: %d tokens", shard.split, shard.number + 1, shard.count, records.first - shard.first
        )
        yield summary

    def _file(self, name: str) -> Replacing:
        return Replacing(FileSystems.join(self.preparation.output, name))


def dead_letter(document: Document, reason: str, detail: str, offset: int = 0, size: int = 0) -> bytes:
    """A line of JSON: which document, where in it (unpacked), how many bytes, why."""
    place = {"source": document.name, "path": document.path, "offset": offset, "bytes": size}
    return (json.dumps(place | {"reason": reason, "detail": detail}) + "\n").encode("utf-8")


class _RecordWriter:
    """Fills records of `RECORD` ids; the last of a shard may hold fewer."""

    def __init__(self, stream, first: int, dtype: np.dtype):
        self.stream, self.first, self.dtype = stream, first, dtype
        self.held = np.empty(0, dtype)

    def add(self, ids: np.ndarray) -> None:
        ids = np.concatenate([self.held, ids.astype(self.dtype)])
        full = len(ids) // RECORD * RECORD
        for start in range(0, full, RECORD):
            self._write(ids[start : start + RECORD])
        self.held = ids[full:]

    def flush(self) -> None:
        if len(self.held):
            self._write(self.held)
        self.held = self.held[:0]

    def _write(self, ids: np.ndarray) -> None:
        write_record(self.stream, to_example(self.first, ids, self.dtype))
        self.first += len(ids)
