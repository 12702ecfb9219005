"""Prepares ink for a recogniser: pen files -> TFRecords of features and texts, schema, statistics, dead letters.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: name, writer, text, frames (float32 rows as bytes), length
  stats.json                          counts, ranges; names, mean and deviation of the features over the training split
  vocabulary.json                     every character of the data; the blank between words first
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

from keras_seqgen.errors import UserError
from pipelines.arguments import command
from pipelines.files import emptied, read_bytes
from pipelines.handwriting import key_by_shard, list_sources
from pipelines.ink_recognition_options import EXAMPLES, add_arguments, plan
from pipelines.ink_recognition_shards import RecognitionPreparation, WriteShard
from pipelines.recognition_summary import MergeSummaries, write_summary
from pipelines.splits import SPLITS

_WRITTEN = [
    *(f"{split}-*-of-*.tfrecord" for split in SPLITS),
    *("dead_letters-*-of-*.jsonl", "stats.json", "vocabulary.json", "schema.pbtxt"),
]


def build(pipeline: beam.Pipeline, inputs: list[str], preparation: RecognitionPreparation) -> None:
    """The steps: list the sources, group them by shard, write each shard, add up the counts, write them."""
    ink = preparation.ink
    sources = (
        pipeline
        | "inputs" >> beam.Create(inputs)
        | "list_sources" >> beam.FlatMap(list_sources, ink.format)
        | "key_by_shard" >> beam.Map(key_by_shard, ink.shards)
    )
    empty_shards = pipeline | "shards" >> beam.Create([(shard, "") for shard in range(ink.shards)])
    _ = (
        (sources, empty_shards)
        | "with_empty_shards" >> beam.Flatten()
        | "group_by_shard" >> beam.GroupByKey()
        | "drop_marks" >> beam.MapTuple(lambda shard, names: (shard, [name for name in names if name]))
        | "write_shard" >> beam.ParDo(WriteShard(preparation))
        | "merge_summaries" >> beam.CombineGlobally(MergeSummaries())
        | "write_summary" >> beam.Map(write_summary, ink.output, preparation.describe())
    )


def run(own: argparse.Namespace, options: PipelineOptions) -> dict:
    """Runs the pipeline.

    Returns:
        The content of `stats.json`.

    Raises:
        UserError: where an option is wrong, or there is nothing to read.
    """
    inputs, preparation = plan(own)
    output = preparation.ink.output
    # The default, DirectRunner, would try to download another one.
    runner = None if options.get_all_options(drop_default=True).get("runner") else "FnApiRunner"
    with emptied(output, _WRITTEN), beam.Pipeline(runner, options=options) as pipeline:
        build(pipeline, inputs, preparation)
    stats = json.loads(read_bytes(FileSystems.join(output, "stats.json")))
    if not stats["records"]["in"]:
        raise UserError(f"no {preparation.ink.format} record was found in {' '.join(inputs)}")
    return stats


def report(stats: dict, output: str) -> int:
    """Tells on standard error what came of it; returns the exit code, as in `main`."""
    counts = stats["records"]
    print(f"{counts['in']} records in = {counts['out']} out + {counts['dead']} dead letters", file=sys.stderr)
    for reason, count in stats["dead_letters"].items():
        print(f"  {count} dead letters: {reason}", file=sys.stderr)
    for split, numbers in stats["splits"].items():
        print(f"{split}: {numbers['lines']} lines, {numbers['frames']} frames", file=sys.stderr)
    if not counts["out"]:
        print(f"no line is left; the reasons are in {output}/dead_letters-*.jsonl", file=sys.stderr)
    return int(not counts["out"])


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines ink-recognition`.

    Returns:
        0; 1 where no line is left; 2 after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(own, options), own.output)

    return command("ink-recognition", argv, __doc__, EXAMPLES, add_arguments, prepare)
