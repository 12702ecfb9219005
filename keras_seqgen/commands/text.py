"""`keras-seqgen sample` and `score`, and what `evaluate` and `export` do for language models."""

import contextlib
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.commands.sentences import read_sentences
from keras_seqgen.commands.systems import default_model, register_classes
from keras_seqgen.data.vocabulary import UNKNOWN, Vocabulary
from keras_seqgen.errors import UserError

_ROWS = 10  # into which an evaluation cuts a split, as `training.text_evaluation.evaluate_text` does
_COLUMNS = 500  # tokens of a row that are read in one call


def sample(arguments) -> int:
    """Draws texts and prints them: one as it is written, several when they are done."""
    if arguments.count < 1:
        raise UserError(f"--count must be positive. Received: {arguments.count}")
    writer: Any = _load(arguments, "text_writer", "TextWriter")
    try:
        ids = writer.vocabulary.encode(arguments.prime, arguments.replace)
    except UnicodeEncodeError as error:
        raise UserError(f"--prime is no Unicode text: {error}") from error
    except UserError as error:
        raise UserError(f"--prime: {error}. --replace CHARACTER says what to read in its place") from error
    unknown = sorted(set(writer.vocabulary.split(arguments.prime)) - writer.vocabulary.ids.keys())
    if unknown and writer.vocabulary.kind != "word" and arguments.replace is None:
        raise UserError(
            f"--prime: the model does not know {' '.join(map(repr, unknown))}. --replace CHARACTER says what to read "
            f"in its place, such as --replace '{UNKNOWN}'"
        )
    primer = writer.vocabulary.decode(ids)
    options = {
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "length": arguments.length,
        "stop": _unescaped(arguments.stop),
        "replace": arguments.replace,
    }
    if arguments.count == 1 and not arguments.json:
        _print_stream(primer, writer.stream(arguments.prime, seed=arguments.seed, **options))
        return 0
    seeds = [arguments.seed + number for number in range(arguments.count)]
    texts = writer.sample(arguments.prime, seed=seeds, **options)
    if arguments.json:
        samples = [{"seed": seed, "text": text} for seed, text in zip(seeds, texts, strict=True)]
        print_json({"model": _name(arguments, writer), "prime": primer, "samples": samples})
    else:
        for seed, text in zip(seeds, texts, strict=True):
            print(f"--- seed {seed}\n{primer}{text}")
    return 0


def score(arguments) -> int:
    """Prints how likely each line of a file is."""
    scorer: Any = _load(arguments, "text_score", "TextScorer")
    words = scorer.vocabulary.kind == "word"
    kind = "word" if words else "character"
    tokens = read_sentences(arguments.file, kind, normalization=scorer.vocabulary.normalization)
    sentences = [(" " if words else "").join(sentence) for sentence in tokens]
    if not sentences:
        raise UserError(f"{arguments.file} is empty: it should have a sentence on each line")
    scores = scorer.score(sentences, arguments.replace)
    total = sum(each.log_prob for each in scores), sum(each.tokens for each in scores)
    numbers = {"log_prob": total[0], "tokens": total[1], "perplexity": math.exp(-total[0] / max(total[1], 1))}
    if arguments.json:
        rows = [
            {"text": text, **each._asdict(), "per_token": each.per_token, "perplexity": each.perplexity}
            for text, each in zip(sentences, scores, strict=True)
        ]
        print_json({"model": _name(arguments, scorer), **numbers, "sentences": rows})
        return 0
    print("log_prob\tper_token\tperplexity\tsentence")
    for text, each in zip(sentences, scores, strict=True):
        print(f"{each.log_prob:.4f}\t{each.per_token:.4f}\t{each.perplexity:.2f}\t{text}")
    print(f"{len(scores)} sentences, {total[1]} tokens, perplexity {numbers['perplexity']:.2f}", file=sys.stderr)
    return 0


def evaluate_run(run, recipe, data, split, dynamic=None) -> dict:
    """The numbers of a run's best weights, as they are or while they learn on; beside them an n-gram model's.

    Args:
        run, recipe, data, split: see `training.text_evaluation.evaluate_text`.
        dynamic: `None`, or further arguments of `training.text_evaluation.evaluate_dynamically`.
    """
    from keras_seqgen.training.text_evaluation import evaluate_dynamically, evaluate_text

    model = _network(run)
    if dynamic is None:
        numbers = evaluate_text(model, recipe, data, split, run)
    else:
        with contextlib.redirect_stdout(sys.stderr):  # Keras's progress
            numbers = evaluate_dynamically(model, recipe, data, split, run, **dynamic, verbose=2)
    return {**numbers, **_baseline(data, split)}


