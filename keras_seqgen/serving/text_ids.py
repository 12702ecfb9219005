"""Text to ids inside a TensorFlow graph, for clients that send strings."""

import numpy as np
import tensorflow as tf


class TextIds:
    """The graph's counterpart of `Vocabulary.encode`.

    A table of code points and a binary search: nothing to initialise and nothing to track in a SavedModel.

    Args:
        tokens: single characters, in the order of their ids 1, 2, ...

    Raises:
        ValueError: a token is not a single character.

    Example:

        >>> ids, length, unknown = TextIds("abc")(tf.constant(["cab", "a?b!"]))
        >>> unknown.numpy()
        array([b'', b'?!'], dtype=object)
    """

    def __init__(self, tokens):
        if not all(len(token) == 1 for token in tokens):
            raise ValueError(f"`tokens` must be single characters. Received: tokens={tokens}")
        points = np.array([ord(token) for token in tokens], np.int32)
        order = np.argsort(points)
        self.points, self.ids = points[order], order.astype(np.int32) + 1

    def __call__(self, text, longest):
        """Encode a batch.

        Args:
            text: (B,) strings in UTF-8 and in the form NFC.
            longest: how many characters to look at; the rest of a longer text is cut off.

        Returns:
            ids (B, U) int32, padded with 0; length (B,) int32, in characters, of the text before the cut; unknown (B,)
            strings, the characters that have no id ("" if there is none), whose ids are 0. A byte that is not UTF-8
            counts as the unknown character U+FFFD.
        """
        points = tf.strings.unicode_decode(text, "UTF-8")
        length = tf.cast(points.row_lengths(), tf.int32)
        points = points[:, :longest]
        where = tf.minimum(tf.searchsorted(self.points, points.flat_values), len(self.points) - 1)
        known = tf.gather(self.points, where) == points.flat_values
        ids = points.with_flat_values(tf.where(known, tf.gather(self.ids, where), 0))
        unknown = tf.ragged.boolean_mask(points, points.with_flat_values(~known))
        return ids.to_tensor(), length, tf.strings.unicode_encode(unknown, "UTF-8")
