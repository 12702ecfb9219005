"""Interpolated modified Kneser-Ney: from the counts of n-grams to a model with back-off weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from keras_seqgen.errors import UserError
from keras_seqgen.ngram.counts import CountedLevel, count_ngrams, encode
from keras_seqgen.ngram.model import Level, NGramModel
from keras_seqgen.ngram.scorer import BOS_ID

FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Discount:
    """What is taken off a count of 1, of 2, of 3 or more; `fallback`: whether the counts did not tell."""

    amounts: tuple[float, float, float]
    fallback: bool = False


def estimate(
    sentences: Iterable[Iterable[str]],
    order: int,
    *,
    vocabulary: Iterable[str] | None = None,
    prune: Sequence[int] = (0,),
    fallback: tuple[float, float, float] | None = FALLBACK,
) -> NGramModel:
    """A model of some sentences.

    With a(g) the adjusted count of an n-gram g: how often it occurs if it has the highest order or begins with `<s>`,
    else the number of different tokens that precede it; and with n_j the number of n-grams of an order with a = j:

        Y = n_1 / (n_1 + 2 n_2);   D_j = j - (j + 1) Y n_(j+1) / n_j,  j = 1, 2, 3;   D(a) = D_min(a,3),  D(0) = 0
        p(w | c) = (a(c w) - D(a(c w))) / sum_x a(c x) + gamma(c) p(w | c without its first token)
        gamma(c) = sum_x D(a(c x)) / sum_x a(c x),

    down to p(w) = (a(w) - D(a(w))) / sum_x a(x) + gamma / V, where V counts all tokens but `<s>`. The model's back-off
    weight of c is gamma(c). Where pruning drops c x, gamma(c) has a(c x) in place of D(a(c x)).

    The corpus is kept in memory: at its peak this takes about 80 bytes per token and 150 per n-gram.

    Args:
        sentences: Each an iterable of tokens, without `<s>` and `</s>`; an empty one counts as a sentence.
        order: The length of the longest n-grams.
        vocabulary: The tokens to tell apart; all others are counted as `<unk>`. `None`: all that occur.
        prune: For each order, an n-gram that occurs at most so often is dropped; the last number holds for all higher
            orders. They must not fall and begin with 0: (0, 0, 1) drops what occurs once from order 3 on.
        fallback: D_1, D_2, D_3 of an order where n_1, n_2 or n_3 is 0 or a D_j lies outside (0, j], as among
            characters, most of which occur in many contexts. `None`: that is an error.

    Returns:
        The model, with its `discounts`.

    Raises:
        UserError: no sentence; `<s>`, `</s>` or an empty token in one; discounts that cannot be estimated.
        ValueError: an order or `prune` that cannot be.

    Example:
        >>> model = estimate([line.split() for line in lines], order=5)
        >>> model.perplexity([["the", "cat", "sat"]])["perplexity"]

    Source: Chen and Goodman 1998, modified Kneser-Ney, the discounts by equation 26; Heafield, Pouzyrevsky, Clark and
        Koehn 2013.
    Differs: kenlm's lmplz refuses the token `<unk>`, here it is counted like others; lmplz drops the n-grams of tokens
        outside a fixed vocabulary, here they are counted as `<unk>`; lmplz takes D_j = 0, which gives some tokens no
        probability at all; lmplz computes in float32, here it is float64 until the end; lmplz enters the last n-gram of
        each lower order into n_j with its plain count. In all else the numbers are those of lmplz.
    """
    if order < 1:
        raise ValueError(f"`order` must be a positive integer. Received: order={order}")
    prune = (*prune, *[prune[-1]] * (order - len(prune))) if prune else (0,) * order
    if prune[0] != 0 or list(prune) != sorted(prune) or len(prune) > order:
        raise ValueError(f"`prune` must begin with 0, not fall, and fit the order. Received: prune={prune}")
    tokens, ids = encode(sentences, vocabulary)
    levels = count_ngrams(ids, len(tokens), order)
    counts = adjust_counts(levels)
    discounts = [discount(count, number, fallback) for number, count in enumerate(counts, start=1)]
    return NGramModel(tokens, _smooth(levels, counts, discounts, prune), discounts)


def adjust_counts(levels: Sequence[CountedLevel]) -> list[np.ndarray]:
    """a(g) of the n-grams of each order."""
    adjusted: list[np.ndarray] = []
    begins = np.arange(len(levels[0].word)) == BOS_ID
    for level, above in pairwise(levels):
        if adjusted:
            begins = begins[level.prefix]
        preceding = np.bincount(above.suffix, minlength=len(level.word))
        adjusted.append(np.where(begins, level.count, preceding))
    return [*adjusted, levels[-1].count]


def discount(counts: np.ndarray, order: int, fallback: tuple[float, float, float] | None = FALLBACK) -> Discount:
    """D_1, D_2, D_3 from the adjusted counts of an order."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    if n[1:4].all():
        y = n[1] / (n[1] + 2 * n[2])
        d1, d2, d3 = (float(j - (j + 1) * y * n[j + 1] / n[j]) for j in (1, 2, 3))
        if 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3:
            return Discount((d1, d2, d3))
    if fallback is None:
        numbers = ", ".join(f"{int(number)} occur {j} times" for j, number in enumerate(n[1:5], start=1))
        raise UserError(
            f"the counts of the {order}-grams give no discounts ({numbers}): take more text, or let them fall back"
        )
    return Discount(fallback, fallback=True)


def _smooth(levels, counts, discounts, prune) -> list[Level]:
    """The n-grams that are kept, with their probabilities and their weights as contexts."""
    kept = [level.count > least for level, least in zip(levels, prune, strict=True)]
    kept[0][:] = True
    sizes = [1, *map(len, counts)]
    gamma = [np.ones(size) for size in sizes]  # of the contexts of length 0, 1, ...
    lower = np.full(1, 1 / (sizes[1] - 1))  # p without the first token; without any: uniform over all but <s>
    probs = []
    for k, (level, count, keep) in enumerate(zip(levels, counts, kept, strict=True)):
        taken = np.array([0.0, *discounts[k].amounts])[np.minimum(count, 3)]
        total = np.bincount(level.prefix, count, sizes[k])
        free = np.bincount(level.prefix, np.where(keep, taken, count), sizes[k])
        np.divide(free, total, out=gamma[k], where=total > 0)
        own = np.divide(count - taken, total[level.prefix], out=np.zeros(len(count)), where=keep)
        lower = own + gamma[k][level.prefix] * lower[level.suffix]
        probs.append(lower)
    probs[0][BOS_ID] = 1.0  # never predicted: where it is read all the same, it costs nothing

    rank = [np.zeros(1, np.int64), *(np.cumsum(keep) - 1 for keep in kept)]  # among those that are kept
    return [
        Level(
            rank[k][level.prefix[keep]],
            level.word[keep],
            np.minimum(np.log10(probs[k][keep]), 0.0),
            np.log10(gamma[k + 1][keep]),
        )
        for k, (level, keep) in enumerate(zip(levels, kept, strict=True))
    ]
