"""`keras-seqgen write`, and what `evaluate` and `export` do for handwriting."""

import json
import math
import sys
from pathlib import Path

import numpy as np

from keras_seqgen.commands.data import print_json, read_lines
from keras_seqgen.commands.ink_reader import best_lines, open_reader
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.systems import default_model
from keras_seqgen.errors import UserError


def evaluate_run(run, recipe, data, split) -> dict:
    """The numbers of a run's best weights."""
    import keras

    from keras_seqgen.training.evaluation import evaluate_handwriting

    return evaluate_handwriting(keras.models.load_model(run / "best.keras"), recipe, data, split, run)


def export_run(run, recipe, to, card) -> Path:
    """Writes the next version of a SavedModel; its folder."""
    if not recipe.text:
        raise UserError(f"{run} was trained without texts: there is nothing that `write` could ask of it")
    import keras

    from keras_seqgen.data.strokes import StrokeStatistics
    from keras_seqgen.data.vocabulary import Vocabulary
    from keras_seqgen.serving import export_handwriting

    model = keras.models.load_model(run / "best.keras", compile=False)
    unit = StrokeStatistics.load(run / "stats.json")
    return export_handwriting(model, Vocabulary.load(run / "vocabulary.json"), unit.mean, unit.std, to, card)


def write(arguments) -> int:
    """Writes lines with an exported model to a file."""
    from keras_seqgen.viz.ink import check_suffix, save_ink

    check_suffix(arguments.output)
    if arguments.best_of is not None and arguments.best_of < 1:
        raise UserError(f"--best-of must be positive. Received: {arguments.best_of}")
    if arguments.reader and arguments.best_of is None:
        raise UserError("--reader is for --best-of N: without it nothing is read")
    primer = _read_primer(arguments.prime, arguments.prime_text) if arguments.prime or arguments.prime_text else None
    writer = _remote_writer(arguments) if arguments.server else _local_writer(arguments)
    if primer and arguments.server:
        print("the primer is sent as it is: a server takes it in the unit of its model's data", file=sys.stderr)
    elif primer:
        primer = _in_unit_of(writer.folder, primer[0]), primer[1]
    texts, seeds = arguments.text, _seeds(arguments.seed, len(arguments.text))
    asked = [f" {text}" for text in texts] if primer else texts
    options = {"bias": arguments.bias, "primers": primer, "replace": arguments.replace}
    judged = {}
    if arguments.best_of is None:
        lines = writer.write(asked, seed=seeds, **options)
    else:
        reader = open_reader(arguments.reader)
        if reader.features == "raw":  # its export does not tell that unit
            print("the reader takes ink in the unit of its training data; it is read as written", file=sys.stderr)
        chosen = best_lines(writer, reader, asked, seeds, arguments.best_of, **options)
        lines, seeds = [one.strokes for one in chosen], [one.seed for one in chosen]
        judged = {"best_of": arguments.best_of, "readings": [one.reading for one in chosen]}
        judged |= {"cer": [one.cer for one in chosen]}
    for text, line in zip(texts, lines, strict=True):
        if not len(line):
            raise UserError(f"the model wrote nothing for {text!r}; try another --seed")
    save_ink(arguments.output, lines if len(texts) > 1 else lines[0], texts if len(texts) > 1 else texts[0])
    print(arguments.output, file=sys.stderr)
    if arguments.json:
        points = [len(line) for line in lines]
        model = writer.url if arguments.server else str(writer.folder)
        report = {"file": arguments.output, "model": model, "texts": texts, "points": points, "seeds": seeds}
        print_json(report | judged)
    return 0


def _seeds(given: list[int], lines: int) -> list[int]:
    """A seed for each line: as given, or the one that was given and those after it."""
    if len(given) not in (1, lines):
        raise UserError(f"--seed must be one number, or one for each of the {lines} lines. Received: {len(given)}")
    return given if len(given) == lines else [given[0] + number for number in range(lines)]


def _local_writer(arguments):
    model = arguments.model or default_model("handwriting")
    import_tensorflow()
    from keras_seqgen.serving import SavedHandwriting

    return SavedHandwriting(model)


def _remote_writer(arguments):
    from keras_seqgen.client import RemoteHandwriting

    return RemoteHandwriting(arguments.server, arguments.model or "handwriting")


