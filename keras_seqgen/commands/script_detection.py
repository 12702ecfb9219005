"""`keras-seqgen detect`, and what `evaluate` and `export` do for script detection."""

import functools
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.systems import default_model, register_classes
from keras_seqgen.data.script_classes import CLASSES, segments_of, text_to_labels
from keras_seqgen.errors import UserError
from keras_seqgen.metrics.label_overlap import confusion
from keras_seqgen.metrics.segments import SegmentCounts, accuracies
from keras_seqgen.recipes.script_detection import check_unit, unit_of

# Nats that a change of class may cost, and one to or from background.
COSTS = tuple(itertools.product((0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0), (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)))
SMOOTHING = "smoothing.json"  # of a run: the costs that were chosen on its validation data
_BATCH = 32


class ScoredLine(NamedTuple):
    """A line of a prepared split: classes (T',), sources of its frames (T',), "" for background; log_prob (T', K)."""

    truth: np.ndarray
    sources: np.ndarray
    log_prob: np.ndarray


@dataclass
class Scores:
    """Frames by class and by source, and segments."""

    confusion: np.ndarray = field(default_factory=lambda: np.zeros((len(CLASSES), len(CLASSES)), np.int64))
    segments: SegmentCounts = field(default_factory=SegmentCounts)
    sources: dict[tuple[int, str], list[int]] = field(default_factory=dict)  # right frames, frames

    @property
    def frame_accuracy(self) -> float:
        """The share of all frames whose class was found."""
        return float(np.trace(self.confusion) / max(self.confusion.sum(), 1))

    def add(self, line: ScoredLine, labels: np.ndarray) -> None:
        """Counts a line whose frames were found to be of the classes `labels`."""
        self.confusion += confusion(line.truth, labels, len(CLASSES))
        self.segments.add(segments_of(line.truth), segments_of(labels))
        for source in sorted(set(line.sources) - {""}):
            at = line.sources == source
            for label in np.unique(line.truth[at]):
                here = at & (line.truth == label)
                counts = self.sources.setdefault((int(label), source), [0, 0])
                counts[0] += int((labels[here] == label).sum())
                counts[1] += int(here.sum())

    def report(self) -> dict:
        """frame_accuracy; CLASS_accuracy; segment_precision, segment_recall, segment_f1."""
        each = zip(CLASSES, accuracies(self.confusion), strict=True)
        numbers = {f"{name}_accuracy": float(value) if np.isfinite(value) else None for name, value in each}
        names = ("precision", "recall", "f1")
        found = {f"segment_{name}": getattr(self.segments, name) for name in names}
        return {"frame_accuracy": self.frame_accuracy, **numbers, **found}


def evaluate_run(run, recipe, data, split) -> dict:
    """The numbers of a run's best weights; chooses on `valid` what a change of class costs, if that was not done.

    Returns:
        A dict: `change_cost`, `background_cost`; with the path that they make `frame_accuracy`,
        `CLASS_accuracy`, `segment_precision`, `segment_recall`, `segment_f1` (`metrics.segments`), and the same with
        `unsmoothed_` before their names, each frame by itself; `CLASS_SOURCE_accuracy`, smoothed; `lines`, `segments`.
    """
    check_unit(data, run)
    predict = predictor(run)
    lines = list(read_split(predict, recipe.time_stride, data, split))
    named = _chosen(run)
    if named is None or split == "valid":
        validation = lines if split == "valid" else list(read_split(predict, recipe.time_stride, data, "valid"))
        named = dict(zip(("change_cost", "background_cost"), choose_costs(validation), strict=True))
        (Path(run) / SMOOTHING).write_text(json.dumps(named) + "\n", encoding="utf-8")
    return {**named, **report(lines, smoothed(lines, named.values()))}


def _chosen(run) -> dict | None:
    """The costs that were chosen for a run's best weights, if they were."""
    path, best = Path(run) / SMOOTHING, Path(run) / "best.keras"
    if not path.exists() or path.stat().st_mtime < best.stat().st_mtime:
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def evaluate_model(folder, data, split) -> dict:
    """The same numbers of an exported model, with its own cost of a change, by its signature `label_frames`."""
    tf = import_tensorflow()
    from keras_seqgen.serving.script_detection_load import SavedDetector

    model = SavedDetector(folder)
    unit = unit_of(data)
    width = model.signatures["label_frames"].structured_input_signature[1]["frames"].shape[-1]
    if (unit.kind, len(unit.names)) != (model.features, width):
        reads = f"{model.features} features, {width} in a frame"
        raise UserError(f"{data} holds {unit.form}; {folder} reads {reads}: prepare the data anew")
    paths = []

    def predict(frames, length):
        found = model.signatures["label_frames"](frames=tf.constant(frames), length=tf.constant(length))
        paths.extend(found["label"].numpy())
        return found["log_prob"].numpy()

    lines = list(read_split(predict, model.stride, data, split))
    return report(lines, [path[: len(line.truth)] for path, line in zip(paths, lines, strict=True)])


def export_run(run, recipe, to, card) -> Path:
    """Writes the next version of a SavedModel; its folder.

    Raises:
        UserError: no cost of a change was chosen for the run's best weights.
    """
    from keras_seqgen.serving.script_detection import export_detector

    if (named := _chosen(run)) is None:
        raise UserError(
            f"`keras-seqgen evaluate --run {run}` must first choose on `valid` what a change of class costs"
        )
    return export_detector(model_of(run), unit_of(run), (named["change_cost"], named["background_cost"]), to, card)


