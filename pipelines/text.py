"""Prepares text for training: files of text -> contiguous streams of token ids, statistics, vocabulary, dead letters.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: first (number of the first token), ids (up to 65,536 ids)
  vocabulary.json                     the tokens of the training split, by default; id 0 is padding
  stats.json                          per split: tokens, unknown ones, characters, bytes, lines, documents
  schema.pbtxt                        features and their domains (TensorFlow Metadata)
  dead_letters-*.jsonl                bytes that are no UTF-8 (file, offset), files that cannot be used: with reasons
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
from pipelines.splits import SPLITS
from pipelines.text_options import EXAMPLES, add_arguments, plan
from pipelines.text_shards import ScanPiece, TextPreparation, WriteTextShard, dead_letter, plan_shards, usable
from pipelines.text_sources import Document, measure
from pipelines.text_summary import MergeTextSummaries, TextSummary, schema_text
from pipelines.text_tokens import MergeTokenCounts, TokenCounts

_WRITTEN = [
    *(f"{split}-*-of-*.tfrecord" for split in SPLITS),
    *("dead_letters-*.jsonl", "stats.json", "vocabulary.json", "schema.pbtxt"),
]


def list_pieces(_, documents: list[Document], preparation: TextPreparation):
    """The pieces of all documents that can be used."""
    yield from preparation.split.pieces(usable(documents))


def make_vocabulary(counts: TokenCounts, preparation: TextPreparation) -> Vocabulary:
    """The given vocabulary, or one of the counts."""
    return preparation.vocabulary or counts.vocabulary(preparation.form, preparation.min_count)


def write_summary(
    summary: TextSummary, documents: list[Document], vocabulary: Vocabulary, preparation: TextPreparation
) -> None:
    """Writes `stats.json`, `vocabulary.json`, `schema.pbtxt` and the dead letters of whole documents."""
    documents = sorted(documents, key=lambda document: document.number)
    output, letters = preparation.output, []
    for document in documents:
        reason, _, detail = document.fault.partition(": ")
        if reason:
            letters.append(dead_letter(document, reason, detail, 0, document.size))
    if letters:
        write_text(FileSystems.join(output, "dead_letters-documents.jsonl"), b"".join(letters).decode("utf-8"))
    stats = summary.to_stats(documents, vocabulary, given=preparation.vocabulary is not None)
    write_text(FileSystems.join(output, "vocabulary.json"), vocabulary.to_json())
    write_text(FileSystems.join(output, "schema.pbtxt"), schema_text(vocabulary))
    write_text(FileSystems.join(output, "stats.json"), json.dumps(stats, indent=1) + "\n")  # last: the folder is whole


def build(pipeline: beam.Pipeline, documents: list[Document], preparation: TextPreparation) -> None:
    """The steps: measure the documents, count their tokens, encode them shard by shard, add up and write the counts."""
    start = pipeline | "start" >> beam.Create([None])
    measured = beam.pvalue.AsList(
        pipeline
        | "documents" >> beam.Create(documents)
        | "spread_documents" >> beam.Reshuffle()
        | "measure" >> beam.Map(measure, preparation.form.check)
    )
    scanned = (
        start
        | "list_pieces" >> beam.FlatMap(list_pieces, measured, preparation)
        | "spread_pieces" >> beam.Reshuffle()
        | "scan_piece" >> beam.ParDo(ScanPiece(preparation)).with_outputs("tokens", main="sizes")
    )
    vocabulary = beam.pvalue.AsSingleton(
        scanned.tokens
        | "merge_counts" >> beam.CombineGlobally(MergeTokenCounts())
        | "make_vocabulary" >> beam.Map(make_vocabulary, preparation)
    )
    _ = (
        start
        | "plan_shards" >> beam.FlatMap(plan_shards, measured, beam.pvalue.AsList(scanned.sizes), preparation)
        | "spread_shards" >> beam.Reshuffle()
        | "write_shard" >> beam.ParDo(WriteTextShard(preparation), vocabulary)
        | "merge_summaries" >> beam.CombineGlobally(MergeTextSummaries())
        | "write_summary" >> beam.Map(write_summary, measured, vocabulary, preparation)
    )


def run(own: argparse.Namespace, options: PipelineOptions) -> dict:
    """Runs the pipeline.

    Returns:
        The content of `stats.json`.

    Raises:
        UserError: where an option is wrong, or there is nothing to read.
    """
    documents, preparation = plan(own)
    # The default, DirectRunner, would try to download another one.
    runner = None if options.get_all_options(drop_default=True).get("runner") else "FnApiRunner"
    with emptied(preparation.output, _WRITTEN), beam.Pipeline(runner, options=options) as pipeline:
        build(pipeline, documents, preparation)
    stats = json.loads(read_bytes(FileSystems.join(preparation.output, "stats.json")))
    if not stats["documents"]["out"]:
        faults = ", ".join(f"{count} {reason}" for reason, count in stats["dead_letters"].items())
        raise UserError(f"there is no text to read: of {len(documents)} files, {faults} ({documents[0].path} ...)")
    return stats


def report(stats: dict, output: str) -> int:
    """Tells on standard error what came of it; returns the exit code, as in `main`."""
    for name in ("documents", "bytes"):
        counts = stats[name]
        print(f"{counts['in']} {name} in = {counts['out']} out + {counts['dead']} dead", file=sys.stderr)
    for reason, count in stats["dead_letters"].items():
        print(f"  {count} dead letters: {reason}", file=sys.stderr)
    print(f"vocabulary: {stats['vocabulary']['size']} {stats['vocabulary']['kind']}s", file=sys.stderr)
    lost = 0
    for split, counts in stats["splits"].items():
        print(f"{split}: " + ", ".join(f"{count} {name}" for name, count in counts.items()), file=sys.stderr)
        lost += 0 if stats["vocabulary"]["has_unknown"] else counts["unknown"]
    if lost:
        print(f"{lost} tokens are not in the vocabulary, which has no <unk>: they are left out", file=sys.stderr)
    if not stats["splits"].get("train", {}).get("tokens") and not stats["vocabulary"]["given"]:
        print(f"no text is left to train on; see {output}/stats.json", file=sys.stderr)
        return 1
    return int(lost > 0)


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines text`.

    Returns:
        0; 1 where no text is left to train on, or tokens were lost because a given vocabulary does not have them; 2
        after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(own, options), own.output)

    return command("text", argv, __doc__, EXAMPLES, add_arguments, prepare)
