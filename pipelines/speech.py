"""Prepares speech for a recogniser: WAV files -> TFRecords of log-mel frames and texts, statistics, dead letters.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: name, writer (the speaker), text, frames (float32 rows), length
  stats.json                          counts, ranges; names, mean and deviation of the bands over the training split
  vocabulary.json                     every character of the data; the blank between words first
  schema.pbtxt                        features and their domains (TensorFlow Metadata)
  dead_letters-*.jsonl                each utterance that could not be used, its file and the reason
The same input gives the same bytes, however many workers there are.
"""

from pipelines.arguments import command
from pipelines.labelled_frames import report, run
from pipelines.speech_options import EXAMPLES, add_arguments, plan


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines speech`.

    Returns:
        0; 1 where no utterance is left; 2 after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(*plan(own), options), own.output)

    return command("speech", argv, __doc__, EXAMPLES, add_arguments, prepare)
