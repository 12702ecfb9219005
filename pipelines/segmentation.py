"""Prepares labelled pictures for training: image files -> TFRecords, schema, statistics, labels, dead letters.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: name, image (JPEG, PNG), label (8-bit grey PNG), height, width
  stats.json                          for each split: pictures, pixels of each class, sizes, mean and std of colours
  labels.json                         how many labels, which one to ignore, their names where they are known
  schema.pbtxt                        features and their domains (TensorFlow Metadata)
  dead_letters-*.jsonl                each pair that could not be used, its files and the reason
The same input gives the same bytes, however many workers there are.
"""

import argparse
import json
import sys

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.errors import UserError
from pipelines.arguments import command
from pipelines.files import emptied, read_bytes, write_text
from pipelines.image_schema import schema_text
from pipelines.image_shards import ImagePreparation, WriteImageShard
from pipelines.image_sources import Pair
from pipelines.image_summary import ImageSummary
from pipelines.segmentation_options import EXAMPLES, add_arguments, plan
from pipelines.splits import SPLITS, stable_hash

_WRITTEN = [
    *(f"{split}-*-of-*.tfrecord" for split in SPLITS),
    *("dead_letters-*-of-*.jsonl", "stats.json", "labels.json", "schema.pbtxt"),
]


class MergeImageSummaries(beam.CombineFn):
    """Adds up the shards' summaries."""

    def create_accumulator(self):
        return ImageSummary()

    def add_input(self, accumulator, summary):
        accumulator.merge(summary)
        return accumulator

    def merge_accumulators(self, accumulators):
        total = ImageSummary()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator):
        return accumulator


def list_pairs(root: str, listing) -> list[str]:
    """The pairs below an input, as text."""
    return [pair.to_text() for pair in listing(root)]


def key_by_shard(pair: str, shards: int) -> tuple[int, str]:
    """A pair and its shard, which depends on the pair's name alone."""
    return stable_hash(Pair.from_text(pair).name) % shards, pair


def write_summary(summary: ImageSummary, output: str, labels: LabelSet) -> None:
    """Writes `stats.json`, `labels.json` and `schema.pbtxt`."""
    write_text(FileSystems.join(output, "labels.json"), labels.to_json())
    write_text(FileSystems.join(output, "schema.pbtxt"), schema_text(summary, labels))
    stats = json.dumps(summary.to_stats(labels), indent=1) + "\n"
    write_text(FileSystems.join(output, "stats.json"), stats)  # last: the folder is whole


def build(pipeline: beam.Pipeline, inputs: list[str], listing, preparation: ImagePreparation) -> None:
    """The steps: list the pairs, group them by shard, write each shard, add up the counts, write them."""
    pairs = (
        pipeline
        | "inputs" >> beam.Create(inputs)
        | "list_pairs" >> beam.FlatMap(list_pairs, listing)
        | "key_by_shard" >> beam.Map(key_by_shard, preparation.shards)
    )
    empty_shards = pipeline | "shards" >> beam.Create([(shard, "") for shard in range(preparation.shards)])
    _ = (
        (pairs, empty_shards)
        | "with_empty_shards" >> beam.Flatten()
        | "group_by_shard" >> beam.GroupByKey()
        | "drop_marks" >> beam.MapTuple(lambda shard, names: (shard, [name for name in names if name]))
        | "write_shard" >> beam.ParDo(WriteImageShard(preparation))
        | "merge_summaries" >> beam.CombineGlobally(MergeImageSummaries())
        | "write_summary" >> beam.Map(write_summary, preparation.output, preparation.rules.labels)
    )


def run(own: argparse.Namespace, options: PipelineOptions) -> dict:
    """Runs the pipeline.

    Args:
        own: the pipeline's options. options: those of Beam.

    Returns:
        The content of `stats.json`.

    Raises:
        UserError: where an option is wrong, or there is nothing to read.
    """
    inputs, listing, preparation = plan(own)
    # The default, DirectRunner, would try to download another one.
    runner = None if options.get_all_options(drop_default=True).get("runner") else "FnApiRunner"
    with emptied(preparation.output, _WRITTEN), beam.Pipeline(runner, options=options) as pipeline:
        build(pipeline, inputs, listing, preparation)
    stats = json.loads(read_bytes(FileSystems.join(preparation.output, "stats.json")))
    if not stats["records"]["in"]:
        raise UserError(f"no picture was found in {' '.join(inputs)}")
    return stats


def report(stats: dict, output: str) -> int:
    """Tells on standard error what came of it; returns the exit code, as in `main`."""
    counts = stats["records"]
    print(f"{counts['in']} pairs in = {counts['out']} out + {counts['dead']} dead letters", file=sys.stderr)
    for reason, count in stats["dead_letters"].items():
        print(f"  {count} dead letters: {reason}", file=sys.stderr)
    for split, numbers in stats["splits"].items():
        sizes = ", ".join(list(numbers["sizes"])[:3]) + (", ..." if len(numbers["sizes"]) > 3 else "")
        present = sum(count > 0 for count in numbers["class_pixels"])
        print(f"{split}: {numbers['images']} pictures ({sizes}), {present} labels occur", file=sys.stderr)
    if "train" not in stats["splits"]:
        print(f"no picture is left to train on; the reasons are in {output}/dead_letters-*.jsonl", file=sys.stderr)
    return int("train" not in stats["splits"])


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines segmentation`.

    Returns:
        0; 1 where no picture is left to train on; 2 after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(own, options), own.output)

    return command("segmentation", argv, __doc__, EXAMPLES, add_arguments, prepare)
