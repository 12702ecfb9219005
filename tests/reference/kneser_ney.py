"""Modified Kneser-Ney after Chen and Goodman 1998, read off the page: dictionaries of tuples, exact fractions."""

from collections import Counter
from fractions import Fraction

FALLBACK = (Fraction(1, 2), Fraction(1), Fraction(3, 2))


def adjusted_counts(sentences, order):
    """{n-gram: count} for each order 1 ... `order`, and the plain counts. `<s>` alone is never counted."""
    plain = [Counter() for _ in range(order)]
    for sentence in sentences:
        padded = ["<s>", *sentence, "</s>"]
        for end in range(1, len(padded)):
            for length in range(1, min(order, end + 1) + 1):
                plain[length - 1][tuple(padded[end + 1 - length : end + 1])] += 1
    adjusted = []
    for length in range(1, order):
        preceded = Counter(gram[1:] for gram in plain[length])  # each different (length + 1)-gram once
        adjusted.append(
            {gram: count if gram[0] == "<s>" else preceded[gram] for gram, count in plain[length - 1].items()}
        )
    return [*adjusted, dict(plain[-1])], plain


def discounts(counts):
    """D(1), D(2), D(3+) of one order; the fallback where equation 26 cannot be used."""
    n = Counter(counts.values())
    if not (n[1] and n[2] and n[3]):
        return FALLBACK
    y = Fraction(n[1], n[1] + 2 * n[2])
    amounts = tuple(j - (j + 1) * y * Fraction(n[j + 1], n[j]) for j in (1, 2, 3))
    return amounts if all(0 < amount <= j for j, amount in enumerate(amounts, start=1)) else FALLBACK


class ReferenceModel:
    """P(word | context) by the recursion itself; no back-off weights, no tables of probabilities."""

    def __init__(self, sentences, order, vocabulary=None, prune=(0,)):
        if vocabulary is not None:
            sentences = [[word if word in vocabulary else "<unk>" for word in sentence] for sentence in sentences]
        self.counts, plain = adjusted_counts(sentences, order)
        self.vocabulary = {"<unk>", "</s>", *(vocabulary or ()), *(gram[0] for gram in plain[0])}
        self.discounts = [discounts(counts) for counts in self.counts]
        least = [*prune, *[prune[-1]] * order][:order]
        self.kept = [
            {gram for gram, count in counter.items() if length == 0 or count > least[length]}
            for length, counter in enumerate(plain)
        ]
        self.order = order

    def prob(self, word, context):
        """The recursion; of the context only the last order - 1 tokens count."""
        context = tuple(token if token in {*self.vocabulary, "<s>"} else "<unk>" for token in context)
        context = context[max(0, len(context) - self.order + 1) :]
        lower = self.prob(word, context[1:]) if context else Fraction(1, len(self.vocabulary))
        following = {g: c for g, c in self.counts[len(context)].items() if g[:-1] == context}
        total = sum(following.values())
        if not total:
            return lower
        kept = self.kept[len(context)]
        amounts = (0, *self.discounts[len(context)])
        own = Fraction(0)
        if (gram := (*context, word)) in kept and gram in following:
            own = following[gram] - amounts[min(following[gram], 3)]
        left = sum(amounts[min(c, 3)] if g in kept else c for g, c in following.items())
        return own / total + Fraction(left) / total * lower
