"""Sources of one record each -> a folder of frames with their texts: what print and speech have in common.

What travels between the steps are addresses before `write_shard` and counts after it; pictures and sound stay inside.
"""

import contextlib
import dataclasses
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import text_format

from keras_seqgen.data.ink_records import BadRecord
from keras_seqgen.data.recognition_schema import LabelledFrames, frames_needed, to_example
from keras_seqgen.errors import UserError
from pipelines.files import Replacing, emptied, read_bytes, write_record, write_text
from pipelines.recognition_summary import MergeSummaries, Summary
from pipelines.splits import SPLITS, stable_hash

LOG = logging.getLogger(__name__)
_WRITTEN = [
    *(f"{split}-*-of-*.tfrecord" for split in SPLITS),
    *("dead_letters-*-of-*.jsonl", "stats.json", "vocabulary.json", "schema.pbtxt"),
]


@dataclass(frozen=True)
class FramePreparation:
    """What the workers need to know.

    system: its name in counters. output: the folder. shards: files per split. features: what `stats.json` says about
    the frames (kind, names, what else). prepare: a source -> its split and its record, or why it is of no use; a
    source is a line of JSON with at least the keys name and path. pooled: whether all the numbers of a frame share one
    mean and one deviation, as the rows of a picture do.
    """

    system: str
    output: str
    shards: int
    features: dict[str, Any]
    prepare: Callable[[str], tuple[str, LabelledFrames] | BadRecord]
    pooled: bool = False


def source_text(source) -> str:
    """A dataclass as a line of JSON."""
    return json.dumps(dataclasses.asdict(source), ensure_ascii=False)


