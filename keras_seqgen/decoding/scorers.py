"""What a beam search may be told about the language: one small protocol, and what fits it."""

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from keras_seqgen.errors import UserError
from keras_seqgen.ngram import EOS, UNKNOWN
from keras_seqgen.ngram import Scorer as LanguageModel

NATS = math.log(10)  # in a unit of an ARPA file, log10


class BeamScorer(Protocol):
    """What `beam_search` asks. A token is the id of a label, 1..C; a state is whatever the scorer likes, never changed.

    Two more methods may be there, for speed. `added(state, tokens)` answers for an array of tokens at once: the scores,
    float64 (C',), without the states. `prepare(states)` is called with all states that the search is about to ask
    about, for scorers that compute many in one go.
    """

    def start(self) -> Any:
        """The state before the first token."""

    def advance(self, state: Any, token: int) -> tuple[float, Any]:
        """What the token adds to the score of a labelling, in nats, and the state behind it; -inf forbids it."""

    def end(self, state: Any) -> float:
        """What the end of the labelling adds, in nats; -inf forbids to end here."""


def added_by(scorer: BeamScorer, state: Any, tokens: np.ndarray) -> np.ndarray:
    """What each of some tokens adds to the score, (C',) float64."""
    if hasattr(scorer, "added"):
        return scorer.added(state, tokens)
    return np.array([scorer.advance(state, token)[0] for token in tokens.tolist()], np.float64)


def prepare(scorer: BeamScorer, states: Sequence[Any]) -> None:
    """Tell a scorer that wants to know it what it is about to be asked."""
    if hasattr(scorer, "prepare"):
        scorer.prepare(states)


@dataclass(frozen=True)
class CharacterScorer:
    """A language model over characters.

        score(l) = alpha log Pr(l and the end) + beta U

    Args:
        model: an n-gram model (or a mixture) over characters, the blank one of them.
        tokens: the characters of the ids 1..C; one that the model does not know has the probability of `<unk>`.
        alpha: the weight of the model.
        beta: added for each character.

    Example:

        >>> scorer = CharacterScorer(read_arpa("characters.arpa.gz"), vocabulary.tokens, alpha=0.5)
    """

    model: LanguageModel
    tokens: Sequence[str]
    alpha: float = 1.0
    beta: float = 0.0

    @functools.cached_property
    def _numbers(self):
        """The model's number of each id, 0 among them."""
        numbers = {token: number for number, token in enumerate(self.model.tokens)}
        return np.array([0, *(numbers.get(token, numbers[UNKNOWN]) for token in self.tokens)])

    def start(self):
        return self.model.start(bos=True)

    def advance(self, state, token):
        log10, state = self.model.advance(state, self.tokens[token - 1])
        return self.alpha * NATS * log10 + self.beta, state

    def added(self, state, tokens):
        return self.alpha * NATS * self.model.advance_all(state)[0][self._numbers[tokens]] + self.beta

    def end(self, state):
        return self.alpha * NATS * self.model.advance(state, EOS)[0]


@dataclass(frozen=True)
class WordScorer:
    """A language model over words, asked where a word ends.

        score(l) = alpha log Pr(words of l and the end) + beta |words of l|

    Args:
        model: an n-gram model (or a mixture) over words.
        tokens: the characters of the ids 1..C.
        alpha: the weight of the model.
        beta: added for each word: without it, a model of words prefers few of them.
        separator: the character between words; several in a row are one.

    Raises:
        UserError: a separator that is not among the tokens.

    Source: Hannun et al. 2014, "Deep Speech", section 2.2.
    """

    model: LanguageModel
    tokens: Sequence[str]
    alpha: float = 1.0
    beta: float = 0.0
    separator: str = " "

    def __post_init__(self):
        if self.separator not in self.tokens:
            raise UserError(f"the alphabet does not have the separator {self.separator!r}")

    def start(self):
        return self.model.start(bos=True), ""

    def advance(self, state, token):
        history, word = state
        character = self.tokens[token - 1]
        if character != self.separator:
            return 0.0, (history, word + character)
        if not word:
            return 0.0, state
        log10, history = self.model.advance(history, word)
        return self.alpha * NATS * log10 + self.beta, (history, "")

    def added(self, state, tokens):
        scores, separator = np.zeros(len(tokens)), list(self.tokens).index(self.separator) + 1
        for place in np.flatnonzero(tokens == separator):
            scores[place] = self.advance(state, separator)[0]
        return scores

    def end(self, state):
        (history, word), last = state, 0.0
        if word:
            log10, history = self.model.advance(history, word)
            last = self.alpha * NATS * log10 + self.beta
        return last + self.alpha * NATS * self.model.advance(history, EOS)[0]


