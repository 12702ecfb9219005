import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.schema import InkLine, from_example, parse, parse_length, to_example
from keras_seqgen.errors import UserError


def lines():
    rng = np.random.default_rng(0)
    for length in (1, 3, 700):
        yield InkLine(
            f"a-{length}",
            "w\u00f6rth",
            "Ein \u201eText\u201c #" + "x" * length,
            rng.normal(0, 40, (length, 3)).astype(np.float32),
        )
    yield InkLine("nameless", "", "", np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line.name)
def test_bytes_are_those_of_protobuf(line):
    data = to_example(line)
    example = tf.train.Example.FromString(data)
    assert example.SerializeToString(deterministic=True) == data
    assert list(example.features.feature["length"].int64_list.value) == [len(line.strokes)]


@pytest.mark.parametrize("line", list(lines()), ids=lambda line: line.name)
def test_round_trip(line):
    again = from_example(to_example(line))
    assert (again.name, again.writer, again.text) == (line.name, line.writer, line.text)
    np.testing.assert_array_equal(again.strokes, line.strokes)


def test_a_record_of_something_else_is_told():
    from keras_seqgen.data import recognition_schema, text_schema

    frames = recognition_schema.LabelledFrames("a", "w", "text", np.zeros((3, 4), np.float32))
    for record, said in (
        (text_schema.to_example(0, np.arange(3), np.dtype("u1")), "without name, writer, text, strokes"),
        (recognition_schema.to_example(frames), "without strokes"),
        (b"\xff" * 20, "no tf.train.Example"),
    ):
        with pytest.raises(UserError, match=said):
            from_example(record)


def test_parse_many_at_once():
    records = list(lines())
    serialized = tf.constant([to_example(line) for line in records])
    parsed = parse(serialized)
    for i, line in enumerate(records):
        assert parsed["text"][i].numpy().decode() == line.text
        assert parsed["writer"][i].numpy().decode() == line.writer
        assert int(parse_length(serialized[i])) == len(line.strokes)
        np.testing.assert_array_equal(parsed["strokes"][i].numpy(), line.strokes)
