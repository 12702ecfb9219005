"""The weights of a language model in a beam search, chosen on validation data."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_seqgen.decoding.beam import beam_search
from keras_seqgen.decoding.scorers import BeamScorer
from keras_seqgen.metrics.edit_distance import word_error_rate


class Weights(NamedTuple):
    """alpha, beta: the best weights. error: theirs. tried: {(alpha, beta): error} of all that were tried."""

    alpha: float
    beta: float
    error: float
    tried: dict[tuple[float, float], float]


def tune_weights(
    logits: Sequence[np.ndarray],
    texts: Sequence[str],
    make_scorer: Callable[[float, float], BeamScorer],
    text_of: Callable[[Sequence[int]], str],
    error_rate: Callable[[Sequence[str], Sequence[str]], float] = word_error_rate,
    alphas: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0),
    betas: Sequence[float] = (-1.0, 0.0, 1.0, 2.0, 4.0),
    refinements: int = 2,
    progress: Callable[[float, float, float], None] | None = None,
    known: Mapping[tuple[float, float], float] | None = None,
    **search,
) -> Weights:
    """Try a coarse grid of weights, then finer ones around the best.

    Each refinement halves the step of both weights and tries the eight neighbours of the best point, from the best of
    them again, until none is better. Of equally good points the smaller alpha wins, then the smaller |beta|.

    Args:
        logits: (T, C + 1) of each validation input.
        texts: what is written there.
        make_scorer: (alpha, beta) -> a scorer.
        text_of: the text of a row of ids, `Vocabulary.decode`.
        error_rate: (texts, readings) -> the number to make small.
        alphas: rising, none below 0. betas: rising. The first grid; the first steps are the median ones between them.
        refinements: how often the steps are halved.
        progress: called with alpha, beta and error after each decoding of the data.
        known: {(alpha, beta): error} of an earlier search on the same data, which are not decoded again.
        search: `beam` and `min_token_log_prob` of `beam_search`.

    Returns:
        `Weights`.

    Raises:
        ValueError: no data, or numbers of inputs and texts that differ.

    Example:

        >>> make = lambda alpha, beta: WordScorer(model, vocabulary.tokens, alpha, beta)
        >>> tune_weights(logits, texts, make, vocabulary.decode, min_token_log_prob=-7.0).alpha
        0.75
    """
    if not len(logits) or len(logits) != len(texts):
        raise ValueError(
            f"`logits` and `texts` must be as many, and not none. Received: {len(logits)} inputs, {len(texts)} texts"
        )
    tried = dict(known or {})

    def error(alpha, beta):
        if (alpha, beta) not in tried:
            scorer = make_scorer(alpha, beta)
            read = [text_of(beam_search(one, scorer=scorer, **search)[0].ids) for one in logits]
            tried[alpha, beta] = error_rate(texts, read)
            if progress is not None:
                progress(alpha, beta, tried[alpha, beta])
        return tried[alpha, beta]

    def best_of(points):
        return min(points, key=lambda point: (error(*point), point[0], abs(point[1])))

    point = best_of([(float(alpha), float(beta)) for alpha in alphas for beta in betas])
    steps = [float(np.median(np.diff(grid))) if len(grid) > 1 else 0.0 for grid in (alphas, betas)]
    for _ in range(refinements):
        steps = [step / 2 for step in steps]
        while True:
            around = [
                (max(0.0, point[0] + i * steps[0]), point[1] + j * steps[1]) for i in (0, -1, 1) for j in (0, -1, 1)
            ]
            new = best_of(around)
            if error(*new) >= error(*point):
                break
            point = new
    return Weights(point[0], point[1], error(*point), tried)


class Tried:
    """What searches for weights have tried, kept in a file, so that a stopped search goes on.

    Args:
        path: of the file. It is made by `add` and removed by `forget`.
        about: plain values that say what the errors depend on; those of a file about something else do not count.

    Example:

        >>> tried = Tried("runs/ink/tuning.json", {"lines": 300, "beam": 25})
        >>> tried.add("word", 0.5, 1.0, 0.21)
        >>> Tried("runs/ink/tuning.json", {"lines": 300, "beam": 25}).of("word")
        {(0.5, 1.0): 0.21}
    """

    def __init__(self, path: str | Path, about: Mapping[str, Any]):
        self._path, self._about = Path(path), dict(about)
        self._rows: list[list[Any]] = []  # kind, alpha, beta, error
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["about"] == self._about:
                self._rows = content["tried"]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none, or it is broken: then all is tried anew

    def of(self, kind: str) -> dict[tuple[float, float], float]:
        """{(alpha, beta): error} of one kind of scorer."""
        return {(alpha, beta): error for name, alpha, beta, error in self._rows if name == kind}

    def add(self, kind: str, alpha: float, beta: float, error: float) -> None:
        """Keep one more."""
        self._rows.append([kind, alpha, beta, error])
        aside = self._path.with_name(f"{self._path.name}.aside")
        aside.write_text(json.dumps({"about": self._about, "tried": self._rows}) + "\n", encoding="utf-8")
        os.replace(aside, self._path)

    def forget(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
