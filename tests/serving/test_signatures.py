"""The signatures as a client meets them: rows by themselves, errors by row, lines in chunks, primers."""

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.serving import SavedHandwriting
from keras_seqgen.serving.text_ids import TextIds

PRIMER = np.array([[30, 10, 0], [50, -20, 0], [80, 0, 1], [10, 60, 0]], np.float32)


@pytest.fixture(scope="module")
def saved(exported):
    return SavedHandwriting(exported.parent)


def ask(saved, signature, **inputs):
    """Numbers without a decimal point are int32 here, others float32; text is bytes."""
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in saved.signatures[signature](**tensors).items()}


def generate(saved, text, bias=None, seed=None):
    B = len(text)
    seed = [[3, n] for n in range(B)] if seed is None else seed
    return ask(saved, "generate", text=text, bias=[0.5] * B if bias is None else bias, seed=seed)


def test_same_seed_same_line(saved):
    a, b = (
        generate(saved, ["abc", "abc"], seed=[[1, 2], [1, 2]]),
        generate(saved, ["abc", "abc"], seed=[[1, 2], [2, 1]]),
    )
    np.testing.assert_array_equal(a["strokes"][0], a["strokes"][1])
    T = min(b["length"])
    assert np.abs(b["strokes"][0, :T] - b["strokes"][1, :T]).max() > 1


def test_row_does_not_depend_on_its_batch(saved):
    texts = ["abc", "dead bee", "é𝄞", "e" * 33, "c"]
    together = generate(saved, texts)
    for n, text in enumerate(texts):
        alone = generate(saved, [text], seed=[[3, n]])
        length = together["length"][n]
        assert alone["length"][0] == length
        np.testing.assert_array_equal(alone["strokes"][0], together["strokes"][n, :length])


def test_bad_row_says_why_and_spares_the_others(saved):
    good = generate(saved, ["abc"], seed=[[3, 0]])
    texts = ["abc", "aXbYc", "", "a" * 201, "abc", "abc", b"a\xff"]
    bias = [0.5, 0.5, 0.5, 0.5, -1.0, float("nan"), 0.5]
    got = generate(saved, texts, bias)
    assert [message.decode() for message in got["error"]] == [
        "",
        "The alphabet does not have the characters XY",
        "`text` is empty",
        "`text` must have at most 200 characters",
        "`bias` must be a finite number that is not negative",
        "`bias` must be a finite number that is not negative",
        "The alphabet does not have the characters \ufffd",
    ]
    assert got["length"].tolist() == [good["length"][0], 0, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(got["strokes"][0], good["strokes"][0])
    assert not got["strokes"][1:].any()


def test_batch_of_bad_rows_is_empty(saved):
    got = generate(saved, ["", "X"])
    assert got["strokes"].shape == (2, 0, 3)


def test_writes_what_the_keras_model_writes(saved, writer):
    texts = ["abc", "dead bee", "éa"]
    primers = [(PRIMER, "be"), None, (PRIMER[:2], "c ")]
    arguments = {"bias": [0.0, 1.0, 0.3], "seed": [1, -2, 2**35], "primers": primers}
    for a, b in zip(saved.write(texts, **arguments), writer.write(texts, **arguments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)
    a, b = (w.write(texts, max_points=[3, 9, 1], seed=5, replace="e") for w in (saved, writer))
    assert [len(line) for line in a] == [len(line) for line in b] == [3, 9, 1]


def primed(saved, **changes):
    inputs = {
        "text": ["ab"],
        "bias": [0.0],
        "seed": [[1, 2]],
        "max_points": [20],
        "primer_strokes": PRIMER[None],
        "primer_length": [4],
        "primer_text": ["be"],
    }
    return ask(saved, "generate_primed", **{**inputs, **changes})


def test_primer_tells(saved):
    with_primer = primed(saved)
    without = primed(saved, primer_strokes=PRIMER[None, :0], primer_length=[0], primer_text=[""])
    plain = generate(saved, ["ab"], [0.0], [[1, 2]])
    T = min(20, plain["length"][0])
    np.testing.assert_array_equal(without["strokes"][0, :T], plain["strokes"][0, :T])
    assert np.abs(with_primer["strokes"][0, :4] - without["strokes"][0, :4]).max() > 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"primer_text": [""]}, "`primer_text` and `primer_strokes` must come together"),
        ({"primer_length": [0]}, "`primer_text` and `primer_strokes` must come together"),
        ({"primer_length": [5]}, "`primer_length` must lie in 0..P"),
        ({"primer_strokes": PRIMER[None] * np.float32("nan")}, "`primer_strokes` must be finite"),
        ({"primer_text": ["bXe"]}, "The alphabet does not have the characters X"),
        ({"primer_text": ["b" * 199]}, "`primer_text` and `text` must have at most 200 characters together"),
        ({"max_points": [-1]}, "`max_points` must lie in 0..20000"),
        ({"text": [""]}, "`text` is empty"),
    ],
)
def test_primers_that_cannot_be_followed(saved, changes, message):
    got = primed(saved, **changes)
    assert got["error"][0].decode() == message
    assert got["length"][0] == 0


def test_chunks_make_up_the_line(saved):
    texts, bias, seed = ["abc", "dead bee"], [0.2, 0.7], [[1, 1], [2, 2]]
    whole = generate(saved, texts, bias, seed)
    size = saved.signatures["step"].structured_input_signature[1]["state"].shape[1]
    state, parts = np.zeros((2, size), np.float32), [[], []]
    for turn in range(200):
        got = ask(saved, "step", text=texts, bias=bias, seed=seed, points=[8, turn % 4], state=state)
        state = got["state"]
        for row in range(2):
            parts[row].append(got["strokes"][row, : got["length"][row]])
        if got["finished"].all():
            break
    for row in range(2):
        np.testing.assert_array_equal(np.concatenate(parts[row]), whole["strokes"][row, : whole["length"][row]])


def test_what_is_no_state_fails_its_row_alone(saved):
    size = saved.signatures["step"].structured_input_signature[1]["state"].shape[1]
    state = np.zeros((2, size), np.float32)
    state[1, -1] = np.nan
    asked = {"text": ["abc", "abc"], "bias": [1.0, 1.0], "seed": [[1, 1], [1, 1]], "points": [5, 5]}
    got = ask(saved, "step", **asked, state=state)
    assert got["error"].tolist() == [b"", b"`state` must be finite"]
    assert got["length"].tolist() == [5, 0]


def test_score_of_bad_rows_is_nan(saved):
    strokes = np.stack([PRIMER] * 4)
    got = ask(saved, "score", strokes=strokes, length=[4, 4, 5, 0], text=["be", "bX", "be", "be"])
    assert [bool(message) for message in got["error"]] == [False, True, True, False]
    assert np.isnan(got["nats"]).tolist() == [False, True, True, False]
    assert got["nats"][3] == 0
    longer = np.pad(strokes, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    padded = ask(saved, "score", strokes=longer, length=[4, 4, 5, 0], text=["be", "b", "be    ".strip(), "be"])
    np.testing.assert_allclose(padded["nats"][0], got["nats"][0], rtol=1e-5)


def test_text_ids():
    ids, length, unknown = TextIds("ba𝄞é")(tf.constant(["éba", "", "a?𝄞!", "bbbbbb"]), 5)
    assert ids.numpy().tolist() == [[4, 1, 2, 0, 0], [0] * 5, [2, 0, 3, 0, 0], [1] * 5]
    assert length.numpy().tolist() == [3, 0, 4, 6]
    assert [text.decode() for text in unknown.numpy()] == ["", "", "?!", ""]
