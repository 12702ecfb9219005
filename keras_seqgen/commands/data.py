"""`keras-seqgen prepare` and `show`."""

import json
import sys
from pathlib import Path

from keras_seqgen.errors import UserError


def prepare(arguments) -> int:
    """Hands the options to the pipeline of the system; its exit code."""
    from pipelines.__main__ import PIPELINES, main

    if arguments.system not in PIPELINES:
        raise UserError(f"there is no pipeline `{arguments.system}`; there are: {', '.join(PIPELINES)}")
    return main([arguments.system, *arguments.options])


def show(arguments) -> int:
    """Draws curves, lines, labelled pictures, or what a language model thinks of a text."""
    if arguments.what in ("guesses", "activations", "cells"):
        from keras_seqgen.commands.text_pictures import show as show_text

        return show_text(arguments)
    from keras_seqgen.commands.segmentation import show_pictures

    if not arguments.folders:
        raise UserError(f"`show {arguments.what}` needs a folder; `keras-seqgen show --help` shows examples")
    arguments.count = 8 if arguments.count is None else arguments.count
    {"curves": _show_curves, "lines": _show_lines, "pictures": show_pictures}[arguments.what](arguments)
    print(arguments.output, file=sys.stderr)
    return 0


def _show_curves(arguments) -> None:
    from keras_seqgen.viz.curves import read_log, save_curves

    names = [Path(folder).name for folder in arguments.folders]
    labels = names if len(set(names)) == len(names) else arguments.folders
    logs = {label: Path(folder) / "log.csv" for label, folder in zip(labels, arguments.folders, strict=True)}
    columns = arguments.column
    if not columns:
        known = set().union(*(read_log(log) for log in logs.values()))
        columns = [name for name in ("val_nats_per_sequence", "val_loss", "loss") if name in known][:1]
    save_curves(arguments.output, logs, columns, against=arguments.against)


def _show_lines(arguments) -> None:
    from keras_seqgen.viz.ink import save_ink

    if arguments.count < 1:
        raise UserError(f"`--count` must be positive. Received: {arguments.count}")
    lines = [line for folder in arguments.folders for line in read_lines(folder, arguments.split, arguments.count)]
    save_ink(arguments.output, [line.strokes for line in lines], [line.text for line in lines])


def read_lines(folder: str | Path, split: str, count: int) -> list:
    """The first `count` lines of a prepared split, all where it is -1.

    Raises:
        UserError: there is no such split, it is empty, or it holds no lines of handwriting.
    """
    from keras_seqgen.commands.quiet import import_tensorflow
    from keras_seqgen.data.schema import from_example

    files = sorted(str(path) for path in Path(folder).glob(f"{split}-*-of-*.tfrecord"))
    if not files:
        raise UserError(f"{folder} has no split {split!r}: write it with `keras-seqgen prepare` first")
    records = import_tensorflow().data.TFRecordDataset(files).take(count)
    try:
        lines = [from_example(record) for record in records.as_numpy_iterator()]
    except UserError as error:
        raise UserError(
            f"{folder} holds no handwriting ({error}): name a folder that `keras-seqgen prepare handwriting` wrote"
        ) from error
    if not lines:
        raise UserError(f"the split {split!r} of {folder} is empty: name another with --split")
    return lines


def print_json(content: dict) -> None:
    """One JSON object on standard output."""
    print(json.dumps(content, ensure_ascii=False))
