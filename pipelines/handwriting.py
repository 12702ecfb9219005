"""Prepares handwriting for training: pen files -> TFRecords, schema, statistics, vocabulary, dead letters.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: name, writer, text, strokes (rows dx, dy, pen), length
  stats.json                          counts, ranges; mean and deviation of the offsets over the training split
  vocabulary.json                     every character of the data
  schema.pbtxt                        features and their domains (TensorFlow Metadata)
  dead_letters-*.jsonl                each record that could not be used, its source and the reason
The same input gives the same bytes, however many workers there are.
"""

import argparse
import json
import sys

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from pipelines.arguments import command
from pipelines.files import emptied, read_bytes, write_text
from pipelines.handwriting_options import EXAMPLES, add_arguments, plan
from pipelines.ink_schema import Rules, schema_text
from pipelines.ink_shards import Preparation, WriteShard
from pipelines.ink_sources import LISTS, Source
from pipelines.splits import SPLITS, stable_hash
from pipelines.summary import Summary

_WRITTEN = [
    *(f"{split}-*-of-*.tfrecord" for split in SPLITS),
    *("dead_letters-*-of-*.jsonl", "anomalies-*-of-*.jsonl", "stats.json", "vocabulary.json", "schema.pbtxt"),
]


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


def list_sources(path: str, kind: str) -> list[str]:
    """The sources of an input, as text."""
    return [source.to_text() for source in LISTS[kind](path)]


def key_by_shard(source: str, shards: int) -> tuple[int, str]:
    """A source and its shard, which depends on the source's name alone."""
    return stable_hash(Source.from_text(source).name) % shards, source


def write_summary(summary: Summary, output: str, rules: Rules | None) -> None:
    """Writes `stats.json`, `vocabulary.json` and `schema.pbtxt`."""
    stats = summary.to_stats()
    if rules:
        stats["anomalies"] = rules.corpus_anomalies(summary)
    write_text(FileSystems.join(output, "vocabulary.json"), Vocabulary(summary.alphabet).to_json())
    write_text(FileSystems.join(output, "schema.pbtxt"), schema_text(summary))
    write_text(FileSystems.join(output, "stats.json"), json.dumps(stats, indent=1) + "\n")  # last: the folder is whole


def build(pipeline: beam.Pipeline, inputs: list[str], preparation: Preparation) -> None:
    """The steps: list the sources, group them by shard, write each shard, add up the counts, write them."""
    sources = (
        pipeline
        | "inputs" >> beam.Create(inputs)
        | "list_sources" >> beam.FlatMap(list_sources, preparation.format)
        | "key_by_shard" >> beam.Map(key_by_shard, preparation.shards)
    )
    empty_shards = pipeline | "shards" >> beam.Create([(shard, "") for shard in range(preparation.shards)])
    _ = (
        (sources, empty_shards)
        | "with_empty_shards" >> beam.Flatten()
        | "group_by_shard" >> beam.GroupByKey()
        | "drop_marks" >> beam.MapTuple(lambda shard, names: (shard, [name for name in names if name]))
        | "write_shard" >> beam.ParDo(WriteShard(preparation))
        | "merge_summaries" >> beam.CombineGlobally(MergeSummaries())
        | "write_summary" >> beam.Map(write_summary, preparation.output, preparation.rules)
    )


def run(own: argparse.Namespace, options: PipelineOptions) -> dict:
    """Runs the pipeline.

    Returns:
        The content of `stats.json`.

    Raises:
        UserError: where an option is wrong, or there is nothing to read.
    """
    inputs, preparation = plan(own)
    # The default, DirectRunner, would try to download another one.
    runner = None if options.get_all_options(drop_default=True).get("runner") else "FnApiRunner"
    with emptied(preparation.output, _WRITTEN), beam.Pipeline(runner, options=options) as pipeline:
        build(pipeline, inputs, preparation)
    stats = json.loads(read_bytes(FileSystems.join(preparation.output, "stats.json")))
    if not stats["records"]["in"]:
        raise UserError(f"no {preparation.format} record was found in {' '.join(inputs)}")
    return stats


def report(stats: dict, output: str) -> int:
    """Tells on standard error what came of it; returns the exit code, as in `main`."""
    counts = stats["records"]
    print(f"{counts['in']} records in = {counts['out']} out + {counts['dead']} dead letters", file=sys.stderr)
    for reason, count in stats["dead_letters"].items():
        print(f"  {count} dead letters: {reason}", file=sys.stderr)
    for split, numbers in stats["splits"].items():
        print(f"{split}: {numbers['lines']} lines, {numbers['points']} points", file=sys.stderr)
    print(f"offsets: {stats['offsets']}", file=sys.stderr)
    for anomaly, count in stats.get("anomalies", {}).items():
        print(f"anomaly: {anomaly}: {count} times", file=sys.stderr)
    if "train" not in stats["splits"]:
        print(f"no line is left to train on; the reasons are in {output}/dead_letters-*.jsonl", file=sys.stderr)
    return int(bool(stats.get("anomalies")) or "train" not in stats["splits"])


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines handwriting`.

    Returns:
        0; 1 where the data are not as the schema says, or no line is left to train on; 2 after a user's mistake,
        named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(own, options), own.output)

    return command("handwriting", argv, __doc__, EXAMPLES, add_arguments, prepare)
