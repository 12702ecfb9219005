"""What a recogniser knows of its language: n-gram models over characters and words, and how much each counts."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_seqgen.decoding.scorers import BeamScorer, CharacterScorer, ScorerSum, WordScorer
from keras_seqgen.errors import UserError
from keras_seqgen.ngram import MixtureModel, NGramModel, estimate, read_arpa, write_arpa

KINDS = ("character", "word", "both")
ORDERS = {"character": 7, "word": 3}
_FILE = "language.json"


@dataclass
class CTCLanguage:
    """N-gram models, and the weights (alpha, beta) of the scorers made of them.

    Attributes:
        models: "character" and "word" -> one model, or several that are mixed.
        shares: likewise, of each model in the mixture.
        weights: a kind of scorer -> (alpha, beta). "both" is the word model's weights beside the character model's own.
        tuned: what the weights were chosen on, and the error rates there.

    Example:

        >>> language = CTCLanguage.estimate(texts, held_out=valid_texts)
        >>> beam_search(logits, scorer=language.scorer("character", vocabulary.tokens, (0.5, 1.0)))
    """

    models: dict[str, list[NGramModel]]
    shares: dict[str, list[float]]
    weights: dict[str, tuple[float, float]] = field(default_factory=dict)
    tuned: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def estimate(
        cls, texts: Iterable[str], corpora: Sequence[Iterable[str]] = (), held_out: Iterable[str] = (), orders=None
    ) -> "CTCLanguage":
        """Models of the training transcriptions, each mixed with one of every other corpus.

        Args:
            texts: the transcriptions.
            corpora: lines of other texts.
            held_out: lines under which the mixture is to be likeliest; needed where there are corpora.
            orders: "character" and "word" -> the length of the longest n-grams; ORDERS by default.

        Raises:
            UserError: no text, or corpora without held-out lines.
        """
        orders = {**ORDERS, **(orders or {})}
        sources = [list(texts), *map(list, corpora)]
        held_out = list(held_out)
        models: dict[str, list[NGramModel]] = {}
        shares = {}
        for kind, split in (("character", list), ("word", str.split)):
            models[kind] = [estimate(map(split, lines), orders[kind]) for lines in sources]
            shares[kind] = [1.0]
            if len(sources) > 1:
                shares[kind] = list(MixtureModel.tuned(models[kind], map(split, held_out)).weights)
        return cls(models, shares)

    def model(self, kind: str):
        """The language model over characters or words."""
        models = self.models[kind]
        return models[0] if len(models) == 1 else MixtureModel(models, self.shares[kind])

    def scorer(self, kind: str, tokens: Sequence[str], weights: tuple[float, float] | None = None) -> BeamScorer:
        """A scorer for `beam_search`.

        Args:
            kind: "character", "word" or "both".
            tokens: the recogniser's characters, of the ids 1..C.
            weights: (alpha, beta); those that were tuned by default.

        Raises:
            UserError: an unknown kind, or one without weights.
        """
        if kind not in KINDS:
            raise UserError(f"a language model is one of {', '.join(KINDS)}. Received: {kind}")
        if weights is None and kind not in self.weights:
            raise UserError(f"the {kind} model has no weights yet: `keras-seqgen tune` finds them")
        alpha, beta = self.weights[kind] if weights is None else weights
        if kind == "character":
            return CharacterScorer(self.model(kind), tokens, alpha, beta)
        words = WordScorer(self.model("word"), tokens, alpha, beta)
        return words if kind == "word" else ScorerSum([self.scorer("character", tokens), words])

    def save(self, folder: str | Path) -> None:
        """Writes `language.json` and the models, `language-character-0.arpa.gz` and so on."""
        files: dict[str, list[str]] = {}
        for kind, models in self.models.items():
            files[kind] = [f"language-{kind}-{number}.arpa.gz" for number in range(len(models))]
            for model, name in zip(models, files[kind], strict=True):
                write_arpa(model, Path(folder) / name)
        content = {"models": files, "shares": self.shares, "weights": self.weights, "tuned": self.tuned}
        aside = Path(folder) / f"{_FILE}.aside"
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(aside, Path(folder) / _FILE)

    @classmethod
    def load(cls, folder: str | Path) -> "CTCLanguage":
        """Reads what `save` wrote.

        Raises:
            UserError: the folder has no language, or a broken one.
        """
        path = Path(folder) / _FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            models = {
                kind: [read_arpa(Path(folder) / name) for name in names] for kind, names in content["models"].items()
            }
            weights = {kind: (float(alpha), float(beta)) for kind, (alpha, beta) in content["weights"].items()}
            return cls(models, content["shares"], weights, content["tuned"])
        except FileNotFoundError as error:
            raise UserError(f"{folder} has no language model: `keras-seqgen tune` makes one") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error

    @staticmethod
    def is_in(folder: str | Path) -> bool:
        """Whether `save` has written to a folder."""
        return (Path(folder) / _FILE).exists()
