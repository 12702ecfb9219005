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
from pipelines.splits import SPLITS, ListSplit, stable_hash

_WRITTEN = [
    *(f"{split}-*-of-*.tfrecord" for split in SPLITS),
    *("dead_letters-*-of-*.jsonl", "stats.json", "labels.json", "schema.pbtxt"),
]
_SHOWN = 8  # labels that a line names


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


def check_listing(inputs: list[str], listing, split) -> list[str]:
    """Lists the pairs once before anything is written, so that mistakes in them cost nothing.

    Args:
        inputs: Folders. listing: Folder -> its pairs. split: Pair -> split.

    Returns:
        A pair without files, as text, for each name that the lists of `split` have and no input.

    Raises:
        UserError: where the pairs cannot be listed.
    """
    absent = set(split.members) if isinstance(split, ListSplit) else set()
    for root in inputs:
        for pair in listing(root):
            stable_hash(pair.name)
            absent.discard(pair.name)
    return [Pair(name, "", "").to_text() for name in sorted(absent)]


def write_summary(summary: ImageSummary, output: str, labels: LabelSet) -> None:
    """Writes `stats.json`, `labels.json` and `schema.pbtxt`."""
    write_text(FileSystems.join(output, "labels.json"), labels.to_json())
    write_text(FileSystems.join(output, "schema.pbtxt"), schema_text(summary, labels))
    stats = json.dumps(summary.to_stats(labels), indent=1) + "\n"
    write_text(FileSystems.join(output, "stats.json"), stats)  # last: the folder is whole


def build(
    pipeline: beam.Pipeline, inputs: list[str], listing, absent: list[str], preparation: ImagePreparation
) -> None:
    """The steps: list the pairs, group them by shard, write each shard, add up the counts, write them.

    Args:
        inputs, listing, preparation: of `plan`. absent: of `check_listing`; they become dead letters.
    """
    shards = preparation.shards
    pairs = (
        pipeline
        | "inputs" >> beam.Create(inputs)
        | "list_pairs" >> beam.FlatMap(list_pairs, listing)
        | "key_by_shard" >> beam.Map(key_by_shard, shards)
    )
    marks = [(shard, "") for shard in range(shards)]
    empty_shards = pipeline | "shards" >> beam.Create(marks + [key_by_shard(pair, shards) for pair in absent])
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
        UserError: where an option or an input is wrong, or there is nothing to read.
    """
    inputs, listing, preparation = plan(own)
    absent = check_listing(inputs, listing, preparation.rules.split)
    # The default, DirectRunner, would try to download another one.
    runner = None if options.get_all_options(drop_default=True).get("runner") else "FnApiRunner"
    with emptied(preparation.output, _WRITTEN), beam.Pipeline(runner, options=options) as pipeline:
        build(pipeline, inputs, listing, absent, preparation)
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
    if "train" in stats["splits"]:
        labels = json.loads(read_bytes(FileSystems.join(output, "labels.json")))
        for line in _missing_labels(stats["splits"]["train"], labels):
            print(line, file=sys.stderr)
    else:
        print(f"no picture is left to train on; the reasons are in {output}/dead_letters-*.jsonl", file=sys.stderr)
    return int("train" not in stats["splits"])


def _missing_labels(numbers: dict, labels: dict) -> list[str]:
    """Lines that name the labels that no training pixel has."""
    names, ignore = labels["names"] or map(str, range(labels["count"])), labels["ignore"]
    counts = enumerate(zip(names, numbers["class_pixels"], strict=True))
    missing = [name for label, (name, count) in counts if not count and label != ignore]
    if not missing:
        return []
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    lines = [f"labels that never occur in train: {', '.join(missing[:_SHOWN])}{more}"]
    if numbers["ignored_pixels"]:
        void = f"  {numbers['ignored_pixels']} of its pixels are {ignore}, which stands for no label"
        lines.append(f"{void}: masks of 0 and {ignore} must have the object's number, 1, in place of {ignore}")
    return lines


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines segmentation`.

    Returns:
        0; 1 where no picture is left to train on; 2 after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(own, options), own.output)

    return command("segmentation", argv, __doc__, EXAMPLES, add_arguments, prepare)
