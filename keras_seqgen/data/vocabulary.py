"""Characters (or words) and their ids, one for one: 0 is padding, the tokens follow in code-point order."""

import functools
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_seqgen.errors import UserError


@dataclass(frozen=True)
class Vocabulary:
    """The alphabet that a model was trained on.

    Token number i (from 0) has the id i + 1; the id 0 is padding and belongs to no token. A model one-hot encodes
    `ids - 1` with depth `len(vocabulary)`, so that padding becomes the zero vector.

    Args:
        tokens: The tokens, distinct and not empty strings. They are kept in the order given; `from_texts` sorts them.

    Raises:
        UserError: where a token is empty or occurs twice.

    Example:
        >>> vocabulary = Vocabulary(" abc")
        >>> vocabulary.encode("a cab").tolist()
        [2, 1, 4, 2, 3]
        >>> vocabulary.decode([2, 1, 4, 2, 3, 0, 0])
        'a cab'
    """

    tokens: tuple[str, ...]

    def __init__(self, tokens: Sequence[str]):
        tokens = tuple(tokens)
        if not all(isinstance(token, str) and token for token in tokens) or len(set(tokens)) != len(tokens):
            raise UserError(f"`tokens` must be distinct strings that are not empty. Received: tokens={tokens}")
        object.__setattr__(self, "tokens", tokens)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "Vocabulary":
        """The sorted characters of the texts, each brought to the form NFC."""
        return cls(sorted({character for text in texts for character in unicodedata.normalize("NFC", text)}))

    def __len__(self) -> int:
        return len(self.tokens)

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """Token -> id."""
        return {token: number for number, token in enumerate(self.tokens, start=1)}

    def encode(self, text: str, replace: Mapping[str, str] | str | None = None) -> np.ndarray:
        """The ids of a text's characters.

        Args:
            text: Any string; it is brought to the form NFC first.
            replace: What to write in place of unknown characters: a mapping from a character to its replacement (an
                empty string leaves it out), or one string that stands for every unknown character.

        Returns:
            int32 array, one id per character.

        Raises:
            UserError: where a character is unknown; the message names all of them and lists the alphabet.
        """
        text = unicodedata.normalize("NFC", text)
        if replace is not None:
            text = "".join(
                character if character in self.ids else self._replacement(character, replace) for character in text
            )
        unknown = sorted(set(text) - self.ids.keys())
        if unknown:
            names = " ".join(f"{character!r} (U+{ord(character):04X})" for character in unknown)
            raise UserError(f"The alphabet does not have the character {names}. It has: {''.join(self.tokens)!r}")
        return np.array([self.ids[character] for character in text], np.int32)

    @staticmethod
    def _replacement(character: str, replace: Mapping[str, str] | str) -> str:
        return replace if isinstance(replace, str) else replace.get(character, character)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a row of ids; padding is left out.

        Raises:
            UserError: where an id lies outside 0..len(vocabulary).
        """
        ids = [int(number) for number in ids]
        if any(not 0 <= number <= len(self) for number in ids):
            raise UserError(f"`ids` must lie in 0..{len(self)}. Received: ids={ids}")
        return "".join(self.tokens[number - 1] for number in ids if number)

    def to_json(self) -> str:
        """The text of `vocabulary.json`."""
        return json.dumps({"pad": 0, "tokens": list(self.tokens)}, ensure_ascii=False, indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Writes `vocabulary.json`."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
            UserError: where the file is not there or is not a vocabulary.
        """
        try:
            return cls(json.loads(Path(path).read_text(encoding="utf-8"))["tokens"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a vocabulary: {error}") from error