def model_of(run):
    """A run's best weights."""
    register_classes()
    import keras

    return keras.models.load_model(Path(run) / "best.keras", compile=False)


def predictor(run) -> Callable:
    """Frames (B, T, D), not normalised, and lengths (B,) -> log-probabilities (B, T', K), by a run's best weights."""
    tf = import_tensorflow()
    model, unit = model_of(run), unit_of(run)

    @tf.function(reduce_retracing=True)
    def log_softmax(frames, length):
        return tf.nn.log_softmax(model({"frames": unit.normalise(frames), "length": length}, training=False))

    return lambda frames, length: log_softmax(tf.constant(frames), tf.constant(length)).numpy()


def read_split(predict, stride, data, split) -> Iterator[ScoredLine]:
    """The lines of a prepared split with what a network makes of them, in the files' order.

    Args:
        predict: as `predictor` makes it. stride: frames for one of the network's. data, split: as everywhere.

    Raises:
        UserError: the folder is not one of spliced lines, or has no such split.
    """
    tf = import_tensorflow()
    from keras_seqgen.data.recognition_schema import from_example

    unit_of(data)
    files = sorted(str(path) for path in Path(data).glob(f"{split}-*-of-*.tfrecord"))
    if not files:
        raise UserError(f"{data} has no split {split!r}: no file {split}-*.tfrecord. Prepare it first.")
    for records in tf.data.TFRecordDataset(files).batch(_BATCH).as_numpy_iterator():
        lines = [from_example(record) for record in records]
        length = np.array([len(line.frames) for line in lines], np.int32)
        frames = np.zeros((len(lines), length.max(), lines[0].frames.shape[1]), np.float32)
        for row, line in zip(frames, lines, strict=True):
            row[: len(line.frames)] = line.frames
        log_prob = predict(frames, length)
        for line, rows in zip(lines, log_prob, strict=True):
            labels = text_to_labels(line.text)
            sources = np.full(len(labels), "", object)
            for segment, source in zip(segments_of(labels), line.writer.split(), strict=True):
                sources[segment.begin : segment.end] = source
            truth = labels[::stride]
            yield ScoredLine(truth, sources[::stride], rows[: len(truth)])


@functools.cache
def _compiled_viterbi():
    tf = import_tensorflow()
    from keras_seqgen.decoding.viterbi import viterbi

    kinds = [tf.TensorSpec([None] * rank, kind) for rank, kind in ((3, tf.float32), (1, tf.int32), (2, tf.float32))]
    return tf.function(viterbi, input_signature=kinds)


def smoothed(lines, costs) -> list[np.ndarray]:
    """The classes of each line's frames by the likeliest path."""
    from keras_seqgen.decoding.viterbi import change_cost

    length = np.array([len(line.truth) for line in lines], np.int32)
    scores = np.zeros((len(lines), length.max(initial=0), len(CLASSES)), np.float32)
    for row, line in zip(scores, lines, strict=True):
        row[: len(line.truth)] = line.log_prob
    paths = _compiled_viterbi()(scores, length, change_cost(len(CLASSES), *costs)).numpy()
    return [path[:n] for path, n in zip(paths, length, strict=True)]


def choose_costs(lines) -> tuple[float, float]:
    """The costs of a change that give the greatest sum of the segments' F1 and frame accuracy, of equals the least."""

    def merit(costs):
        scores = score(lines, smoothed(lines, costs))
        return scores.segments.f1 + scores.frame_accuracy, -sum(costs)

    return max(COSTS, key=merit)


def score(lines, paths) -> Scores:
    """Lines and the classes that were found of their frames -> numbers."""
    scores = Scores()
    for line, path in zip(lines, paths, strict=True):
        scores.add(line, path)
    return scores


def report(lines, paths) -> dict:
    """The numbers of smoothed paths, of each frame by itself, and of each source of pieces."""
    smooth = score(lines, paths)
    plain = score(lines, [line.log_prob.argmax(axis=1) for line in lines]).report()
    sources = {
        f"{CLASSES[label]}_{source}_accuracy": right / count
        for (label, source), (right, count) in sorted(smooth.sources.items())
    }
    unsmoothed = {f"unsmoothed_{name}": value for name, value in plain.items()}
    return {**smooth.report(), **unsmoothed, **sources, "lines": len(lines), "segments": smooth.segments.there}


def detect(arguments) -> int:
    """Prints the segments of pictures of lines."""
    pictures = []
    for path in arguments.image:
        try:
            pictures.append(Path(path).read_bytes())
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
    import_tensorflow()
    from keras_seqgen.serving.script_detection_load import SavedDetector

    model = SavedDetector(arguments.model or default_model("script-detection"))
    found = []
    for path, picture in zip(arguments.image, pictures, strict=True):
        try:
            found.append(model.detect([picture])[0])
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
    if arguments.json:
        images = [
            {"image": path, "segments": [segment._asdict() for segment in segments]}
            for path, segments in zip(arguments.image, found, strict=True)
        ]
        print_json({"images": images})
        return 0
    for path, segments in zip(arguments.image, found, strict=True):
        for segment in segments:
            print(f"{path}\t{segment.begin:.0f}\t{segment.end:.0f}\t{segment.label}\t{segment.confidence:.3f}")
    return 0
