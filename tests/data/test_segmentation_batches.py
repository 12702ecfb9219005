import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_seqgen.data.examples import serialize_example
from keras_seqgen.data.label_set import CAMVID, VOC, LabelSet
from keras_seqgen.data.labelled_image import LabelledImage, decode_picture, from_example, to_example
from keras_seqgen.data.segmentation import segmentation_batches
from keras_seqgen.errors import UserError

COUNT, HEIGHT, WIDTH = 23, 9, 14


def picture(number, height=HEIGHT, width=WIDTH):
    """Red is the row, green the column (times ten), blue the picture's number; labels follow from row and column."""
    row, column = np.mgrid[:height, :width]
    image = np.stack([row * 10, column * 10, np.full_like(row, number)], -1).astype(np.uint8)
    label = ((row + 2 * column) % 5).astype(np.uint8)
    label[0, 0] = 255
    return image, label


def png(array):
    return tf.io.encode_png(array if array.ndim == 3 else array[..., None]).numpy()


def write(path, sizes):
    """A prepared folder of two shards."""
    for shard in range(2):
        with tf.io.TFRecordWriter(str(path / f"train-{shard:05d}-of-00002.tfrecord")) as writer:
            for number in range(shard, len(sizes), 2):
                image, label = picture(number, *sizes[number])
                writer.write(to_example(LabelledImage(f"n{number}", png(image), png(label), *label.shape)))
    counts = {f"{w}x{h}": 1 for h, w in sizes}
    (path / "stats.json").write_text(json.dumps({"splits": {"train": {"images": len(sizes), "sizes": counts}}}))
    LabelSet(5).save(path / "labels.json")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("one_size"), [(HEIGHT, WIDTH)] * COUNT)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sizes"), [(HEIGHT, WIDTH), (5, 8), (1, 1)] * 6)


def flat(batches):
    return [[part.numpy() for part in tf.nest.flatten(batch)] for batch in batches]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def numbers(images):
    """Which picture each row shows, by its blue."""
    return [int(np.median(image[..., 2])) for image in images]


def test_a_record_is_what_protobuf_would_write_and_comes_back():
    record = LabelledImage("näme", b"\xff\xd8" + bytes(300), b"", 480, 70_000)
    serialized = to_example(record)
    assert tf.train.Example.FromString(serialized).SerializeToString(deterministic=True) == serialized
    assert from_example(serialized) == record
    unsorted = serialize_example({"b": 0, "a": b"x"})
    assert tf.train.Example.FromString(unsorted).SerializeToString(deterministic=True) == unsorted


def test_contents_of_a_batch(folder):
    seen = []
    for inputs, label, weight in segmentation_batches(folder, "train", 5):
        assert (inputs["image"].dtype, label.dtype, weight.dtype) == (tf.float32, tf.int32, tf.float32)
        for row, number in enumerate(numbers(inputs["image"].numpy())):
            image, known = picture(number)
            np.testing.assert_array_equal(inputs["image"][row], image)
            np.testing.assert_array_equal(label[row], np.where(known == 255, 0, known))
            np.testing.assert_array_equal(weight[row], known != 255)
            seen.append(number)
    assert seen == [*range(0, COUNT, 2), *range(1, COUNT, 2)]  # the files' order


def test_without_a_crop_pictures_of_one_size_meet(mixed):
    batches = flat(segmentation_batches(mixed, "train", 4))
    assert sorted(number for batch in batches for number in numbers(batch[0])) == list(range(18))
    assert sorted(len(batch[0]) for batch in batches) == [2, 2, 2, 4, 4, 4]
    for image, label, weight in batches:
        assert image.shape[:3] == label.shape == weight.shape
        assert weight[:, 0, 0].max() == 0
        assert weight.sum() == weight.size - len(weight)


VARIED = {"crop": (6, 7), "flip": True, "zoom": (0.5, 2.0), "light": 0.3}


@pytest.mark.parametrize("options", [{}, VARIED], ids=["plain", "varied"])
@pytest.mark.parametrize("corpus", ["folder", "mixed"])
def test_a_stopped_run_goes_on_where_it_was(corpus, options, request):
    corpus = request.getfixturevalue(corpus)
    whole = flat(segmentation_batches(corpus, "train", 4, seed=3, repeat=True, **options).take(24))
    for step in (1, 6, 17):
        tf.keras.utils.set_random_seed(step)  # plays no part
        rest = segmentation_batches(corpus, "train", 4, seed=3, repeat=True, start_step=step, **options)
        assert_same(whole[step:], flat(rest.take(24 - step)))


def test_order_and_changes_depend_on_the_seed(folder):
    one, again, other = (
        flat(segmentation_batches(folder, "train", 4, seed=seed, repeat=True, **VARIED).take(9)) for seed in (1, 1, 2)
    )
    assert_same(one, again)
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(one, other, strict=True))


def test_every_epoch_has_every_picture_once_in_another_order(folder):
    batches = flat(segmentation_batches(folder, "train", 1, seed=5, repeat=True).take(2 * COUNT))
    first, second = np.split(np.array([numbers(batch[0])[0] for batch in batches]), 2)
    assert sorted(first) == sorted(second) == list(range(COUNT))
    assert not np.array_equal(first, second)


def test_a_finite_stream_ends(folder):
    assert len(list(segmentation_batches(folder, "train", 4, seed=1, start_step=4))) == 2
    assert len(list(segmentation_batches(folder, "train", 4, seed=1, start_step=99))) == 0


def expected_label(image):
    """The label that belongs to what a picture shows: rows and columns told by red and green."""
    row, column = (np.rint(image[..., channel] / 10).astype(int) for channel in (0, 1))
    label = (row + 2 * column) % 5
    return np.where((row == 0) & (column == 0), 0, label)


