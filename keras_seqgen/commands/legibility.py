"""`keras-seqgen evaluate handwriting --legibility`: a recogniser reads what a model writes, and what people wrote."""

import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from keras_seqgen.commands.data import print_json, read_lines
from keras_seqgen.commands.handwriting import usual_step
from keras_seqgen.commands.ink_reader import open_reader
from keras_seqgen.commands.recognition import error_rates
from keras_seqgen.errors import UserError
from keras_seqgen.metrics.bootstrap import rate_interval
from keras_seqgen.metrics.edit_distance import edit_distance


def evaluate_legibility(arguments) -> int:
    """Prints the reader's error rates on real lines and on the same texts as the model writes them at each bias.

    Line n of those taken is written with the seed `--seed` + n, the same at every bias.
    """
    count = 300 if arguments.lines is None else arguments.lines
    biases, seed = arguments.bias or [0.0, 0.5, 1.0, 2.0], arguments.seed or 0
    if count < 1:
        raise UserError(f"--lines must be positive. Received: {count}")
    reader = open_reader(arguments.reader)
    writer, stats = _writer(arguments)
    lines, left_out = choose_lines(read_lines(arguments.data, arguments.split, -1), writer, reader.vocabulary, count)
    texts = [line.text for line in lines]
    real = _read(reader, texts, [line.strokes for line in lines], "real lines")
    scale = 1.0
    if reader.features == "raw":
        scale = unit_ratio(usual_step(Path(arguments.data) / "stats.json"), usual_step(stats))
    written = []
    for bias in biases:
        drawings = write_texts(writer, texts, bias, seed, f"bias {bias:g}")
        drawings = [drawing * np.array([scale, scale, 1.0], np.float32) for drawing in drawings]
        written.append({"bias": bias, **_read(reader, texts, drawings, f"bias {bias:g}")})
    report = {
        "split": arguments.split,
        "model": arguments.folder or str(writer.folder),
        "reader": str(reader.folder),
        "lines": len(lines),
        "left_out": left_out,
        "seed": seed,
        "real": real,
        "written": written,
    }
    if arguments.json:
        print_json(report)
    else:
        print(table(report))
    return 0


def _writer(arguments):
    """A `LineWriter`, and the file that tells its unit."""
    if arguments.model:
        from keras_seqgen.serving import SavedHandwriting

        saved = SavedHandwriting(arguments.model)
        return saved, saved.folder / "assets.extra" / "stats.json"
    import keras

    from keras_seqgen.data.strokes import StrokeStatistics
    from keras_seqgen.data.vocabulary import Vocabulary
    from keras_seqgen.decoding import HandwritingWriter
    from keras_seqgen.recipes import load_recipe

    run = Path(arguments.folder)
    if not load_recipe(run)[1].text:
        raise UserError(f"{run} was trained without texts: there is nothing in what it writes that could be read")
    if not (run / "best.keras").exists():
        raise UserError(f"{run} has no best.keras yet: train for at least one epoch")
    model = keras.models.load_model(run / "best.keras", compile=False)
    unit = StrokeStatistics.load(run / "stats.json")
    return HandwritingWriter(model, Vocabulary.load(run / "vocabulary.json"), unit.mean, unit.std), run / "stats.json"


def choose_lines(lines, writer, alphabet, count: int):
    """The lines whose texts can be written and read, evenly taken, and how many others there are, by the reason.

    Args:
        lines: `data.schema.InkLine`s.
        writer: a `LineWriter`.
        alphabet: the reader's `Vocabulary`.
        count: how many lines at most.

    Raises:
        UserError: no line is left.
    """
    from keras_seqgen.serving.recognition_inputs import MAX_POINTS

    kept = []
    left_out: Counter[str] = Counter()
    for line in lines:
        characters = set(line.text)
        if not line.text.strip():
            left_out["no text"] += 1
        elif characters - writer.vocabulary.ids.keys():
            left_out["a character that the writer does not have"] += 1
        elif characters - alphabet.ids.keys():
            left_out["a character that the reader does not have"] += 1
        elif len(line.text) > writer.max_characters:
            left_out["a text too long to be written"] += 1
        elif not 1 <= len(line.strokes) < MAX_POINTS:
            left_out["ink too long or too short to be read"] += 1
        else:
            kept.append(line)
    if not kept:
        reasons = "; ".join(f"{why}: {number}" for why, number in left_out.items()) or "the split is empty"
        raise UserError(f"no line can be both written and read: {reasons}")
    taken = np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int)
    return [kept[n] for n in taken], dict(left_out)


def unit_ratio(data: float, own: float) -> float:
    """What a drawing is multiplied by to be in the unit of the data, where the two differ by a factor of 2 or more."""
    if 0.5 < own / data < 2:
        return 1.0
    print(f"what is written is scaled by {data / own:.3g} to the unit of the data", file=sys.stderr)
    return data / own


def write_texts(writer, texts, bias: float, seed: int, name: str) -> list[np.ndarray]:
    """The drawings (T, 3) of texts, in their order; of at most as many points as can be read."""
    from keras_seqgen.decoding.line_writer import ROWS_AT_ONCE, default_limit
    from keras_seqgen.serving.recognition_inputs import MAX_POINTS

    started = time.monotonic()
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))  # a batch goes on as long as its longest row
    drawings: list[np.ndarray] = [np.zeros((0, 3), np.float32)] * len(texts)
    for first in range(0, len(order), ROWS_AT_ONCE):
        rows = order[first : first + ROWS_AT_ONCE]
        found = writer.write(
            [texts[n] for n in rows],
            bias=bias,
            seed=[seed + n for n in rows],
            max_points=[min(default_limit(len(texts[n])), MAX_POINTS - 1) for n in rows],
        )
        for n, drawing in zip(rows, found, strict=True):
            drawings[n] = drawing
        done = first + len(rows)
        print(f"{name}: {done} of {len(order)} lines written, {time.monotonic() - started:.0f} s", file=sys.stderr)
    return drawings


def _read(reader, texts, drawings, name: str) -> dict:
    from keras_seqgen.decoding.legibility import read_strokes
    from keras_seqgen.serving.recognition_inputs import MAX_POINTS

    started = time.monotonic()
    rates = measure(texts, read_strokes(reader, drawings, MAX_POINTS))
    told = f"{name}: {len(texts)} lines read, {time.monotonic() - started:.0f} s, CER {rates['cer']:.4f}"
    print(told, file=sys.stderr)
    return rates


def measure(texts, readings) -> dict:
    """`cer`, `wer`, `exact`, and `cer_interval`, 95 % by the bootstrap over lines."""
    pairs = [(text.strip(), reading.strip()) for text, reading in zip(texts, readings, strict=True)]
    interval = rate_interval([edit_distance(*pair) for pair in pairs], [len(text) for text, _ in pairs])
    return {**error_rates(texts, {"best_path": readings}), "cer_interval": interval}


def table(report: dict) -> str:
    """The numbers of a report for people."""
    rows = [f"{'':12} {'CER':>7}   {'95 % interval':15} {'WER':>7} {'exact':>7}"]
    for row in (report["real"], *report["written"]):
        name = f"bias {row['bias']:g}" if "bias" in row else "real lines"
        low, high = row["cer_interval"]
        interval = f"{low:.4f} - {high:.4f}"
        rows.append(f"{name:12} {row['cer']:7.4f}   {interval:15} {row['wer']:7.4f} {row['exact']:7.4f}")
    rows.append(f"{report['lines']} lines of {report['split']}")
    rows += [f"left out: {number} with {why}" for why, number in report["left_out"].items()]
    return "\n".join(rows)
