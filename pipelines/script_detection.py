"""Prepares lines for a detector of Arabic script: pieces of Arabic, Latin and garbage on one line -> TFRecords.

Arabic: words cut out of printed lines, and some rendered from their transcriptions. Latin: rendered words, and some cut
out of printed lines. Garbage: either script upside down or mirrored, noise, figures. All pieces are brought to one
size; the line that they stand on is blurred, worn and specked as a whole. The books, faces and words of one split are
in no other. As those of training are few, its texts are bent, too: wider, narrower, leaning, heavier or lighter.

A network may not learn the source in place of the script: both scripts come printed and rendered. What remains: printed
Latin is rare (a sample of UW3), rendered Arabic has the faces of one family, and scanned Arabic brings vowel marks and
the feet of other lines that rendered Arabic lacks. `evaluate` therefore tells the accuracy of each source, too.

The folder that it writes:
  train-*, valid-*, test-*.tfrecord   tf.train.Examples: name; text, the class of each frame (" " background, "a"
                                      Arabic, "g" garbage, "l" Latin); writer, the source of each segment; frames;
                                      length
  stats.json                          counts, ranges; how pictures become frames, mean and deviation of the darkness
  vocabulary.json                     the classes' letters
  schema.pbtxt                        features and their domains (TensorFlow Metadata)
  dead_letters-*.jsonl                each line that could not be spliced, each printed line without a picture, and why
The same input gives the same bytes, however many workers there are.
"""

from pipelines.arguments import command
from pipelines.labelled_frames import report, run
from pipelines.script_detection_options import EXAMPLES, add_arguments, plan


def main(argv: list[str] | None = None) -> int:
    """`python -m pipelines script-detection`.

    Returns:
        0; 1 where no line is left; 2 after a user's mistake, named in one line on standard error.
    """

    def prepare(own, options):
        return report(run(*plan(own), options), own.output)

    return command("script-detection", argv, __doc__, EXAMPLES, add_arguments, prepare)
