"""Several language models as one: their probabilities in a weighted mean."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_seqgen.errors import UserError
from keras_seqgen.ngram.scorer import Scorer


class MixtureModel(Scorer):
    """P(w | context) = sum_i weights_i P_i(w | context), for example of a small model of the task and a large one.

    The probabilities sum to 1 where all models have the same vocabulary (`estimate(..., vocabulary=...)`); a model that
    does not know a token counts with its probability of `<unk>`. A state is the tuple of the models' states.

    Args:
        models: Language models.
        weights: Not negative; they are divided by their sum.

    Raises:
        ValueError: where the weights do not fit.

    Example:
        >>> mixture = MixtureModel.tuned([small, large], held_out_sentences)
        >>> mixture.weights
        (0.71, 0.29)

    Source: Jelinek and Mercer 1980.
    """

    def __init__(self, models: Sequence[Scorer], weights: Sequence[float]):
        total = math.fsum(weights)
        if not models or len(models) != len(weights) or min(weights) < 0 or not 0 < total < math.inf:
            raise ValueError(f"`weights` must be a number >= 0 for each of {len(models)} models. Received: {weights}")
        self.models = tuple(models)
        self.weights = tuple(weight / total for weight in weights)
        self.tokens = tuple(dict.fromkeys(token for model in models for token in model.tokens))
        self._places = []  # of each token in each model
        for model in models:
            numbers = {token: number for number, token in enumerate(model.tokens)}
            self._places.append(np.array([numbers.get(token, 0) for token in self.tokens]))

    @classmethod
    def tuned(cls, models: Sequence[Scorer], sentences: Iterable[Iterable[str]], rounds: int = 30) -> "MixtureModel":
        """The weights under which some held-out sentences are likeliest, by expectation maximisation.

        weights_i <- mean over tokens of weights_i P_i(w | context) / sum_j weights_j P_j(w | context)

        Raises:
            UserError: where there is no sentence.
        """
        scores = [np.stack([model.score(tokens) for model in models], axis=1) for tokens in map(tuple, sentences)]
        if not scores:
            raise UserError("there is no sentence to tune the weights on")
        probs = 10 ** np.concatenate(scores)  # (tokens, models)
        probs = probs[probs.any(axis=1)]  # what no model can say tells nothing about them
        weights = np.full(len(models), 1 / len(models))
        for _ in range(rounds):
            joint = weights * probs
            weights = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        return cls(models, weights.tolist())

    def __contains__(self, token: object) -> bool:
        return any(token in model for model in self.models)

    def start(self, bos: bool = True) -> tuple:
        return tuple(model.start(bos) for model in self.models)

    def advance(self, state: tuple, token: str) -> tuple[float, Any]:
        scored = [model.advance(part, token) for model, part in zip(self.models, state, strict=True)]
        prob = math.fsum(weight * 10**log_prob for weight, (log_prob, _) in zip(self.weights, scored, strict=True))
        return math.log10(prob) if prob else -math.inf, tuple(part for _, part in scored)

    def advance_all(self, state: tuple) -> tuple[np.ndarray, list[tuple]]:
        prob: Any = 0.0
        states = []
        for model, weight, places, part in zip(self.models, self.weights, self._places, state, strict=True):
            log_probs, after = model.advance_all(part)
            prob = prob + weight * 10 ** log_probs[places]
            states.append([after[place] for place in places])
        with np.errstate(divide="ignore"):
            return np.log10(prob), list(zip(*states, strict=True))
