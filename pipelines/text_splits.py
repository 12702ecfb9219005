"""Which split a stretch of text belongs to: named by the user, by the document's hash, or in order."""

from collections.abc import Iterator
from dataclasses import dataclass

from keras_seqgen.errors import UserError
from pipelines.splits import SPLITS, stable_hash
from pipelines.text_sources import BLOCK, Document, Piece


@dataclass(frozen=True)
class TextSplit:
    """How the documents are shared out.

    by: "order": the first `percent[0]` per cent of all bytes are train, the next valid, the rest test; each cut moves
    on to the end of a line. "hash": whole documents, by the SHA-256 of their names. "name": as the user named them.
    """

    by: str
    percent: tuple[int, int, int] = (90, 5, 5)

    def __post_init__(self):
        if sum(self.percent) != 100 or min(self.percent) < 0:
            raise UserError(f"the percentages of a split must add up to 100. Received: {self.percent}")

    def pieces(self, documents: list[Document]) -> Iterator[Piece]:
        """The pieces of the documents, whose sizes are known, in the order of the corpus."""
        number = 0
        for document, split, start, stop in self._stretches(documents):
            step = stop - start if document.packed else BLOCK
            for begin in range(start, stop, step):
                yield Piece(number, split, document, begin, min(begin + step, stop))
                number += 1

    def _stretches(self, documents: list[Document]) -> Iterator[tuple[Document, str, int, int]]:
        total = sum(document.size for document in documents)
        cuts = [0, total * self.percent[0] // 100, total * sum(self.percent[:2]) // 100, total]
        at = 0
        for document in documents:
            if self.by == "order":
                for split, low, high in zip(SPLITS, cuts[:-1], cuts[1:], strict=True):
                    start, stop = max(low - at, 0), min(high - at, document.size)
                    if start < stop:
                        yield document, split, start, stop
            else:
                yield document, document.split or self._by_hash(document.name), 0, document.size
            at += document.size

    def _by_hash(self, name: str) -> str:
        bucket = stable_hash(name) % 100
        return "train" if bucket < self.percent[0] else "valid" if bucket < sum(self.percent[:2]) else "test"
