"""Characters, bytes or words and their ids, one for one: 0 is padding, the tokens follow in code-point order."""

import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from keras_seqgen.errors import UserError

KINDS = ("character", "byte", "word")
UNKNOWN = "<unk>"  # stands for every token that the vocabulary does not have, where it has this one
END = "<eos>"  # among words: the end of a line
NormalForm = Literal["NFC", "NFKC"]


@dataclass(frozen=True)
class Vocabulary:
    """The alphabet that a model was trained on.

    Token number i (from 0) has the id i + 1; the id 0 is padding and belongs to no token. A model one-hot encodes
    `ids - 1` with depth `len(vocabulary)`, so that padding becomes the zero vector.

    Args:
        tokens: The tokens, distinct and not empty strings. They are kept in the order given; `from_texts` sorts them.
        kind: What a token is. "character": a Unicode character. "byte": the character whose code point is the byte's
            value; a text is its UTF-8 bytes. "word": what stands between blanks; the end of a line is the word
            `<eos>` where there is such a token.
        normalization: The Unicode form that texts are brought to first: "NFC", "NFKC", or None to leave them as they
            are. A vocabulary of bytes always leaves them.

    Raises:
        UserError: where a token is empty or occurs twice, or is not of the kind.

    Example:
        >>> vocabulary = Vocabulary(" abc")
        >>> vocabulary.encode("a cab").tolist()
        [2, 1, 4, 2, 3]
        >>> vocabulary.decode([2, 1, 4, 2, 3, 0, 0])
        'a cab'
        >>> Vocabulary(["<eos>", "<unk>", "a", "cab"], kind="word").encode("a cab or\\na").tolist()
        [3, 4, 2, 1, 3]
    """

    tokens: tuple[str, ...]
    kind: str = "character"
    normalization: NormalForm | None = "NFC"

    def __init__(self, tokens: Sequence[str], kind: str = "character", normalization: NormalForm | None = "NFC"):
        tokens = tuple(tokens)
        if not all(isinstance(token, str) and token for token in tokens) or len(set(tokens)) != len(tokens):
            raise UserError(f"`tokens` must be distinct strings that are not empty. Received: tokens={tokens}")
        if kind not in KINDS:
            raise UserError(f"`kind` must be one of {', '.join(KINDS)}. Received: kind={kind!r}")
        if normalization not in ("NFC", "NFKC", None):
            raise UserError(f"`normalization` must be NFC, NFKC or None. Received: normalization={normalization!r}")
        if kind == "byte" and not all(len(token) == 1 and ord(token) < 256 for token in tokens):
            raise UserError("the tokens of a vocabulary of bytes must be the characters U+0000 to U+00FF")
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "normalization", None if kind == "byte" else normalization)

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
        """The ids of a text's tokens.

        Args:
            text: Any string; it is brought to the vocabulary's normal form first.
            replace: What to write in place of unknown tokens: a mapping from a token to its replacement (an empty
                string leaves it out), or one string that stands for every unknown token. A token that is still
                unknown is `<unk>`, where the vocabulary has that.

        Returns:
            int32 array, one id per token.

        Raises:
            UserError: where a token is unknown; the message names all of them and lists the alphabet.
        """
        tokens = self.split(text)
        if replace is not None:
            tokens = [new for token in tokens for new in self._replaced(token, replace)]
        if UNKNOWN in self.ids:
            unknown = self.ids[UNKNOWN]
            return np.array([self.ids.get(token, unknown) for token in tokens], np.int32)
        missing = sorted(set(tokens) - self.ids.keys())
        if missing:
            raise UserError(self._unknown(missing))
        return np.array([self.ids[token] for token in tokens], np.int32)

    def split(self, text: str) -> list[str]:
        """The tokens of a text, known or not, after it was brought to the vocabulary's normal form."""
        if self.kind == "byte":
            return list(text.encode("utf-8").decode("latin-1"))
        if self.normalization:
            text = unicodedata.normalize(self.normalization, text)
        if self.kind == "character":
            return list(text)
        return (text.replace("\n", f" {END} ") if END in self.ids else text).split()

    def _replaced(self, token: str, replace: Mapping[str, str] | str) -> list[str]:
        return [token] if token in self.ids else self.split(self._replacement(token, replace))

    def _unknown(self, missing: list[str]) -> str:
        if self.kind == "word":
            shown = " ".join(map(repr, missing[:10])) + (" ..." if len(missing) > 10 else "")
            return f"The vocabulary of {len(self)} words has no {UNKNOWN} and does not have {shown}"
        names = " ".join(f"{token!r} (U+{ord(token):04X})" for token in missing)
        return f"The alphabet does not have the {self.kind} {names}. It has: {''.join(self.tokens)!r}"

    @staticmethod
    def _replacement(character: str, replace: Mapping[str, str] | str) -> str:
        return replace if isinstance(replace, str) else replace.get(character, character)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a row of ids; padding is left out.

        Bytes that are no UTF-8 become U+FFFD. Words are put together with blanks, lines end where `<eos>` stands.

        Raises:
            UserError: where an id lies outside 0..len(vocabulary).
        """
        ids = [int(number) for number in ids]
        if any(not 0 <= number <= len(self) for number in ids):
            raise UserError(f"`ids` must lie in 0..{len(self)}. Received: ids={ids}")
        tokens = [self.tokens[number - 1] for number in ids if number]
        if self.kind == "byte":
            return "".join(tokens).encode("latin-1").decode("utf-8", "replace")
        if self.kind == "word":
            return re.sub(f" ?{END}( |$)", "\n", " ".join(tokens))
        return "".join(tokens)

    def to_json(self) -> str:
        """The text of `vocabulary.json`."""
        content = {"pad": 0, "kind": self.kind, "normalization": self.normalization, "tokens": list(self.tokens)}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def save(self, path: str | Path) -> None:
        """Writes `vocabulary.json`."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """Reads what `save` wrote. A file without a kind, from before there were several, is of characters in NFC.

        Raises:
            UserError: where the file is not there or is not a vocabulary.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a vocabulary: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """The inverse of `to_json`; raises ValueError, KeyError or TypeError where the text is something else."""
        content = json.loads(text)
        return cls(content["tokens"], content.get("kind", "character"), content.get("normalization", "NFC"))
