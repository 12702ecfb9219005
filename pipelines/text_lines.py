"""Prepares lines of print for a recogniser: pictures -> TFRecords of frames and texts, statistics, dead letters.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: name, writer (the book), text, frames (float32 rows), length
  stats.json                          counts, ranges; how pictures become frames, mean and deviation of the darkness
  vocabulary.json                     every character of the data; the blank between words first
  schema.pbtxt                        features and their domains (TensorFlow Metadata)
  dead_letters-*.jsonl                each line that could not be used, its file and the reason
The same input gives the same bytes, however many workers there are.
"""

import logging
import sys

from keras_seqgen.errors import UserError
from pipelines.arguments import parse
from pipelines.labelled_frames import report, run
from pipelines.text_lines_options import EXAMPLES, add_arguments, plan


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines text-lines`.

    Returns:
        0; 1 where no line is left; 2 after a user's mistake, named in one line on standard error.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    logging.getLogger("pipelines").setLevel(logging.INFO)
    try:
        own, options = parse("text-lines", argv, __doc__, EXAMPLES, add_arguments)
        return report(run(*plan(own), options), own.output)
    except SystemExit as stop:  # argparse: --help, or a mistake that it has told
        return int(stop.code or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