def evaluate_model(folder: str, data: str, split: str) -> dict:
    """The numbers of `evaluate` by a SavedModel's `score` signature, in the unit of the model's own training data."""
    import_tensorflow()
    from keras_seqgen.data.strokes import StrokeStatistics
    from keras_seqgen.serving import SavedHandwriting

    model = SavedHandwriting(folder)
    lines = sorted(read_lines(data, split, -1), key=lambda line: len(line.strokes))
    nats = points = 0.0
    for start in range(0, len(lines), 32):
        batch = lines[start : start + 32]
        length = np.array([len(line.strokes) for line in batch], np.int32)
        strokes = np.stack([np.pad(line.strokes, ((0, length.max() - len(line.strokes)), (0, 0))) for line in batch])
        result = _score(model, strokes, length, [line.text for line in batch])
        nats, points = nats + float(result.sum()), points + int(length.sum())
    unit = StrokeStatistics.load(model.folder / "assets.extra" / "stats.json")
    return {
        "nats_per_sequence": nats / len(lines),
        "nats_per_point": nats / points,
        "nats_per_point_raw": nats / points + math.log(float(unit.std[0]) * float(unit.std[1])),
        "sequences": len(lines),
        "points": int(points),
    }


def _score(model, strokes: np.ndarray, length: np.ndarray, texts: list[str]) -> np.ndarray:
    tf = import_tensorflow()
    result = model.signatures["score"](
        strokes=tf.constant(strokes, tf.float32), length=tf.constant(length), text=tf.constant(texts)
    )
    errors = [message.decode() for message in result["error"].numpy() if message]
    if errors:
        raise UserError(errors[0])
    return result["nats"].numpy()


def _read_primer(path: str | None, text: str | None) -> tuple[np.ndarray, str]:
    """Strokes and text of the one line of ink in a file."""
    if not path:
        raise UserError("--prime-text needs --prime, a file of ink")
    from keras_seqgen.data.ink_formats import read_ink
    from keras_seqgen.data.ink_records import BadRecord, check_trace
    from keras_seqgen.data.strokes import points_to_offsets

    records = _read_points(path) if path.endswith(".json") else read_ink(path)
    if not records:
        raise UserError(f"{path} holds no line of ink")
    if len(records) > 1:
        raise UserError(f"{path} holds {len(records)} lines of ink: --prime takes a file of one")
    (record,) = records
    if isinstance(record, BadRecord):
        raise UserError(f"{path}: {record.name} cannot be used: {record.detail}")
    try:
        trace = check_trace(record.trace)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not (text or record.text):
        raise UserError(f"{path} does not tell what it says: give --prime-text")
    return points_to_offsets(trace.points, trace.pen), text or record.text


def _in_unit_of(model: Path, strokes: np.ndarray) -> np.ndarray:
    """The primer in the unit of the model's data: a sample drawn on a screen is in pixels.

    Steps that are, in root mean square, within a factor of 2 of the model's are left as they are: that is a large or a
    small hand, or a quick one.
    """
    usual = usual_step(model / "assets.extra" / "stats.json")
    own = math.sqrt(float((strokes[:, :2] ** 2).sum(axis=1).mean())) if len(strokes) else 0.0
    if not own > 0:
        raise UserError("the ink of --prime does not move")
    if 0.5 <= own / usual <= 2:
        return strokes
    print(f"the primer is scaled by {usual / own:.3g} to the unit of the model's data", file=sys.stderr)
    return strokes * np.array([usual / own, usual / own, 1], np.float32)


def usual_step(stats: Path) -> float:
    """The length of a step of the data that a stats.json tells of, in root mean square: the unit of their ink."""
    from keras_seqgen.data.strokes import StrokeStatistics

    unit = StrokeStatistics.load(stats)
    return math.sqrt(float((unit.std**2).sum() + (unit.mean**2).sum()))


def _read_points(path: str) -> list:
    """The lines of what `write -o line.json` writes, as `RawLine`s."""
    from keras_seqgen.data.ink_records import RawLine
    from keras_seqgen.data.strokes import Trace

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        lines = []
        for record in content.get("lines", [content]):
            points = np.asarray(record["points"], np.float64)
            trace = Trace(points[:, :2], points[:, 2])
            lines.append(RawLine(path, path, "", record.get("text", ""), trace))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no points as `write -o line.json` writes them: {error}") from error
    return lines
