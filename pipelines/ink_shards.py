"""One shard of a prepared folder: reads its sources one after another and writes each line to its split's file.

All the ink stays inside this step. What travels between steps are the sources' addresses before it and the counts after
it, so memory holds one line at a time, however large the corpus, on the local runner too (which keeps in memory what
travels). A shard's content depends on its sources' names alone, so it is the same on one worker and on many.
"""

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics

from keras_seqgen.data.ink_records import BadRecord, RawLine, check_trace
from keras_seqgen.data.schema import InkLine, to_example
from keras_seqgen.data.strokes import Cleaning, Repairs, clean
from keras_seqgen.errors import UserError
from pipelines.files import Replacing, write_record
from pipelines.ink_schema import Rules
from pipelines.ink_sources import READERS, Source
from pipelines.splits import SPLITS, HashSplit, ListSplit, PublishedSplit
from pipelines.summary import Summary

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preparation:
    """What the workers need to know.

    format: a key of READERS. output: the folder. shards: how many files per split. split: line -> split.
    cleaning: what to repair. require_text: whether a line without a text is a dead letter.
    max_points, max_bytes: larger lines and files are, too. rules: what new data are checked against, or None.
    """

    format: str
    output: str
    shards: int
    split: HashSplit | ListSplit | PublishedSplit
    cleaning: Cleaning
    require_text: bool
    max_points: int
    max_bytes: int
    rules: Rules | None = None

    def path(self, stem: str, shard: int, ending: str) -> str:
        """The path of a shard's file."""
        return FileSystems.join(self.output, f"{stem}-{shard:05d}-of-{self.shards:05d}.{ending}")


def read_source(source: Source, preparation: Preparation) -> Iterator[RawLine | BadRecord]:
    """The records of a source; where its reader breaks down, a last bad record says so."""
    try:
        yield from READERS[preparation.format](source, preparation.max_bytes)
    except UserError as error:
        yield BadRecord(source.name, "unreadable", str(error))
    except Exception as error:  # a hostile file must not stop the run, whichever library it breaks
        yield BadRecord(source.name, "unreadable", f"{type(error).__name__}: {error}"[:500])


def prepare_line(raw: RawLine, preparation: Preparation) -> tuple[str, InkLine, Repairs] | BadRecord:
    """A recorded line -> its split, the cleaned line, what was repaired; or why it is of no use."""
    if preparation.require_text and not raw.text:
        return BadRecord(raw.name, "no text", "synthesis needs a text for each line; --text optional lets it pass")
    split = preparation.split(raw)
    if split is None:
        return BadRecord(raw.name, "in no split", f"no list names {raw.group}")
    try:
        strokes, repairs = clean(check_trace(raw.trace, preparation.max_points), preparation.cleaning)
    except UserError as error:
        return BadRecord(raw.name, "unusable strokes", str(error))
    if not len(strokes):
        return BadRecord(raw.name, "unusable strokes", "no step is left after cleaning")
    return split, InkLine(raw.name, raw.writer, raw.text, strokes), repairs


class _Outbox:
    """The open files of a shard and the counts of what went into them."""

    def __init__(self, preparation: Preparation, shard: int, stack: contextlib.ExitStack):
        def opened(stem, ending):
            return stack.enter_context(Replacing(preparation.path(stem, shard, ending)))

        self.rules = preparation.rules
        self.summary = Summary()
        self.splits = {split: opened(split, "tfrecord") for split in SPLITS}
        self.dead = opened("dead_letters", "jsonl")
        self.anomalies = opened("anomalies", "jsonl") if self.rules else io.BytesIO()

    def add_line(self, split: str, line: InkLine, repairs: Repairs, example: bytes) -> None:
        write_record(self.splits[split], example)
        self.summary.add(split, line, repairs)
        if self.rules:
            for kind, detail in self.rules.anomalies(line):
                self._add_anomaly(line.name, kind, detail)

    def add_dead(self, source: Source, bad: BadRecord) -> None:
        letter = {
            "source": source.name,
            "path": source.paths[0],
            "name": bad.name,
            "reason": bad.kind,
            "detail": bad.detail,
        }
        self.dead.write((json.dumps(letter) + "\n").encode("utf-8"))
        self.summary.dead[bad.kind] += 1
        if self.rules and bad.kind == "no text" and "text" in self.rules.required:
            self._add_anomaly(bad.name, "missing feature: text", "")

    def _add_anomaly(self, name: str, kind: str, detail: str) -> None:
        self.summary.anomalies[kind] += 1
        self.anomalies.write((json.dumps({"name": name, "anomaly": kind, "detail": detail}) + "\n").encode("utf-8"))


class WriteShard(beam.DoFn):
    """(shard, sources as text) -> the shard's files; yields the shard's `Summary`."""

    def __init__(self, preparation: Preparation):
        self.preparation = preparation
        self.records_in = Metrics.counter("handwriting", "records_in")
        self.records_out = Metrics.counter("handwriting", "records_out")
        self.dead_letters = Metrics.counter("handwriting", "dead_letters")

    def process(self, element):
        shard, sources = element
        with contextlib.ExitStack() as stack:
            outbox = _Outbox(self.preparation, shard, stack)
            for source in map(Source.from_text, sorted(sources)):
                for record in read_source(source, self.preparation):
                    self.records_in.inc()
                    prepared = self._prepare(record) if isinstance(record, RawLine) else record
                    if isinstance(prepared, BadRecord):
                        outbox.add_dead(source, prepared)
                        self.dead_letters.inc()
                    else:
                        outbox.add_line(*prepared)
                        self.records_out.inc()
        counts = outbox.summary.records
        LOG.info(
            "shard %d of %d: %d lines, %d dead letters",
            shard + 1,
            self.preparation.shards,
            counts["out"],
            counts["dead"],
        )
        yield outbox.summary

    def _prepare(self, raw: RawLine):
        try:
            prepared = prepare_line(raw, self.preparation)
            return prepared if isinstance(prepared, BadRecord) else (*prepared, to_example(prepared[1]))
        except Exception as error:  # as in read_source
            return BadRecord(raw.name, "unusable", f"{type(error).__name__}: {error}"[:500])
