"""One shard of prepared pictures: reads its pairs one after another and writes each to its split's file.

As with ink, what travels between the steps are addresses before this step and counts after it.
"""

import contextlib
import json
import logging
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics

from keras_seqgen.data.ink_records import BadRecord
from keras_seqgen.data.labelled_image import to_example
from pipelines.files import Replacing, write_record
from pipelines.image_pairs import PreparedPair, Rules, prepare_pair
from pipelines.image_sources import Pair
from pipelines.image_summary import ImageSummary
from pipelines.splits import SPLITS

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImagePreparation:
    """What the workers need to know. output: the folder. shards: files per split. rules: what pairs must be like."""

    output: str
    shards: int
    rules: Rules

    def path(self, stem: str, shard: int, ending: str) -> str:
        """The path of a shard's file."""
        return FileSystems.join(self.output, f"{stem}-{shard:05d}-of-{self.shards:05d}.{ending}")


class WriteImageShard(beam.DoFn):
    """(shard, pairs as text) -> the shard's files; yields the shard's `ImageSummary`."""

    def __init__(self, preparation: ImagePreparation):
        self.preparation = preparation
        self.records_in = Metrics.counter("segmentation", "records_in")
        self.records_out = Metrics.counter("segmentation", "records_out")
        self.dead_letters = Metrics.counter("segmentation", "dead_letters")

    def process(self, element):
        shard, pairs = element
        summary = ImageSummary()
        with contextlib.ExitStack() as stack:
            splits, dead = self._open(shard, stack)
            name = ""
            for pair in map(Pair.from_text, sorted(pairs)):
                self.records_in.inc()
                again, name = pair.name == name, pair.name  # all of one name are in one shard, one after another
                twice = BadRecord(name, "named twice", f"another input has a picture {name}, too")
                prepared = twice if again else self._prepare(pair)
                if isinstance(prepared, PreparedPair):
                    write_record(splits[prepared.split], to_example(prepared.record))
                    summary.add(prepared)
                    self.records_out.inc()
                else:
                    dead.write(_letter(pair, prepared))
                    summary.dead[prepared.kind] += 1
                    self.dead_letters.inc()
        counts = summary.records
        shards = self.preparation.shards
        LOG.info("shard %d of %d: %d pictures, %d dead letters", shard + 1, shards, counts["out"], counts["dead"])
        yield summary

    def _open(self, shard: int, stack: contextlib.ExitStack):
        """The shard's files: split -> records, and dead letters."""
        paths = {split: self.preparation.path(split, shard, "tfrecord") for split in SPLITS}
        splits = {split: stack.enter_context(Replacing(path)) for split, path in paths.items()}
        return splits, stack.enter_context(Replacing(self.preparation.path("dead_letters", shard, "jsonl")))

    def _prepare(self, pair: Pair) -> PreparedPair | BadRecord:
        try:
            return prepare_pair(pair, self.preparation.rules)
        except Exception as error:  # a hostile file must not stop the run, whichever library it breaks
            return BadRecord(pair.name, "unusable", f"{type(error).__name__}: {error}"[:500])


def _letter(pair: Pair, bad: BadRecord) -> bytes:
    """A line of JSON: which pair, and why it is of no use."""
    paths = {"image": pair.image, "label": pair.label}
    return (json.dumps({"name": pair.name, **paths, "reason": bad.kind, "detail": bad.detail}) + "\n").encode("utf-8")
