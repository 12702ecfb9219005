"""Text to ids and back inside a TensorFlow graph, for clients that send and receive strings."""

import numpy as np
import tensorflow as tf

from keras_seqgen.data.vocabulary import END, UNKNOWN
from keras_seqgen.decoding.text_pieces import TextPieces

_BLANKS = "[\\pZ\\s\\x0b\\x1c-\\x1f\u0085]+"  # what `str.split` takes for a blank


class TextCodec:
    """The graph's counterpart of `Vocabulary.encode` and `decoding.text_pieces`.

    A sorted table of numbers and a binary search: nothing to initialise and nothing to track in a SavedModel. The
    number of a character is its code point, that of a byte its value, that of a word its 64-bit fingerprint.

    Args:
        vocabulary: `data.vocabulary.Vocabulary`; its normal form is for the client to bring texts to.

    Example:

        >>> codec = TextCodec(Vocabulary("abc"))
        >>> ids, length, unknown = codec.encode(tf.constant(["cab", "a?b!"]), 100)
        >>> unknown.numpy()
        array([b'', b'?!'], dtype=object)
    """

    def __init__(self, vocabulary):
        self.kind = vocabulary.kind
        self.unknown = vocabulary.ids.get(UNKNOWN, 0)
        self.breaks = self.kind == "word" and END in vocabulary.ids
        pieces = TextPieces(vocabulary)
        self.end = pieces.end
        self.pieces, self.blank = np.array(pieces.pieces, object), pieces.blank
        if self.kind == "word":
            ids = vocabulary.ids
            numbers = tf.bitcast(tf.fingerprint(list(ids)), tf.int64).numpy()
        else:
            ids = {token: number for token, number in vocabulary.ids.items() if len(token) == 1}
            numbers = np.array([ord(token) for token in ids], np.int32)
        order = np.argsort(numbers)
        self.numbers, self.ids = numbers[order], np.array(list(ids.values()), np.int32)[order]
        self.words = np.array(list(ids), object)[order]
        if len(np.unique(numbers)) < len(numbers):
            raise ValueError("two words of the vocabulary have the same fingerprint: leave one of them out")

    def encode(self, text, longest):
        """Encode a batch.

        Args:
            text: (B,) strings; UTF-8, or for a vocabulary of bytes any bytes.
            longest: how many tokens to look at; the rest of a longer text is cut off.

        Returns:
            ids (B, U) int32, padded with 0; length (B,) int32, in tokens, of the text before the cut; unknown (B,)
            strings, the tokens that have no id ("" if there is none). They are `<unk>`, or 0 where there is no such
            token. A byte that is not UTF-8 counts as the unknown character U+FFFD.
        """
        tokens = self._tokens(text)
        length = tf.cast(tokens.row_lengths(), tf.int32)
        tokens = tokens[:, :longest]
        flat = tokens.flat_values
        numbers = tf.bitcast(tf.fingerprint(flat), tf.int64) if self.kind == "word" else flat
        where = tf.minimum(tf.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        found = tf.gather(self.words, where) == flat if self.kind == "word" else tf.gather(self.numbers, where) == flat
        ids = tokens.with_flat_values(tf.where(found, tf.gather(self.ids, where), self.unknown))
        strange = tf.ragged.boolean_mask(tokens, tokens.with_flat_values(~found))
        return ids.to_tensor(), length, self._named(strange)

    def decode(self, ids, before):
        """The text of rows of ids.

        Args:
            ids: (B, T) int32, padded with 0.
            before: (B,) int32, the id in front of each row, 0 for none: it decides whether a word begins with a blank.

        Returns:
            (B,) strings.
        """
        text = tf.gather(self.pieces, ids)
        if self.kind == "word":
            previous = tf.concat([before[:, None], ids[:, :-1]], axis=1)
            apart = tf.gather(self.blank, previous) & tf.gather(self.blank, ids)
            text = tf.strings.join([tf.where(apart, " ", ""), text])
        return tf.strings.reduce_join(text, axis=1)

    def _tokens(self, text):
        """(B,) strings -> ragged (B, (U)): code points, values of bytes, or words."""
        if self.kind == "word":
            text = tf.strings.regex_replace(text, "\n", f" {END} ") if self.breaks else text
            return tf.strings.split(tf.strings.regex_replace(text, _BLANKS, " "))
        return tf.strings.unicode_decode(text, "ISO-8859-1" if self.kind == "byte" else "UTF-8")

    def _named(self, tokens):
        """Ragged tokens -> (B,) strings for a message."""
        if self.kind == "word":
            return tf.strings.reduce_join(tokens, axis=1, separator=" ")
        if self.kind == "byte":
            names = tf.gather(tf.constant([f"0x{value:02x}" for value in range(256)]), tokens)
            return tf.strings.reduce_join(names, axis=1, separator=" ")
        return tf.strings.unicode_encode(tokens, "UTF-8")
