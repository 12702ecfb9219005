import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data import text_schema
from keras_seqgen.data.text_stream import TokenStream
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError

COUNT = 5000


def write(folder, ids, size, shards=3, record=400, first=0):
    """A prepared folder of one split; records and shards of uneven lengths."""
    folder.mkdir(exist_ok=True)
    Vocabulary([chr(0x10000 + n) for n in range(size)]).save(folder / "vocabulary.json")
    rng = np.random.default_rng(0)
    for shard, part in enumerate(np.array_split(ids, shards)):
        with tf.io.TFRecordWriter(str(folder / f"train-{shard:05d}-of-{shards:05d}.tfrecord")) as writer:
            at = 0
            while at < len(part):
                take = int(rng.integers(1, record))
                writer.write(text_schema.to_example(first, part[at : at + take], text_schema.id_type(size)))
                first += len(part[at : at + take])
                at += take
    return folder


@pytest.mark.parametrize("size", [40, 300, 70_000])
def test_any_stretch_is_that_of_the_whole(tmp_path, size):
    rng = np.random.default_rng(size)
    ids = rng.integers(1, size + 1, COUNT).astype(np.int32)
    stream = TokenStream(write(tmp_path / "x", ids, size), "train")
    assert len(stream) == COUNT
    np.testing.assert_array_equal(stream[:], ids)
    for _ in range(300):
        a, b = (int(n) for n in rng.integers(-COUNT - 5, COUNT + 5, 2))
        np.testing.assert_array_equal(stream[a:b], ids[a:b])
    assert stream[3:9].dtype == np.int32
    assert len(stream[COUNT:]) == len(stream[9:3]) == 0
    with pytest.raises(ValueError, match="step 1"):
        stream[::2]


def test_an_empty_shard_is_no_fault(tmp_path):
    stream = TokenStream(write(tmp_path, np.array([1, 2]), 5, shards=4), "train")
    assert stream[:].tolist() == [1, 2]


def test_what_is_wrong_with_the_files_is_told(tmp_path):
    ids = np.arange(COUNT) % 200 + 1
    with pytest.raises(UserError, match="no split 'train'"):
        TokenStream(tmp_path, "train")
    folder = write(tmp_path / "lost", ids, 200)
    (folder / "train-00001-of-00003.tfrecord").unlink()
    with pytest.raises(UserError, match="2 of the files"):
        TokenStream(folder, "train")
    folder = write(tmp_path / "cut", ids, 200)
    path = folder / "train-00002-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="cut short"):
        TokenStream(folder, "train")
    path.write_bytes(b"some text, but no records at all")
    with pytest.raises(UserError, match="cannot be read at byte"):
        TokenStream(folder, "train")
    with pytest.raises(UserError, match="does not go on"):
        TokenStream(write(tmp_path / "late", ids, 200, first=7), "train")
    folder = write(tmp_path / "alone", ids, 200)
    (folder / "vocabulary.json").unlink()
    with pytest.raises(UserError, match="not a vocabulary"):
        TokenStream(folder, "train")
