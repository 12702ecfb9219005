import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.text_schema import HEAD, RECORD, from_example, id_type, locate, to_example


@pytest.mark.parametrize(("size", "name"), [(1, "u1"), (255, "u1"), (256, "<u2"), (65535, "<u2"), (65536, "<i4")])
def test_the_smallest_type_that_holds_every_id(size, name):
    assert id_type(size) == np.dtype(name)
    assert np.array([0, size]).astype(id_type(size)).tolist() == [0, size]


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<i4"])
@pytest.mark.parametrize("count", [0, 1, 127, 128, 300, RECORD])
@pytest.mark.parametrize("first", [0, 1, 127, 128, 10**12])
def test_the_bytes_are_protobufs_own(dtype, count, first):
    ids = np.random.default_rng(count).integers(0, 250, count)
    record = to_example(first, ids, np.dtype(dtype))
    example = tf.train.Example()
    example.features.feature["ids"].bytes_list.value.append(ids.astype(dtype).tobytes())
    example.features.feature["first"].int64_list.value.append(first)
    assert record == example.SerializeToString(deterministic=True)
    got, back = from_example(record, np.dtype(dtype))
    assert got == first
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, ids)
    assert locate(record[:HEAD], len(record)) == (
        first,
        len(record) - ids.astype(dtype).nbytes,
        ids.astype(dtype).nbytes,
    )


def test_a_record_of_another_length_than_its_ids_say():
    record = to_example(3, np.arange(9), np.dtype("u1"))
    for length in (len(record) - 1, len(record) + 1):
        with pytest.raises(ValueError, match="not a record"):
            locate(record, length)


def test_ids_that_look_like_a_head_do_not_mislead():
    ids = np.frombuffer(b"\x0a\x03ids\x12\x0a\x05first\x12" * 9, np.uint8)
    np.testing.assert_array_equal(from_example(to_example(10, ids, np.dtype("u1")), np.dtype("u1"))[1], ids)


@pytest.mark.parametrize(
    "record", [b"", b"\x0a", b"\x0a\x05first\x12", b"\xff" * 90, tf.train.Example().SerializeToString()]
)
def test_what_is_no_record(record):
    with pytest.raises(ValueError, match="not a record"):
        locate(record, len(record))
