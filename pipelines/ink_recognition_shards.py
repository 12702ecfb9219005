"""One shard of prepared ink with its features: reads its sources one after another, writes each line to its split.

As in `pipelines.ink_shards`, whose readers and repairs it shares, all the ink stays inside this step.
"""

import contextlib
import dataclasses
import json
import logging
from collections import Counter

import apache_beam as beam
from apache_beam.metrics import Metrics

from keras_seqgen.data.ink_features import FEATURES, ink_features
from keras_seqgen.data.ink_records import BadRecord, RawLine
from keras_seqgen.data.recognition_schema import LabelledFrames, frames_needed, to_example
from pipelines.files import Replacing, write_record
from pipelines.ink_shards import Preparation, prepare_line, read_source
from pipelines.ink_sources import Source
from pipelines.recognition_summary import Summary
from pipelines.splits import SPLITS

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RecognitionPreparation:
    """What the workers need to know.

    ink: how lines are read, repaired and split. features: a key of `ink_features.FEATURES`. stride: by how much a
    network may shorten a line.
    """

    ink: Preparation
    features: str
    stride: int

    def describe(self) -> dict:
        """What `stats.json` says about the features, beside their unit."""
        return {"kind": self.features, "names": list(FEATURES[self.features])}


def prepare_frames(raw: RawLine, preparation: RecognitionPreparation) -> tuple[str, LabelledFrames] | BadRecord:
    """A recorded line -> its split, and its features with the text; or why it is of no use."""
    text = " ".join(raw.text.split())
    if not text:
        return BadRecord(raw.name, "no text", "the transcription is empty: there is nothing to learn to read")
    prepared = prepare_line(dataclasses.replace(raw, text=text), preparation.ink)
    if isinstance(prepared, BadRecord):
        return prepared
    split, line, _ = prepared
    frames = ink_features(line.strokes, preparation.features).astype("float32")
    room = -(-len(frames) // preparation.stride)
    if frames_needed(text) > room:
        detail = f"{text!r} needs {frames_needed(text)} frames; {len(frames)} / {preparation.stride} are {room}"
        return BadRecord(raw.name, "label longer than its input", detail)
    return split, LabelledFrames(line.name, line.writer, text, frames)


class WriteShard(beam.DoFn):
    """(shard, sources as text) -> the shard's files; yields the shard's `Summary`."""

    def __init__(self, preparation: RecognitionPreparation):
        self.preparation = preparation
        names = ("records_in", "records_out", "dead_letters")
        self.counters = {name: Metrics.counter("ink-recognition", name) for name in names}

    def process(self, element):
        shard, sources = element
        summary, seen = Summary(), Counter[str]()
        with contextlib.ExitStack() as stack:

            def opened(stem, ending):
                return stack.enter_context(Replacing(self.preparation.ink.path(stem, shard, ending)))

            files = {split: opened(split, "tfrecord") for split in SPLITS}
            dead = opened("dead_letters", "jsonl")
            for source in map(Source.from_text, sorted(sources)):
                for record in read_source(source, self.preparation.ink):
                    seen["records_in"] += 1
                    prepared = self._prepare(record) if isinstance(record, RawLine) else record
                    if isinstance(prepared, BadRecord):
                        dead.write(_letter(source, prepared))
                        summary.dead[prepared.kind] += 1
                        seen["dead_letters"] += 1
                    else:
                        write_record(files[prepared[0]], prepared[2])
                        summary.add(*prepared[:2])
                        seen["records_out"] += 1
        for name, count in seen.items():
            self.counters[name].inc(count)
        LOG.info("shard %d of %d: %s", shard + 1, self.preparation.ink.shards, summary.records)
        yield summary

    def _prepare(self, raw: RawLine):
        try:
            prepared = prepare_frames(raw, self.preparation)
            return prepared if isinstance(prepared, BadRecord) else (*prepared, to_example(prepared[1]))
        except Exception as error:  # a hostile file must not stop the run, whichever library it breaks
            return BadRecord(raw.name, "unusable", f"{type(error).__name__}: {error}"[:500])


def _letter(source: Source, bad: BadRecord) -> bytes:
    """A dead letter as a line of JSON."""
    content = {"source": source.name, "path": source.paths[0], "name": bad.name}
    return (json.dumps(content | {"reason": bad.kind, "detail": bad.detail}) + "\n").encode("utf-8")