def _baseline(data, split) -> dict:
    """The numbers of an n-gram model of the same training split, or nothing, and why, where there can be none."""
    from keras_seqgen.commands.ngram import folder_baseline

    try:
        return {f"n_gram_{name}": value for name, value in folder_baseline(data, split).items()}
    except UserError as error:  # the network's numbers took longer, and need no training split
        print(f"no n-gram model beside the network: {error}", file=sys.stderr)
        return {}


def evaluate_model(folder, data, split) -> dict:
    """The numbers of `evaluate` by a SavedModel's `step`: the text is read on and on, with its state carried."""
    tf = import_tensorflow()
    from keras_seqgen.data.text_batches import text_batches
    from keras_seqgen.decoding.text_pieces import spelled_for_encoding
    from keras_seqgen.serving.load_text import SavedText
    from keras_seqgen.training.text_evaluation import text_numbers

    model = SavedText(folder)
    spell = spelled_for_encoding(model.vocabulary)
    ones, none = tf.ones(_ROWS), tf.zeros(_ROWS, tf.int32)
    wishes = {
        "temperature": ones,
        "top_k": none,
        "top_p": ones,
        "max_tokens": none,
        "seed": tf.zeros((_ROWS, 2), tf.int32),
    }
    state, total, tokens = np.zeros(model.beginning(_ROWS).shape, np.float32), 0.0, 0
    for inputs, targets, weight in text_batches(data, split, _ROWS, _COLUMNS, vocabulary=model.vocabulary):
        if inputs["fresh"][0]:
            state[:, 0] = inputs["tokens"][:, 0]  # the token before a row's first
        given = tf.constant([spell(row[:count]) for row, count in zip(targets.numpy(), _counts(weight), strict=True)])
        result = model.ask("step", prime=given, stop=tf.fill([_ROWS], ""), state=state, **wishes)
        state = result["state"]
        total, tokens = total - float(np.sum(result["log_prob"], dtype=np.float64)), tokens + int(_counts(weight).sum())
    return {**text_numbers(total / tokens, data, split), **_baseline(data, split)}


def export_run(run, recipe, to, card) -> Path:
    """Writes the next version of a SavedModel; its folder."""
    from keras_seqgen.serving.text_model import export_text

    return export_text(_network(run), Vocabulary.load(Path(run) / "vocabulary.json"), to, card)


def _load(arguments, module: str, name: str):
    """A run's network in the class `name` of `decoding.<module>`, or an exported model."""
    if not arguments.folder:
        folder = arguments.model or default_model("text")
        import_tensorflow()
        from keras_seqgen.serving.load_text import SavedText

        return SavedText(folder)
    from keras_seqgen.recipes import load_recipe

    run = Path(arguments.folder)
    recipe, loaded = load_recipe(run)
    if loaded.system != "text":
        raise UserError(f"{run} is a run of {loaded.system} (recipe `{recipe}`), not a language model")
    if not (run / "best.keras").exists():
        raise UserError(f"{run} has no best.keras yet: train for at least one epoch")
    register_classes()
    from importlib import import_module

    home = import_module(f"keras_seqgen.decoding.{module}")
    return getattr(home, name)(_network(run), Vocabulary.load(run / "vocabulary.json"))


def _network(run):
    register_classes()
    import keras

    return keras.models.load_model(Path(run) / "best.keras", compile=False)


def _name(arguments, loaded) -> str:
    return str(arguments.folder or loaded.folder)


def _unescaped(stop: str) -> str:
    """A stop string as it was typed; one that is `\\n`, once or several times, is so many ends of lines."""
    return stop.replace("\\n", "\n") if re.fullmatch(r"(\\n)+", stop) else stop


def _counts(weight) -> np.ndarray:
    """How many tokens of each row count; the others pad its end."""
    return np.asarray(weight).sum(axis=1).astype(int)


def _print_stream(primer: str, pieces: Iterator[str]) -> None:
    """Shows a text while it is written."""
    try:
        last = primer
        sys.stdout.write(primer)
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
            last = piece or last
        if not last.endswith("\n"):
            print(flush=True)
    except BrokenPipeError:  # who was reading has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
