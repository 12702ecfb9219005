"""The recogniser that reads what a model of handwriting writes, and `keras-seqgen write --best-of`."""

import sys
from typing import NamedTuple

import numpy as np

from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.systems import default_model
from keras_seqgen.errors import UserError

SYSTEM = "ink-recognition"


class Chosen(NamedTuple):
    """The best of several drawings of a line.

    strokes: (T, 3) rows (dx, dy, pen). seed: that draws it again. reading, cer, nats: see `decoding.legibility`.
    """

    strokes: np.ndarray
    seed: int
    reading: str | None
    cer: float
    nats: float


def open_reader(folder: str | None):
    """A recogniser of ink.

    Args:
        folder: of an exported model; `None` for what saved_models/ holds.

    Raises:
        UserError: there is none, or it reads something else.
    """
    import_tensorflow()
    from keras_seqgen.serving.recognition_load import SavedRecogniser

    try:
        chosen = folder or default_model(SYSTEM)
    except UserError as error:
        raise UserError(
            f"saved_models/ holds no {SYSTEM} model to read with: name one with --reader, or make one: "
            f"`keras-seqgen prepare {SYSTEM}`, `train`, and `export --to saved_models/{SYSTEM}`"
        ) from error
    reader = SavedRecogniser(chosen)
    if reader.system != SYSTEM:
        raise UserError(f"--reader must be an {SYSTEM} model; {reader.folder} is one of {reader.system}")
    return reader


def best_lines(writer, reader, texts, seeds, count, **options) -> list[Chosen]:
    """Draws each text several times and keeps what reads best.

    Line n of m is drawn with the seeds s_n, s_n + m, s_n + 2 m, ...: no two lines of consecutive seeds share one, and
    the first of them is what is drawn without a choice.

    Args:
        writer: a `LineWriter`.
        reader: of `open_reader`.
        texts: to be written. A blank at the beginning, as behind a primer, is not read.
        seeds: s_n, of each line.
        count: drawings of each line.
        options: of `LineWriter.write`: `bias`, `primers`, `replace`.

    Raises:
        UserError: the reader does not know a character, or what `LineWriter.write` raises.
    """
    from keras_seqgen.decoding.legibility import best_reading, judge
    from keras_seqgen.serving.recognition_inputs import MAX_POINTS

    asked = [writer.vocabulary.decode(writer.vocabulary.encode(text, options.get("replace"))) for text in texts]
    for text in asked:
        try:
            reader.vocabulary.encode(text.strip())
        except UserError as error:
            raise UserError(f"--best-of: the reader cannot judge {text!r}: {error}") from error
    tried = [[seed + number * len(texts) for number in range(count)] for seed in seeds]
    rows = [text for text in texts for _ in range(count)]
    drawings = writer.write(rows, seed=[seed for row in tried for seed in row], **options)
    chosen = []
    for n, text in enumerate(asked):
        own = drawings[n * count : (n + 1) * count]
        judged = judge(reader, text, own, MAX_POINTS)
        best = best_reading(judged)
        chosen.append(Chosen(own[best], tried[n][best], *judged[best]))
        mean = sum(judgement.cer for judgement in judged) / count
        told = f"reads {judged[best].reading!r}, CER {judged[best].cer:.3f} (mean of {count}: {mean:.3f})"
        print(f"seed {chosen[n].seed} {told}", file=sys.stderr)
    return chosen
