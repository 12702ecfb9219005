"""Text -> tokens: counting them, making a vocabulary of the counts, and encoding."""

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import repeat

import apache_beam as beam
import numpy as np

from keras_seqgen.data.vocabulary import END, UNKNOWN, Vocabulary
from pipelines.text_blocks import Block, Form


def count_tokens(block: Block, form: Form) -> Counter:
    """How often each token occurs in a block."""
    if form.kind == "word":
        words = Counter(str(block.text).split())
        if form.ends:
            words[END] += str(block.text).count("\n")
        return words
    numbers = np.bincount(_codes(block.text))
    return Counter({chr(code): int(numbers[code]) for code in np.flatnonzero(numbers)})


def _codes(text: str | bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8) if isinstance(text, bytes) else np.frombuffer(text.encode("utf-32-le"), "<u4")


@dataclass
class TokenCounts:
    """Tokens of the training split with their counts, and those of the other splits."""

    train: Counter = field(default_factory=Counter)
    others: set[str] = field(default_factory=set)

    def merge(self, other: "TokenCounts") -> None:
        """Adds other counts to these."""
        self.train.update(other.train)
        self.others |= other.others

    def vocabulary(self, form: Form, min_count: int) -> Vocabulary:
        """The training split's tokens, sorted, and `<unk>` where any token of any split is not among them.

        Of bytes it has those of every split: there are at most 256, so none need be unknown.
        """
        if form.kind == "byte":
            return Vocabulary(sorted(self.train.keys() | self.others), form.kind)
        known = {token for token, count in self.train.items() if count >= min_count}
        if form.kind == "word" and form.ends:
            known.add(END)
        if not self.train.keys() | self.others <= known:
            known.add(UNKNOWN)
        return Vocabulary(sorted(known), form.kind, form.normalization)


class MergeTokenCounts(beam.CombineFn):
    """Adds up the pieces' counts."""

    def create_accumulator(self):
        return TokenCounts()

    def add_input(self, accumulator, counts):
        accumulator.merge(counts)
        return accumulator

    def merge_accumulators(self, accumulators):
        total = TokenCounts()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator):
        return accumulator


class Encoder:
    """Text -> ids of a vocabulary, with no Python per character.

    A token that the vocabulary does not have becomes `<unk>`, or is left out where there is no `<unk>`.
    """

    def __init__(self, vocabulary: Vocabulary, form: Form):
        self.form = form
        self.ids = vocabulary.ids
        self.unknown = self.ids.get(UNKNOWN, 0)
        if form.kind != "word":
            single = {ord(token): number for token, number in self.ids.items() if len(token) == 1}
            self.table = np.full(max(single, default=0) + 2, -1, np.int32)
            self.table[list(single)] = list(single.values())

    def __call__(self, block: Block) -> tuple[np.ndarray, int]:
        """The ids of a block's tokens (int32), and how many of the tokens were not known."""
        if self.form.kind == "word":
            text = str(block.text)
            words = (text.replace("\n", f" {END} ") if self.form.ends else text).split()
            ids = np.fromiter(map(self.ids.get, words, repeat(-1)), np.int32, len(words))
        else:
            ids = np.take(self.table, _codes(block.text), mode="clip")  # the last entry is of unknown ones
        missing = ids < 0
        unknown = int(np.count_nonzero(missing))
        if unknown:
            ids = np.where(missing, np.int32(self.unknown), ids) if self.unknown else ids[~missing]
        return ids, unknown

    def encoded(self, block: Block) -> Block:
        """The block with the text that its ids stand for: where there is no `<unk>`, without what is not known."""
        if self.unknown:
            return block
        if isinstance(block.text, bytes):
            return replace(block, text=bytes(byte for byte in block.text if chr(byte) in self.ids))
        if self.form.kind == "character":
            return replace(block, text="".join(filter(self.ids.__contains__, block.text)))
        lines = (filter(self.ids.__contains__, line.split()) for line in block.text.split("\n"))
        return replace(block, text="\n".join(map(" ".join, lines)))
