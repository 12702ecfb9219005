"""Strings to ids and back in the graph, against `Vocabulary` and `TextPieces`."""

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_pieces import TextPieces
from keras_seqgen.serving.text_codec import TextCodec

VOCABULARIES = {
    "characters": Vocabulary("\n abcé𝄞\ufffc", normalization=None),
    "characters with <unk>": Vocabulary(["\n", "<unk>", "a", "b", "é"], normalization=None),
    "bytes": Vocabulary(sorted(map(chr, [*range(190), 0xC3, 0xF0])), kind="byte"),
    "words": Vocabulary(["<eos>", "<unk>", "N", "cat", "sat", "été", "the"], kind="word", normalization=None),
    "words without <eos>": Vocabulary(["<unk>", "cat", "the"], kind="word", normalization=None),
}
TEXTS = [
    "",
    "a",
    "cab\nbaé",
    "the cat  sat\n\non the\tmat",
    "\n",
    " ",
    "été\u00a0cat\u3000N \u2028the\x1dcat\x85",
    "𝄞é" * 9,
]


@pytest.mark.parametrize("name", VOCABULARIES)
def test_ids_are_those_of_the_vocabulary(name):
    vocabulary = VOCABULARIES[name]
    ids, length, unknown = TextCodec(vocabulary).encode(tf.constant(TEXTS), 99)
    for n, text in enumerate(TEXTS):
        strange = [token for token in vocabulary.split(text) if token not in vocabulary.ids]
        assert bool(unknown[n].numpy()) == bool(strange)
        if not strange or "<unk>" in vocabulary.ids:
            expected = vocabulary.encode(text)
            assert int(length[n]) == len(expected)
            assert ids[n].numpy().tolist() == expected.tolist() + [0] * (ids.shape[1] - len(expected))


@pytest.mark.parametrize("name", VOCABULARIES)
def test_texts_are_those_of_the_pieces(name):
    vocabulary = VOCABULARIES[name]
    codec, pieces, rng = TextCodec(vocabulary), TextPieces(vocabulary), np.random.default_rng(0)
    ids = rng.integers(1, len(vocabulary) + 1, (20, 9)).astype(np.int32)
    ids[np.arange(9) >= rng.integers(0, 10, (20, 1))] = 0
    before = rng.integers(0, len(vocabulary) + 1, 20).astype(np.int32)
    texts = codec.decode(tf.constant(ids), tf.constant(before)).numpy()
    assert texts.tolist() == [pieces(row, first) for row, first in zip(ids, before, strict=True)]


def test_what_is_unknown_is_named():
    texts = [b"a?b!", b"ok\xff", b"a"]
    *_, unknown = TextCodec(Vocabulary("abok")).encode(tf.constant(texts), 50)
    assert [text.decode() for text in unknown.numpy()] == ["?!", "\ufffd", ""]
    *_, unknown = TextCodec(Vocabulary("abok!?", kind="byte")).encode(tf.constant(texts), 50)
    assert unknown.numpy().tolist() == [b"", b"0xff", b""]
    *_, unknown = TextCodec(Vocabulary(["a", "b"], kind="word")).encode(tf.constant(["a dog b \xff", "", "b"]), 50)
    assert [text.decode() for text in unknown.numpy()] == ["dog \xff", "", ""]


def test_long_texts_are_cut_but_counted():
    ids, length, _ = TextCodec(Vocabulary("ab")).encode(tf.constant(["ab" * 9, "b"]), 5)
    assert ids.numpy().tolist() == [[1, 2, 1, 2, 1], [2, 0, 0, 0, 0]]
    assert length.numpy().tolist() == [18, 1]


def test_ten_thousand_words_are_told_apart():
    words = sorted(f"w{n}" for n in range(10_000))
    ids, _, unknown = TextCodec(Vocabulary(words, kind="word")).encode(tf.constant([" ".join(words), "w10000"]), 20_000)
    assert ids[0].numpy().tolist() == list(range(1, 10_001))
    assert unknown.numpy().tolist() == [b"", b"w10000"]
