"""The Python face: what it returns, and the one line that a user reads after a mistake."""

import keras
import numpy as np
import pytest

from keras_seqgen.decoding import HandwritingWriter, default_limit
from keras_seqgen.decoding.line_writer import ROWS_AT_ONCE
from keras_seqgen.errors import UserError

STROKES = np.array([[3, 1, 0], [5, -2, 0], [8, 0, 1]], np.float32)


def test_writes_raw_units(writer):
    a, b = writer.write(["abc", "dead bee"], bias=[0.5, 1.0], seed=7)
    assert a.dtype == np.float32
    assert a.shape[1:] == b.shape[1:] == (3,)
    assert len(a) <= default_limit(3)
    assert set(np.unique(a[:, 2])) <= {0.0, 1.0}
    assert np.abs(a[:, 0]).max() > 5 * np.abs(a[:, 2]).max()


def test_row_does_not_depend_on_its_batch(writer):
    texts = ["abc", "dead bee", "e", "cab"]
    primers = [None, (STROKES, "be"), None, (STROKES[:2], "a")]
    together = writer.write(texts, bias=[0, 1, 2, 0.5], seed=[1, 2, 3, 2**40], primers=primers, max_points=80)
    for n, text in enumerate(texts):
        alone = writer.write(
            text, bias=[0, 1, 2, 0.5][n], seed=[1, 2, 3, 2**40][n], primers=primers[n : n + 1], max_points=80
        )
        np.testing.assert_array_equal(alone[0], together[n])


def test_forms_of_the_seed(writer):
    same = writer.write(["abc"] * 3, seed=5, max_points=20)
    np.testing.assert_array_equal(same[0], same[2])
    pair = writer.write(["abc"], seed=np.array([[5, 0]]), max_points=20)
    np.testing.assert_array_equal(pair[0], same[0])
    others = [5 + 2**32, -5, 6]
    for seed in others:
        assert np.abs(writer.write("abc", seed=seed, max_points=20)[0][:5] - same[0][:5]).max() > 0.1


def test_long_batches_are_written_in_parts(writer):
    rows = ROWS_AT_ONCE + 3
    lines = writer.write(["ab"] * rows, seed=range(rows), max_points=4)
    assert len(lines) == rows
    np.testing.assert_array_equal(lines[-1], writer.write("ab", seed=rows - 1, max_points=4)[0])


def test_one_primer_serves_every_row(writer):
    primed = writer.write(["abc", "de"], primers=(STROKES, "be"), max_points=9)
    each = writer.write(["abc", "de"], primers=[(STROKES, "be")] * 2, max_points=9)
    plain = writer.write(["abc", "de"], max_points=9)
    for a, b, c in zip(primed, each, plain, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_no_texts_no_lines(writer):
    assert writer.write([]) == []


def test_replace(writer):
    np.testing.assert_array_equal(
        writer.write("aXb", replace={"X": "c"}, max_points=9)[0], writer.write("acb", max_points=9)[0]
    )
    np.testing.assert_array_equal(writer.write("a?b", replace="", max_points=9)[0], writer.write("ab", max_points=9)[0])
    np.testing.assert_array_equal(writer.write("e\u0301", max_points=9)[0], writer.write("é", max_points=9)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": ["aXb"]}, r"'X' \(U\+0058\).* abcde\.é"),
        ({"texts": ["ab", ""]}, r"`texts\[1\]` must be a string that is not empty"),
        ({"texts": [3]}, r"`texts\[0\]` must be a string"),
        ({"texts": None}, "must be given"),
        ({"texts": ["X"], "replace": ""}, "is empty after its unknown characters are left out"),
        ({"texts": ["ab" * 101]}, "at most 200 characters.* Received: 202"),
        ({"texts": ["ab" * 99], "primers": (STROKES, "abc")}, "at most 200 characters.* Received: 201"),
        ({"bias": -0.1}, "`bias` must be a finite number that is not negative.* Received: -0.1"),
        ({"bias": float("nan")}, "`bias` must be a finite number"),
        ({"bias": float("inf")}, "`bias` must be a finite number"),
        ({"bias": "neat"}, "`bias` must be a finite number"),
        ({"bias": [1.0, 2.0, 3.0]}, "`bias` must be one number or one for each of the 2 rows"),
        ({"seed": 0.5}, "`seed` must be an integer"),
        ({"seed": [1, 2, 3]}, r"`seed` must be an integer, one for each of the 2 rows, or \(2, 2\)"),
        ({"max_points": 0}, r"`max_points` must be an integer in 1\.\.20000"),
        ({"max_points": 2.5}, "`max_points` must be an integer"),
        ({"max_points": [5, 10**9]}, "`max_points` must be an integer"),
        ({"primers": (STROKES, "")}, r"`primers\[0\]` has strokes but no text"),
        ({"primers": (STROKES, None)}, r"`primers\[0\]` has strokes but no text"),
        ({"primers": (None, "be")}, r"`primers\[0\]` has a text but no strokes"),
        ({"primers": [None]}, "one for each of the 2 rows"),
        ({"primers": (STROKES[:, :2], "be")}, r"`primers\[0\]` must hold finite rows"),
        ({"primers": (STROKES * np.nan, "be")}, r"`primers\[0\]` must hold finite rows"),
        ({"primers": [None, (STROKES, "bXe")]}, "'X'"),
    ],
)
def test_mistakes_get_one_line(writer, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        writer.write(**{"texts": ["ab", "cd"], **arguments})
    assert "\n" not in str(error.value)


def test_network_without_a_text(prediction):
    writer = HandwritingWriter(prediction, None, [0, 0], [1, 1])
    a, b = writer.write(max_points=[9, 4], seed=[1, 2])
    assert (len(a), len(b)) == (9, 4)
    np.testing.assert_array_equal(writer.write(max_points=9, seed=1)[0], a)
    (one,) = writer.write(max_points=5, primers=[(STROKES, None)])
    assert len(one) == 5
    (same,) = writer.write(max_points=5, primers=(STROKES, None))
    np.testing.assert_array_equal(same, one)
    assert len(writer.write(max_points=5, primers=((STROKES, None), None))) == 2
    with pytest.raises(UserError, match="writes without a text"):
        writer.write(["ab"], max_points=3)
    with pytest.raises(UserError, match="`max_points` must be given"):
        writer.write()


def test_vocabulary_must_fit_the_network(prediction, synthesis, vocabulary):
    with pytest.raises(ValueError, match="`vocabulary`"):
        HandwritingWriter(prediction, vocabulary, [0, 0], [1, 1])
    with pytest.raises(ValueError, match="`vocabulary`"):
        HandwritingWriter(synthesis, None, [0, 0], [1, 1])


def test_compiled_loop_writes_the_same_until_rounding_tells(writer, synthesis, vocabulary):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("XLA of TensorFlow")
    fast = HandwritingWriter(synthesis, vocabulary, writer.mean, writer.std, jit_compile=True)
    for a, b in zip(fast.write(["abc", "de"], max_points=9), writer.write(["abc", "de"], max_points=9), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-2)


def test_a_tuple_of_two_rows_is_no_primer(writer):
    rows = (STROKES, "be"), None
    for a, b in zip(
        writer.write(["abc", "de"], primers=rows, max_points=9),
        writer.write(["abc", "de"], primers=list(rows), max_points=9),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
