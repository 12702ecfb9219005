"""`keras-seqgen show guesses`, `show activations` and `show cells`: Karpathy's pictures of a language model."""

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.systems import register_classes
from keras_seqgen.data.text_properties import PROPERTIES, text_property
from keras_seqgen.data.vocabulary import END, Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.viz.text_page import check_suffix

_CONTEXT = 2000  # tokens that are read before those that are drawn
_SEARCHED = 100_000  # tokens
_DRAWN = 400  # tokens


def show(arguments) -> int:
    """Draws what `arguments.what` says: "guesses", "activations" or "cells"."""
    if check_suffix(arguments.output) == "-" and arguments.json:
        raise UserError("--json and `-o -` both write to standard output: name a file")
    if arguments.start < 0:
        raise UserError(f"--start must not be negative. Received: {arguments.start}")
    if arguments.count is not None and arguments.count < 1:
        raise UserError(f"--count must be positive. Received: {arguments.count}")
    model, vocabulary = _load(arguments.run_folder)
    {"guesses": _guesses, "activations": _activations, "cells": _cells}[arguments.what](arguments, model, vocabulary)
    if arguments.output != "-":
        print(arguments.output, file=sys.stderr)
    return 0


def _guesses(arguments, model, vocabulary) -> None:
    from keras_seqgen.viz.text import save_guesses

    tokens, reading = _read_stretch(arguments, model, vocabulary)
    guesses = [[vocabulary.tokens[number - 1] for number in row] for row in reading.guesses]
    bits = float(reading.nats.mean()) / math.log(2)
    title = f"{Path(arguments.run_folder).name}: {bits:.2f} bits per {vocabulary.kind}"
    likelihoods = np.exp(-reading.nats)
    save_guesses(arguments.output, tokens, guesses, reading.probabilities, likelihoods=likelihoods, title=title)
    if arguments.json:
        pairs = [
            [[guess, round(float(chance), 4)] for guess, chance in zip(*row, strict=True)]
            for row in zip(guesses, reading.probabilities, strict=True)
        ]
        print_json({"bits_per_token": bits, "tokens": tokens, "guesses": pairs})


def _activations(arguments, model, vocabulary) -> None:
    from keras_seqgen.decoding.activations import state_names
    from keras_seqgen.viz.text import save_activations

    if not arguments.cell:
        raise UserError("--cell is missing: c1.0 is the first cell of layer 1; `show cells` finds those that tell much")
    names = [name for name, _ in state_names(model)]
    states = [name for name in names if any(cell.startswith(f"{name}.") for cell in arguments.cell)]
    tokens, reading = _read_stretch(arguments, model, vocabulary, states)
    known = {name: number for number, name in enumerate(reading.cells)}
    if missing := [cell for cell in arguments.cell if cell not in known]:
        sizes = ", ".join(f"{name}.0 to {name}.{size - 1}" for name, size in state_names(model))
        raise UserError(f"the network has no cell {', '.join(missing)}; there are {sizes}")
    tracks = {}
    for cell in arguments.cell:
        track = reading.states[:, known[cell]].astype(float)
        tracks[cell] = np.tanh(track) if cell.startswith("c") else track  # what the output gate lets out or holds back
    labels = list(tracks) if len(tracks) > 1 else []
    title = Path(arguments.run_folder).name + ("" if labels else f": {arguments.cell[0]}")
    save_activations(arguments.output, tokens, list(tracks.values()), labels, title=title)
    if arguments.json:
        print_json({"tokens": tokens, "cells": {cell: np.round(row, 4).tolist() for cell, row in tracks.items()}})


def _cells(arguments, model, vocabulary) -> None:
    from keras_seqgen.decoding.activations import untrained_copy
    from keras_seqgen.decoding.property_search import search_properties

    ids, tokens = _load_tokens(arguments, vocabulary)
    pieces = _pieces(tokens, vocabulary.kind)
    properties = {name: text_property(name, pieces) for name in _properties(arguments)}
    search, other = (
        search_properties(network, ids, properties, arguments.count or _SEARCHED, arguments.seed)
        for network in (model, untrained_copy(model, arguments.seed))
    )
    _draw_cells(arguments, search, tokens)
    found, untrained = ({name: _row(part, name) for name in part.trackers} for part in (search, other))
    if arguments.json:
        rows = {name: {**row, "untrained": untrained[name]} for name, row in found.items()}
        print_json({"held_out": int(search.held_out.sum()), "properties": rows})
        return
    print(f"{'property':18}{'cell':10}{'AUC':7}{'95 %':18}{'untrained':11}95 %")
    for name, row in found.items():
        spans = [f"{part['low']:.3f} to {part['high']:.3f}" for part in (row, untrained[name])]
        print(f"{name:18}{row['cell']:10}{row['auc']:<7.3f}{spans[0]:18}{untrained[name]['auc']:<11.3f}{spans[1]}")


