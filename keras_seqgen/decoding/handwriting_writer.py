"""Writing with a Keras model in this process."""

import functools

import numpy as np
import tensorflow as tf

from keras_seqgen.decoding.handwriting import Lines, write
from keras_seqgen.decoding.line_writer import MAX_CHARACTERS, LineWriter, Request

COMPILED_STEPS = 256  # XLA compiles a loop for each number of steps: round it up


class HandwritingWriter(LineWriter):
    """Writes with the cells of a model: unbiased, biased, primed; with a text or without.

    The weights are read at each call: a writer made once follows the training of its model.

    Args:
        model: of `models.handwriting_synthesis` or `models.handwriting_prediction`.
        vocabulary: `data.vocabulary.Vocabulary` of the texts; `None` for a prediction network.
        mean, std: (2,), the statistics of the training split's offsets in raw units.
        jit_compile: compile with XLA: faster for a row or a few, slower to start (a second or more for each new shape),
            no gain for many rows. Its rounding is its own: the strokes for a seed differ from those without it, and
            from one batch size to another.
        max_characters: the longest text, its primer's text included.

    Raises:
        ValueError: the sizes of the model and of the vocabulary differ.

    Example:

        >>> writer = HandwritingWriter(model, vocabulary, statistics.mean, statistics.std)
        >>> writer.write(["a line", "another"], bias=[0.5, 1.0], seed=7)[0].shape
        (163, 3)

    Source: Graves 2013, sections 4 and 5.
    """

    def __init__(self, model, vocabulary, mean, std, jit_compile=False, max_characters=MAX_CHARACTERS):
        super().__init__(vocabulary, max_characters)
        takes_text = "text" in model.input
        if takes_text != (vocabulary is not None):
            raise ValueError(
                f"`vocabulary` must be given for a network that takes a text, and else be None: {vocabulary}"
            )
        self.model = model
        self.mean, self.std = (np.asarray(x, np.float32) for x in (mean, std))
        self.jit_compile = jit_compile
        self._graphs = {}

    def generate(self, request: Request):
        primer = request.primer
        primer = np.concatenate([(primer[..., :2] - self.mean) / self.std, primer[..., 2:]], axis=-1)
        inputs = [request.bias, request.seed, request.limit, primer, request.primer_length]
        if self.vocabulary is not None:
            texts = zip(request.primer_texts, request.texts, strict=True)
            inputs.append(pad_text([self.vocabulary.encode(before + text) for before, text in texts]))
        steps = None
        if self.jit_compile:
            steps = -(-int(request.limit.max()) // COMPILED_STEPS) * COMPILED_STEPS
        strokes, length = (x.numpy() for x in self._graph(steps)(*inputs))
        strokes = np.concatenate([strokes[..., :2] * self.std + self.mean, strokes[..., 2:]], axis=-1)
        return strokes, length

    def _graph(self, steps):
        """The traced function. Shapes are left open: one trace serves every call (with XLA, one for each `steps`)."""
        if steps not in self._graphs:
            row = functools.partial(tf.TensorSpec, (None,))
            points = tf.TensorSpec((None, None, 3))
            inputs = [row(tf.float32), tf.TensorSpec((None, 2), tf.int32), row(tf.int32), points, row(tf.int32)]
            if self.vocabulary is not None:
                inputs.append(tf.TensorSpec((None, None), tf.int32))

            @tf.function(input_signature=inputs, jit_compile=self.jit_compile, autograph=False)
            def graph(bias, seed, limit, primer, primer_length, text=None):
                lines = Lines(text, bias, seed, limit)
                return write(self.model, lines, primer=primer, primer_length=primer_length, steps=steps)[:2]

            self._graphs[steps] = graph
        return self._graphs[steps]


def pad_text(ids):
    """Rows of ids -> (B, U) int32, padded with 0 in steps of 16 so that a compiler meets few shapes."""
    width = -(-max(len(row) for row in ids) // 16) * 16
    return np.stack([np.pad(row, (0, width - len(row))) for row in ids]).astype(np.int32)