def no_room(name: str, text: str, frames: int, stride: int) -> BadRecord | None:
    """The fault of a text that no CTC network can read in so few frames, divided by the network's stride."""
    room = -(-frames // stride)
    if frames_needed(text) <= room:
        return None
    detail = f"{text!r} needs {frames_needed(text)} frames; {frames} / {stride} are {room}"
    return BadRecord(name, "label longer than its input", detail)


class WriteFrames(beam.DoFn):
    """(shard, sources) -> the shard's files; yields the shard's `Summary`."""

    def __init__(self, preparation: FramePreparation):
        self.preparation = preparation
        names = ("records_in", "records_out", "dead_letters")
        self.counters = {name: Metrics.counter(preparation.system, name) for name in names}

    def process(self, element):
        shard, sources = element
        summary = Summary()
        seen: Counter[str] = Counter()
        with contextlib.ExitStack() as stack:
            files = {split: stack.enter_context(self._file(split, shard, "tfrecord")) for split in SPLITS}
            dead = stack.enter_context(self._file("dead_letters", shard, "jsonl"))
            for source in sorted(sources):
                seen["records_in"] += 1
                prepared = self._prepare(source)
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
        LOG.info("shard %d of %d: %s", shard + 1, self.preparation.shards, summary.records)
        yield summary

    def _file(self, stem: str, shard: int, ending: str) -> Replacing:
        name = f"{stem}-{shard:05d}-of-{self.preparation.shards:05d}.{ending}"
        return Replacing(FileSystems.join(self.preparation.output, name))

    def _prepare(self, source: str):
        try:
            prepared = self.preparation.prepare(source)
            return prepared if isinstance(prepared, BadRecord) else (*prepared, to_example(prepared[1]))
        except Exception as error:  # a hostile file must not stop the run, whichever library it breaks
            return BadRecord(json.loads(source)["name"], "unusable", f"{type(error).__name__}: {error}"[:500])


def _letter(source: str, bad: BadRecord) -> bytes:
    """A dead letter as a line of JSON."""
    content = {"name": bad.name, "path": json.loads(source)["path"], "reason": bad.kind, "detail": bad.detail}
    return (json.dumps(content) + "\n").encode("utf-8")


def write_summary(summary: Summary, preparation: FramePreparation) -> None:
    """Writes `stats.json`, `vocabulary.json` and `schema.pbtxt`."""
    stats = summary.to_stats(preparation.features)
    if preparation.pooled:
        stats["features"] |= pooled(stats["features"]["mean"], stats["features"]["std"])
    output = preparation.output
    write_text(FileSystems.join(output, "vocabulary.json"), summary.vocabulary.to_json())
    schema = text_format.MessageToString(summary.to_schema(preparation.features))
    write_text(FileSystems.join(output, "schema.pbtxt"), schema)
    write_text(FileSystems.join(output, "stats.json"), json.dumps(stats, indent=1) + "\n")  # last: the folder is whole


def pooled(mean: list[float], std: list[float]) -> dict[str, list[float]]:
    """One mean and one deviation for D numbers that are measured in one unit.

        m = sum_d mean_d / D        s^2 = sum_d (std_d^2 + mean_d^2) / D - m^2

    A row at the edge of a picture hardly ever has ink; divided by its own deviation, a speck there would outweigh
    everything else.
    """
    D = max(len(mean), 1)
    level = sum(mean) / D
    # Where a deviation is 0 the summary gives 1, which must not count here.
    variance = sum((s * s if s != 1.0 else 0.0) + m * m for m, s in zip(mean, std, strict=True)) / D - level**2
    return {"mean": [level] * len(mean), "std": [max(variance, 0.0) ** 0.5 or 1.0] * len(mean)}


def key_by_shard(source: str, shards: int) -> tuple[int, str]:
    """A source and its shard, which depends on the source's name alone."""
    return stable_hash(json.loads(source)["name"]) % shards, source


def build(
    pipeline: beam.Pipeline,
    inputs: list[str],
    listing: Callable[[str], Iterable[str]],
    preparation: FramePreparation,
) -> None:
    """The steps: list the sources, group them by shard, write each shard, add up the counts, write them."""
    sources = (
        pipeline
        | "inputs" >> beam.Create(inputs)
        | "list_sources" >> beam.FlatMap(listing)
        | "key_by_shard" >> beam.Map(key_by_shard, preparation.shards)
    )
    empty_shards = pipeline | "shards" >> beam.Create([(shard, "") for shard in range(preparation.shards)])
    _ = (
        (sources, empty_shards)
        | "with_empty_shards" >> beam.Flatten()
        | "group_by_shard" >> beam.GroupByKey()
        | "drop_marks" >> beam.MapTuple(lambda shard, names: (shard, [name for name in names if name]))
        | "write_shard" >> beam.ParDo(WriteFrames(preparation))
        | "merge_summaries" >> beam.CombineGlobally(MergeSummaries())
        | "write_summary" >> beam.Map(write_summary, preparation)
    )


def run(inputs: list[str], listing, preparation: FramePreparation, options: PipelineOptions) -> dict:
    """Runs the pipeline.

    Returns:
        The content of `stats.json`.

    Raises:
        UserError: there is nothing to read.
    """
    # The default, DirectRunner, would try to download another one.
    runner = None if options.get_all_options(drop_default=True).get("runner") else "FnApiRunner"
    with emptied(preparation.output, _WRITTEN), beam.Pipeline(runner, options=options) as pipeline:
        build(pipeline, inputs, listing, preparation)
    stats = json.loads(read_bytes(FileSystems.join(preparation.output, "stats.json")))
    if not stats["records"]["in"]:
        raise UserError(f"no record was found in {' '.join(inputs)}")
    return stats


def report(stats: dict, output: str) -> int:
    """Tells on standard error what came of it; returns 1 where nothing is left, else 0."""
    counts = stats["records"]
    print(f"{counts['in']} records in = {counts['out']} out + {counts['dead']} dead letters", file=sys.stderr)
    for reason, count in stats["dead_letters"].items():
        print(f"  {count} dead letters: {reason}", file=sys.stderr)
    for split, numbers in stats["splits"].items():
        lines, characters = numbers["lines"], sum(numbers["characters"].values())
        means = f"on average {numbers['frames'] / lines:.1f} frames and {characters / lines:.1f} characters"
        print(f"{split}: {lines} lines, {means}", file=sys.stderr)
    if not counts["out"]:
        print(f"nothing is left; the reasons are in {output}/dead_letters-*.jsonl", file=sys.stderr)
    return int(not counts["out"])