def _row(search, name: str) -> dict:
    return {**dataclasses.asdict(search.trackers[name]), "cell": search.cells[search.trackers[name].cell]}


def _draw_cells(arguments, search, tokens) -> None:
    """The best cells over the liveliest stretch of held-out text: orange where a cell says that its property holds."""
    from keras_seqgen.viz.text import save_activations

    tokens = [tokens[place] for place in search.places]
    part = search.liveliest(_DRAWN, [token in ("\n", END) for token in tokens])
    labels = [
        f"{name} {'-' * (tracker.sign < 0)}{search.cells[tracker.cell]} {tracker.auc:.2f}"
        for name, tracker in search.trackers.items()
    ]
    title = f"{Path(arguments.run_folder).name}: property (underlined where it holds), best cell, AUC on held-out text"
    save_activations(
        arguments.output, tokens[part], search.scaled()[:, part], labels, marks=search.marks[:, part], title=title
    )


def _properties(arguments) -> list[str]:
    """Those that are asked for; else all, those of Python only for files of Python."""
    if arguments.property:
        return list(dict.fromkeys(arguments.property))
    python = bool(arguments.text) and all(path.endswith(".py") for path in arguments.text)
    return [name for name in PROPERTIES if python or not name.startswith("python-")]


def _load(run: str | None):
    """The model of a run, without carried state, and its vocabulary."""
    if not run:
        raise UserError("--run is missing: the folder of a language model's run")
    best = Path(run) / "best.keras"
    if not best.exists():
        raise UserError(f"{run} has no best.keras yet: train for at least one epoch")
    vocabulary = Vocabulary.load(Path(run) / "vocabulary.json")
    register_classes()
    import keras

    from keras_seqgen.models.language import with_batch_size

    model = keras.models.load_model(best, compile=False)
    if "tokens" not in [tensor.name for tensor in model.inputs]:
        raise UserError(f"{run} is no run of a language model: `keras-seqgen train --list` shows which recipes are")
    return with_batch_size(model, None), vocabulary


def _read_stretch(arguments, model, vocabulary, states=()):
    """The tokens from --start on, and what the network went through there; it has read what stands before."""
    from keras_seqgen.decoding.activations import read_tokens

    count = arguments.count or _DRAWN
    before = min(arguments.start, _CONTEXT)
    ids, tokens = _load_tokens(arguments, vocabulary, before + count, arguments.start - before)
    reading = read_tokens(model, ids[None], states)
    return tokens[before:], reading._replace(
        **{name: getattr(reading, name)[0, before:] for name in ("states", "guesses", "probabilities", "nats")}
    )


def _load_tokens(arguments, vocabulary, count: int | None = None, start: int | None = None):
    """`count` ids (default: all) of the text from `start` (--start) on, and the tokens they stand for."""
    start = arguments.start if start is None else start
    part = slice(start, None if count is None else start + count)
    if bool(arguments.text) == bool(arguments.data):
        raise UserError("name either files of text with --text, or prepared data with --data")
    if arguments.data:
        from keras_seqgen.data.text_stream import TokenStream

        stream = TokenStream(arguments.data, arguments.split)
        if stream.vocabulary != vocabulary:
            raise UserError(f"{arguments.data} has another vocabulary than the run: prepare it with `--vocabulary`")
        ids = stream[part]
    else:
        text = "".join(_read_text(path) for path in arguments.text)
        ids = vocabulary.encode(text, replace=arguments.replace)[part]
    if arguments.start - start >= len(ids):
        raise UserError(f"the text ends before token {arguments.start}: take a smaller --start")
    return ids, [vocabulary.tokens[number - 1] for number in ids]


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text: its byte {error.start} is none") from error


def _pieces(tokens: list[str], kind: str) -> list[str]:
    """What each token adds to the text; words with the blank behind them."""
    if kind == "word":
        return ["\n" if token == END else f"{token} " for token in tokens]
    return [token if len(token) == 1 else "\ufffd" for token in tokens]