def test_crop_and_flip_move_pictures_and_labels_together(folder):
    mirrored = corners = 0
    for image, label, weight in flat(
        segmentation_batches(folder, "train", 6, seed=1, repeat=True, crop=(4, 5), flip=True).take(20)
    ):
        np.testing.assert_array_equal(label, expected_label(image))
        np.testing.assert_array_equal(weight, np.any(image[..., :2] != 0, axis=-1))
        steps = np.diff(image[..., 1], axis=2)
        assert set(np.unique(steps)) <= {-10, 10}
        mirrored += (steps[:, 0, 0] < 0).sum()
        corners += (image[:, 0, :, :2] == 0).all(-1).any()
    assert 40 < mirrored < 80
    assert corners > 0


def test_beyond_the_picture_there_is_no_label(folder):
    (image, label, weight), *_ = flat(segmentation_batches(folder, "train", 8, seed=1, crop=(20, 20)))
    inside = image[..., 2] != 127.5
    assert inside.sum() == 8 * HEIGHT * WIDTH
    assert weight.sum() == 8 * (HEIGHT * WIDTH - 1)
    assert not weight[~inside].any()
    np.testing.assert_array_equal(label, np.where(inside, expected_label(image), 0))


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_zoom_magnifies(folder, factor):
    options = {"seed": 2, "crop": (4, 4), "zoom": (factor, factor)}
    for image, label, weight in flat(segmentation_batches(folder, "train", 4, **options)):
        inside = (image[..., 2] != 127.5) & (weight > 0)
        steps = np.diff(image[..., 1], axis=2)[inside[:, :, 1:] & inside[:, :, :-1]]
        assert np.median(steps) == pytest.approx(10 / factor)
        here = np.abs(image[..., :2] / 10 % 1 - 0.5).min(-1) > 0.01  # not halfway between two pixels
        np.testing.assert_array_equal(label[inside & here], expected_label(image)[inside & here])


def test_light_keeps_labels_and_range(folder):
    plain = flat(segmentation_batches(folder, "train", 4, seed=1))
    lit = flat(segmentation_batches(folder, "train", 4, seed=1, light=0.5))
    for (a, label_a, _), (b, label_b, _) in zip(plain, lit, strict=True):
        np.testing.assert_array_equal(label_a, label_b)
        assert 0 <= b.min() <= b.max() <= 255
        assert np.abs(a - b).max() > 1
    pairs = [(a[row].ravel(), b[row].ravel()) for (a, *_), (b, *_) in zip(plain, lit, strict=True) for row in range(3)]
    slopes = [np.ptp(b[(b > 0) & (b < 255)]) / np.ptp(a[(b > 0) & (b < 255)]) for a, b in pairs]
    assert 0.6 < min(slopes) < 0.9
    assert 1.1 < max(slopes) < 1.7


def test_pictures_of_any_kind_have_three_channels_in_0_255():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(decode_picture(png(grey)), np.repeat(grey[..., None], 3, -1))
    clear = np.dstack([grey, grey, grey, grey])
    np.testing.assert_array_equal(decode_picture(png(clear)), clear[..., :3])
    deep = tf.io.encode_png((grey.astype(np.uint16) * 257)[..., None]).numpy()
    np.testing.assert_array_equal(decode_picture(deep)[..., 0], grey)


def test_a_label_to_ignore_may_be_named(folder):
    _, label, weight = next(iter(segmentation_batches(folder, "train", 2, ignore=3)))
    _, known = picture(0)
    np.testing.assert_array_equal(weight[0], known != 3)
    assert label.numpy().max() == 255


def test_mistakes_are_named(folder, tmp_path):
    for arguments, message in (
        ((folder, "valid", 8), "no split 'valid'"),
        ((folder, "train", 0), "batch_size"),
        ((tmp_path, "train", 8), "no split"),
    ):
        with pytest.raises(UserError, match=message):
            segmentation_batches(*arguments)
    with pytest.raises(UserError, match="give a `seed`"):
        segmentation_batches(folder, "train", 2, flip=True)


def test_label_sets(tmp_path):
    for labels in (CAMVID, VOC, LabelSet(3, None)):
        labels.save(tmp_path / "labels.json")
        assert LabelSet.load(tmp_path / "labels.json") == labels
    assert (VOC.name(15), LabelSet(2).name(1)) == ("person", "1")
    assert (VOC.key(11), LabelSet(2).key(1)) == ("dining_table", "1")
    for arguments, message in (
        ((0,), "1 to 256"),
        ((2, 300), "0..255"),
        ((2, 255, ("a",)), "2 labels, but 1 names"),
        ((3, 255, ("a", "b", "a")), "must differ, a blank being the same as _: 0 is 'a', 2 'a'"),
        ((2, 255, ("a b", "a_b")), "0 is 'a b', 1 'a_b'"),
        ((2, 255, (), ((0, 0, 0), (0, 256, 0))), r"0..255. Received: \(0, 256, 0\)"),
        ((1, 255, (), ((0, -1, 0),)), "a colour is three numbers"),
    ):
        with pytest.raises(UserError, match=message):
            LabelSet(*arguments)
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(UserError, match="holds no labels"):
        LabelSet.load(tmp_path / "labels.json")


def test_jpegs_are_close_to_what_pillow_reads(data):
    path = next((data / "voc_samples").glob("*.jpg"))
    ours, theirs = decode_picture(path.read_bytes()).numpy(), np.asarray(Image.open(path), np.float32)
    assert np.abs(ours - theirs).mean() < 2  # the two decoders upsample the chroma differently