class Lexicon:
    """Forbids every labelling that has a word outside of a list.

    The words stand in a tree of characters; a state is a node of it. The separator may stand where a word ends, and
    more than once.

    Args:
        words: the words.
        tokens: the characters of the ids 1..C.
        separator: the character between words, or `None` where words follow each other with nothing between them.

    Raises:
        UserError: no words, or a word with a character that is not among the tokens.

    Example:

        >>> lexicon = Lexicon(["one", "two"], vocabulary.tokens)
    """

    def __init__(self, words: Iterable[str], tokens: Sequence[str], separator: str | None = " "):
        ids = {token: number for number, token in enumerate(tokens, start=1)}
        if separator is not None and separator not in ids:
            raise UserError(f"the alphabet does not have the separator {separator!r}")
        self.separator = None if separator is None else ids[separator]
        self._children: list[dict[int, int]] = [{}]
        self._ends = [False]
        for word in words:
            unknown = sorted({character for character in word if ids.get(character, self.separator) == self.separator})
            if unknown or not word:
                what = f"it has {', '.join(map(repr, unknown))}" if word else "it is empty"
                raise UserError(f"{word!r} is no word of this alphabet: {what}")
            node = 0
            for character in word:
                children = self._children[node]
                if ids[character] not in children:
                    children[ids[character]] = len(self._children)
                    self._children.append({})
                    self._ends.append(False)
                node = children[ids[character]]
            self._ends[node] = True
        if len(self._children) == 1:
            raise UserError("the lexicon has no words")

    def start(self):
        return (0,)

    def advance(self, state, token):
        """A state is the set of nodes that the word may have reached: several where words have no separator."""
        if token == self.separator:
            return (0.0, (0,)) if self.end(state) == 0 else (-math.inf, ())
        nodes = {self._children[node][token] for node in state if token in self._children[node]}
        if self.separator is None and any(self._ends[node] for node in nodes):
            nodes.add(0)
        return (0.0, tuple(sorted(nodes))) if nodes else (-math.inf, ())

    def added(self, state, tokens):
        allowed = {token for node in state for token in self._children[node]}
        if self.end(state) == 0:
            allowed.add(self.separator)
        return np.array([0.0 if token in allowed else -math.inf for token in tokens.tolist()])

    def end(self, state):
        return 0.0 if any(node == 0 or self._ends[node] for node in state) else -math.inf


@dataclass(frozen=True)
class ScorerSum:
    """Several scorers at once, such as a `Lexicon` and a `WordScorer`; those behind one that forbids are not asked."""

    scorers: Sequence[BeamScorer]

    def start(self):
        return tuple(scorer.start() for scorer in self.scorers)

    def advance(self, state, token):
        total, states = 0.0, []
        for scorer, part in zip(self.scorers, state, strict=True):
            score, new = scorer.advance(part, token)
            if score == -math.inf:
                return score, ()
            total += score
            states.append(new)
        return total, tuple(states)

    def added(self, state, tokens):
        total = np.zeros(len(tokens))
        for scorer, part in zip(self.scorers, state, strict=True):
            left = np.flatnonzero(total > -math.inf)
            total[left] += added_by(scorer, part, tokens[left])
        return total

    def end(self, state):
        return sum(scorer.end(part) for scorer, part in zip(self.scorers, state, strict=True))

    def prepare(self, states):
        for scorer, parts in zip(self.scorers, zip(*states, strict=True), strict=True):
            prepare(scorer, parts)
