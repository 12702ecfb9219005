"""Ids to text in pieces: what is written token by token must be the text that is written in one go."""

from collections.abc import Iterable

import numpy as np

from keras_seqgen.data.vocabulary import END, UNKNOWN, Vocabulary

_NOT_CHARACTERS = ("\ufffd", "\ufffe", "\uffff")  # to spell a character that the alphabet does not have


class TextPieces:
    """The bytes of a text whose ids come in parts.

    Characters are UTF-8, bytes are themselves, words have a blank between them, and `<eos>` ends a line.

    Args:
        vocabulary: `data.vocabulary.Vocabulary`.

    Attributes:
        pieces: V + 1 byte strings, by id; that of 0 is empty.
        blank: (V + 1,) booleans: whether a blank follows the token if a word comes next.
        end: the id of the end of a line, 0 where the vocabulary has none.

    Example:

        >>> pieces = TextPieces(Vocabulary(["<eos>", "a", "cab"], kind="word"))
        >>> pieces([2, 3]), pieces([1, 2], before=3)
        (b'a cab', b'\\na')
    """

    def __init__(self, vocabulary: Vocabulary):
        coding = "latin-1" if vocabulary.kind == "byte" else "utf-8"
        words = vocabulary.kind == "word"
        self.end = vocabulary.ids.get(END if words else "\n", 0)
        self.pieces = [b"", *(token.encode(coding) for token in vocabulary.tokens)]
        self.blank = np.full(len(self.pieces), words)
        self.blank[0] = False
        if words and self.end:
            self.pieces[self.end] = b"\n"
            self.blank[self.end] = False

    def __call__(self, ids: Iterable[int], before: int = 0) -> bytes:
        """The text of `ids` behind the token `before` (0: at the beginning); padding, 0, is left out."""
        text = []
        for number in ids:
            if number:
                text.append(b" " + self.pieces[number] if self._apart(before, number) else self.pieces[number])
                before = number
        return b"".join(text)

    def _apart(self, before, number):
        return self.blank[before] and self.blank[number]


def spelled_for_encoding(vocabulary: Vocabulary) -> TextPieces:
    """Pieces that `Vocabulary.encode` turns back into the same ids.

    Among characters `<unk>` is a token that no text can spell: it becomes a character that the alphabet lacks.
    """
    pieces = TextPieces(vocabulary)
    if vocabulary.kind == "character" and UNKNOWN in vocabulary.ids:
        stranger = next(character for character in _NOT_CHARACTERS if character not in vocabulary.ids)
        pieces.pieces[vocabulary.ids[UNKNOWN]] = stranger.encode()
    return pieces
