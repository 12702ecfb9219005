"""The segmentation pipeline from image files to records."""

import io
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from google.protobuf import text_format
from picture_corpora import arrays, contents, dead_letters, prepare, records, stats, write_pair, write_pairs
from PIL import Image
from tensorflow_metadata.proto.v0 import schema_pb2

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.data.labelled_image import decode_picture
from pipelines.image_pairs import PreparedPair, Rules, prepare_pair
from pipelines.image_shards import ImagePreparation, WriteImageShard
from pipelines.image_sources import Pair, list_pairs
from pipelines.splits import HashSplit, PublishedSplit, stable_hash

PAIRS = ("--format", "pairs", "--labels", 3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"), 30)


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    assert prepare(*PAIRS, "--input", corpus, "--output", out, "--shards", 3, "--hash-split", 60, 20, 20) == 0
    return out


def pixels(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)))


def test_every_pair_arrives_unchanged_in_the_split_of_its_name(prepared):
    seen = {}
    for split, buckets in (("train", range(60)), ("valid", range(60, 80)), ("test", range(80, 100))):
        for name, record in records(prepared, split).items():
            picture, label = arrays(int(name))
            np.testing.assert_array_equal(pixels(record.image), picture)
            np.testing.assert_array_equal(pixels(record.label), label)
            assert (record.height, record.width) == label.shape
            assert stable_hash(name) % 100 in buckets
            seen[name] = split
    assert sorted(seen) == [f"{number:02d}" for number in range(30)]
    assert set(seen.values()) == {"train", "valid", "test"}
    assert stats(prepared)["records"] == {"in": 30, "out": 30, "dead": 0}


def test_statistics_are_those_of_the_pixels(prepared):
    for split, numbers in stats(prepared)["splits"].items():
        pairs = [arrays(int(name)) for name in records(prepared, split)]
        pictures, labels = (np.stack(part) for part in zip(*pairs, strict=True))
        assert numbers["images"] == len(pairs)
        assert numbers["class_pixels"] == np.bincount(labels.ravel(), minlength=3).tolist()
        assert numbers["sizes"] == {"16x12": len(pairs)}
        np.testing.assert_allclose(numbers["channel_mean"], pictures.reshape(-1, 3).mean(0), rtol=1e-12)
        np.testing.assert_allclose(numbers["channel_std"], pictures.reshape(-1, 3).std(0), rtol=1e-9)


def test_schema_and_labels(prepared):
    schema = text_format.Parse((prepared / "schema.pbtxt").read_text(), schema_pb2.Schema())
    features = {feature.name: feature for feature in schema.feature}
    assert {"name", "image", "label", "height", "width"} <= features.keys()
    assert (features["height"].int_domain.min, features["width"].int_domain.max) == (12, 16)
    assert LabelSet.load(prepared / "labels.json") == LabelSet(3)


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_whatever_the_number_of_workers(corpus, prepared, tmp_path, workers):
    flags = ["--direct_num_workers", workers, "--direct_running_mode", "multi_threading", "--hash-split", 60, 20, 20]
    assert prepare(*PAIRS, "--input", corpus, "--output", tmp_path / "out", "--shards", 3, *flags) == 0
    assert contents(tmp_path / "out") == contents(prepared)


def test_a_shard_does_not_depend_on_the_order_in_which_its_pairs_arrive(corpus, tmp_path):
    pairs = [pair.to_text() for pair in list_pairs(str(corpus), "images", "masks", "")]
    for name, order in (("one", pairs), ("other", pairs[::-1])):
        rules = Rules(LabelSet(3), PublishedSplit(), 1 << 20, 1 << 20)
        (tmp_path / name).mkdir()
        (summary,) = WriteImageShard(ImagePreparation(str(tmp_path / name), 1, rules)).process((0, order))
        assert summary.records == {"in": 30, "out": 30, "dead": 0}
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


@pytest.mark.slow
def test_same_bytes_from_several_processes(corpus, prepared, tmp_path):
    flags = ["--direct_num_workers", 2, "--direct_running_mode", "multi_processing", "--hash-split", 60, 20, 20]
    command = [sys.executable, "-m", "pipelines", "segmentation", *PAIRS, "--input", corpus, "--output", tmp_path]
    subprocess.run([str(word) for word in [*command, "--shards", 3, *flags]], check=True, timeout=200)
    assert contents(tmp_path) == contents(prepared)


def test_records_do_not_depend_on_where_the_input_lies(corpus, prepared, tmp_path):
    shutil.copytree(corpus, tmp_path / "elsewhere")
    flags = ["--shards", 3, "--hash-split", 60, 20, 20]
    assert prepare(*PAIRS, "--input", tmp_path / "elsewhere", "--output", tmp_path / "out", *flags) == 0
    assert contents(tmp_path / "out") == contents(prepared)


def test_a_second_run_leaves_nothing_of_the_first(corpus, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for shards in (5, 1):
        assert prepare(*PAIRS, "--input", corpus, "--output", tmp_path, "--shards", shards) == 0
    assert len(list(tmp_path.glob("train-*"))) == 1
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_each_fault_costs_one_dead_letter_with_its_reason(tmp_path):
    root = write_pairs(tmp_path / "in", 12)
    images, masks = root / "images", root / "masks"
    picture, label = arrays(0)
    Image.fromarray(label[:-1]).save(masks / "00.png")
    (images / "01.png").write_bytes((images / "01.png").read_bytes()[:200])
    (images / "02.png").write_bytes(b"")
    (masks / "03.png").write_bytes(bytes(range(256)))
    Image.fromarray(np.where(label == 2, 77, label).astype(np.uint8)).save(masks / "04.png")
    Image.fromarray(picture).save(masks / "05.png")
    (masks / "06.png").unlink()
    (images / "07.png").unlink()
    Image.fromarray(np.full_like(label, 255)).save(masks / "08.png")
    Image.fromarray(np.zeros((1001, 1000, 3), np.uint8)).save(images / "09.png")
    letter_bomb = zlib.compress(bytes(50_000_000))  # a PNG text chunk that unpacks to 50 MB
    (images / "10.png").write_bytes(_with_text_chunk((images / "10.png").read_bytes(), letter_bomb))
    limits = ["--max-megapixels", 1, "--hash-split", 100, 0, 0]
    assert prepare(*PAIRS, "--input", root, "--output", tmp_path / "out", *limits) == 0
    letters = dead_letters(tmp_path / "out")
    assert {name: letter["reason"] for name, letter in letters.items()} == {
        "00": "size mismatch",
        "01": "unreadable image",
        "02": "unreadable image",
        "03": "unreadable label",
        "04": "unknown label value",
        "05": "label is no index image",
        "06": "no label",
        "07": "no image",
        "08": "nothing is labelled",
        "09": "too large",
        "10": "unreadable image",
    }
    assert all(letter["detail"] and (letter["image"] or letter["label"]) for letter in letters.values())
    assert letters["00"]["detail"] == "the image is 16x12, its label image 16x11 pixels"
    assert f"77 ({(label == 2).sum()} pixels); known are 0..2 and 255" in letters["04"]["detail"]
    assert "0x" not in letters["02"]["detail"]
    assert list(records(tmp_path / "out", "train")) == ["11"]
    assert stats(tmp_path / "out")["records"] == {"in": 12, "out": 1, "dead": 11}


def _with_text_chunk(png: bytes, packed: bytes) -> bytes:
    body = b"zTXtcomment\0\0" + packed
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


def test_pascal_voc_with_its_lists_and_palettes(tmp_path):
    root = tmp_path / "VOC2012"
    for number in range(6):
        name = f"2007_{number:06d}"
        paths = root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        write_pair(*paths, number, palette=True, labels=21)
    write_pair(root / "JPEGImages" / "no_label.jpg", tmp_path / "away.png", 9)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000000\n2007_000001\nno_label\nnothing\n")
    (lists / "val.txt").write_text("2007_000002\n2007_000003\n")
    (lists / "test.txt").write_text("2007_000004\n2008_secret\n")
    assert prepare("--format", "voc", "--input", root, "--output", tmp_path / "out") == 0
    found = {split: sorted(records(tmp_path / "out", split)) for split in ("train", "valid", "test")}
    assert found == {
        "train": ["2007_000000", "2007_000001"],
        "valid": ["2007_000002", "2007_000003"],
        "test": ["2007_000004"],
    }
    record = records(tmp_path / "out", "valid")["2007_000003"]
    np.testing.assert_array_equal(pixels(record.label), arrays(3, labels=21)[1])  # indices, not the palette's colours
    assert record.image == (root / "JPEGImages" / "2007_000003.jpg").read_bytes()
    reasons = {name: letter["reason"] for name, letter in dead_letters(tmp_path / "out").items()}
    assert reasons == {"no_label": "no label", "nothing": "no image", "2007_000005": "in no split"}
    assert LabelSet.load(tmp_path / "out" / "labels.json").name(12) == "dog"


def test_camvid_layout(tmp_path):
    for number, folder in enumerate(("train", "val", "test")):
        write_pair(tmp_path / folder / "a.jpg", tmp_path / f"{folder}annot" / "a.png", number, labels=12)
    assert prepare("--format", "camvid", "--input", tmp_path, "--output", tmp_path / "out") == 0
    for number, (folder, split) in enumerate((("train", "train"), ("val", "valid"), ("test", "test"))):
        (record,) = records(tmp_path / "out", split).values()
        assert record.name == f"{folder}/a"
        np.testing.assert_array_equal(pixels(record.label), arrays(number, labels=12)[1])
    assert stats(tmp_path / "out")["splits"]["train"]["ignored_pixels"] == (arrays(0, labels=12)[1] == 11).sum()


def test_pictures_and_masks_in_one_folder_named_by_a_suffix(tmp_path):
    write_pair(tmp_path / "in/day/a.jpg", tmp_path / "in/day/a_mask.png", 1)
    write_pair(tmp_path / "in/b.png", tmp_path / "in/b_mask.png", 2)
    flags = ["--image-folder", ".", "--label-folder", ".", "--label-suffix", "_mask", "--hash-split", 100, 0, 0]
    assert prepare(*PAIRS, "--input", tmp_path / "in", "--output", tmp_path / "out", *flags) == 0
    assert set(records(tmp_path / "out", "train")) == {"day/a", "b"}


def test_what_tensorflow_cannot_read_is_encoded_anew(tmp_path):
    picture, _ = arrays(0)
    write_pair(tmp_path / "images/a.bmp", tmp_path / "masks/a.png", 0)
    write_pair(tmp_path / "images/b.jpg", tmp_path / "masks/b.png", 0)
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "images/b.jpg", quality=95)
    assert prepare(*PAIRS, "--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 0
    found = records(tmp_path / "out", "train")
    np.testing.assert_array_equal(pixels(found["a"].image), picture)
    assert pixels(found["b"].image).shape == picture.shape


def test_a_turned_photo_is_prepared_as_it_is_shown(tmp_path):
    picture, label = arrays(0)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    for name, mask in (("shown", label), ("stored", np.rot90(label))):
        write_pair(tmp_path / f"images/{name}.png", tmp_path / f"masks/{name}.png", 0)
        Image.fromarray(np.rot90(picture)).save(tmp_path / f"images/{name}.png", exif=exif)
        Image.fromarray(mask).save(tmp_path / f"masks/{name}.png")
    assert prepare(*PAIRS, "--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 0
    (record,) = records(tmp_path / "out", "train").values()
    np.testing.assert_array_equal(decode_picture(record.image).numpy(), picture)
    np.testing.assert_array_equal(pixels(record.label), label)
    assert (record.name, record.height, record.width) == ("shown", *label.shape)
    (letter,) = dead_letters(tmp_path / "out").values()
    assert (letter["name"], letter["reason"]) == ("stored", "size mismatch")
    assert letter["detail"] == (
        "the image is 16x12, turned as its Exif orientation says, its label image 12x16 pixels: "
        "labels belong to the picture as it is shown"
    )


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_greys_of_16_bits_lose_their_lower_8(tmp_path, ending):
    import tensorflow as tf

    write_pair(tmp_path / "images/a.jpg", tmp_path / "masks/a.png", 0)
    (tmp_path / "images/a.jpg").unlink()
    grey = np.random.default_rng(0).integers(0, 1 << 16, (12, 16)).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / f"images/a.{ending}")
    assert prepare(*PAIRS, "--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 0
    seen = decode_picture(tf.constant(records(tmp_path / "out", "train")["a"].image)).numpy()
    np.testing.assert_array_equal(seen, np.repeat((grey >> 8)[..., None], 3, axis=2))
    assert stats(tmp_path / "out")["splits"]["train"]["channel_mean"] == pytest.approx(3 * [(grey >> 8).mean()])


@pytest.mark.parametrize(("ending", "lost"), [("png", 1), ("png", 12), ("png", 13), ("jpg", 2)])
def test_a_file_without_its_end_is_encoded_anew(tmp_path, ending, lost):
    import tensorflow as tf

    paths = [tmp_path / f"a.{ending}", tmp_path / "b.png"]
    rules, pair = Rules(LabelSet(3), HashSplit(), 1 << 20, 1 << 20), Pair("a", *map(str, paths))
    for number in range(100):  # of JPEGs, Pillow reads those whose last code fills its byte
        write_pair(*paths, number)
        whole = paths[0].read_bytes()
        assert prepare_pair(pair, rules).record.image == whole
        paths[0].write_bytes(whole[:-lost])
        if isinstance(prepared := prepare_pair(pair, rules), PreparedPair):
            break
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_picture(tf.constant(whole[:-lost]))
    np.testing.assert_array_equal(decode_picture(tf.constant(prepared.record.image)).numpy(), pixels(whole))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_labels_of_few_bits_are_what_is_stored(tmp_path, ending, bits):
    stored = np.arange(16, dtype=np.uint8).reshape(2, 8) % min(1 << bits, 5)
    packed = np.packbits(np.unpackbits(stored[..., None], axis=-1)[..., 8 - bits :].reshape(2, -1), axis=-1)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (8, 2)).save(tmp_path / "images/a.png")
    (tmp_path / f"masks/a.{ending}").write_bytes({"png": _grey_png, "tif": _grey_tiff}[ending](packed, bits))
    flags = ["--labels", 5, "--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0]
    assert prepare(*flags) == 0
    np.testing.assert_array_equal(pixels(records(tmp_path / "out", "train")["a"].label), stored)


def _grey_png(packed: np.ndarray, bits: int) -> bytes:
    """8 pixels by 2."""
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 8, 2, bits, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    parts = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _grey_tiff(packed: np.ndarray, bits: int) -> bytes:
    """8 pixels by 2."""
    tags = {256: 8, 257: 2, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: packed.size}
    data = packed.tobytes().ljust(16, b"\0")
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 24) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_labels_that_never_occur_are_named(tmp_path, capsys):
    write_pairs(tmp_path, 2, labels=2)
    flags = ["--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0, "--labels"]
    assert prepare(*flags, "background", "object") == 0
    assert "never occur" not in capsys.readouterr().err
    assert prepare(*flags, "background", "object", "ghost", "wraith") == 0
    error = capsys.readouterr().err
    assert "never occur in train: ghost, wraith\n" in error
    assert "no label" not in error
    for number in range(2):
        Image.fromarray(255 * arrays(number, labels=2)[1]).save(tmp_path / f"masks/{number:02d}.png")
    assert prepare(*flags, "background", "object") == 0
    error = capsys.readouterr().err
    assert "never occur in train: object\n" in error
    assert "are 255, which stands for no label: masks of 0 and 255 must have the object's number, 1" in error


@pytest.mark.parametrize("kind", ["F", "I"])
def test_pictures_of_32_bits_are_told_not_cut(tmp_path, kind):
    write_pair(tmp_path / "images/a.png", tmp_path / "masks/a.png", 0)
    (tmp_path / "images/a.png").unlink()
    Image.new(kind, (16, 12), 1000).save(tmp_path / "images/a.tif")
    assert prepare(*PAIRS, "--input", tmp_path, "--output", tmp_path / "out") == 1
    letter = dead_letters(tmp_path / "out")["a"]
    assert (letter["reason"], "write 8 or 16 bits" in letter["detail"]) == ("unreadable image", True)


def test_greys_of_16_bits_in_a_ppm_lose_their_lower_8(tmp_path):
    write_pair(tmp_path / "images/a.png", tmp_path / "masks/a.png", 0)
    (tmp_path / "images/a.png").unlink()
    grey = np.random.default_rng(0).integers(0, 1 << 16, (12, 16)).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "images/a.ppm")
    assert prepare(*PAIRS, "--input", tmp_path, "--output", tmp_path / "out", "--hash-split", 100, 0, 0) == 0
    seen = pixels(records(tmp_path / "out", "train")["a"].image)
    np.testing.assert_array_equal(seen, np.repeat((grey >> 8)[..., None], 3, axis=2))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("pillows_own", [150, 50])  # of 192 pixels: the first would warn, the second refuse
def test_the_limit_of_pixels_is_ours_alone(tmp_path, monkeypatch, pillows_own):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows_own)
    write_pair(tmp_path / "a.png", tmp_path / "b.png", 0)
    pair = Pair("a", str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert isinstance(prepare_pair(pair, Rules(LabelSet(3), HashSplit(), 1 << 20, 192)), PreparedPair)
    refused = prepare_pair(pair, Rules(LabelSet(3), HashSplit(), 1 << 20, 191))
    assert (refused.kind, refused.detail) == ("too large", "the image has 16x12 pixels")


def test_a_mistake_found_while_listing_costs_nothing(tmp_path, capsys, caplog):
    root, out = write_pairs(tmp_path / "in", 3), tmp_path / "out"
    assert prepare(*PAIRS, "--input", root, "--output", out) == 0
    before = contents(out)
    Image.new("RGB", (16, 12)).save(root / "images/00.jpg")
    capsys.readouterr()
    caplog.clear()
    assert prepare(*PAIRS, "--input", root, "--output", out) == 2
    assert contents(out) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("have the same name: rename or remove one")
    assert not caplog.records


def test_two_pictures_for_one_mask_in_one_folder_are_told(tmp_path, capsys):
    write_pair(tmp_path / "in/photo.jpg", tmp_path / "in/photo_mask.png", 1)
    Image.new("RGB", (16, 12)).save(tmp_path / "in/photo.png")
    flags = ["--image-folder", ".", "--label-folder", ".", "--label-suffix", "_mask"]
    assert prepare(*PAIRS, "--input", tmp_path / "in", "--output", tmp_path / "out", *flags) == 2
    assert "photo.png have the same name" in capsys.readouterr().err


def test_two_inputs_with_the_same_name_do_not_give_two_records_of_that_name(tmp_path):
    for number, root in enumerate(("one", "two")):
        write_pair(tmp_path / root / "images/a.png", tmp_path / root / "masks/a.png", number)
    flags = ["--input", tmp_path / "one", tmp_path / "two", f"{tmp_path}/one/", "--hash-split", 100, 0, 0]
    assert prepare(*PAIRS, *flags, "--output", tmp_path / "out") == 0
    assert stats(tmp_path / "out")["records"] == {"in": 2, "out": 1, "dead": 1}
    assert dead_letters(tmp_path / "out")["a"]["reason"] == "named twice"
    np.testing.assert_array_equal(pixels(records(tmp_path / "out", "train")["a"].image), arrays(0)[0])


def test_lists_of_ones_own_and_names_of_labels(corpus, tmp_path):
    (tmp_path / "mine.txt").write_text("00\n01\nghost\n")
    (tmp_path / "names.txt").write_text("sky\nland\nsea\n")
    flags = ["--train-files", tmp_path / "mine.txt", "--labels", tmp_path / "names.txt", "--ignore-label", 2]
    assert prepare("--input", corpus, "--output", tmp_path / "out", *flags) == 0
    assert set(records(tmp_path / "out", "train")) == {"00", "01"}
    assert stats(tmp_path / "out")["dead_letters"] == {"in no split": 28, "no image": 1}
    assert "no such file" in dead_letters(tmp_path / "out")["ghost"]["detail"]
    assert LabelSet.load(tmp_path / "out" / "labels.json") == LabelSet(3, 2, ("sky", "land", "sea"))


def test_nothing_to_train_on_is_exit_code_1(tmp_path, capsys):
    write_pair(tmp_path / "images/a.png", tmp_path / "masks/b.png", 0)
    assert prepare(*PAIRS, "--input", tmp_path, "--output", tmp_path / "out") == 1
    assert "no picture is left to train on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--labels", "3", "--output", "out"], "--input is missing"),
        (["--labels", "3", "--input", "{corpus}"], "--output is missing"),
        (["--labels", "3", "--input", "missing", "--output", "out"], "missing/images holds no file"),
        (["--format", "voc", "--input", "{corpus}", "--output", "out"], "JPEGImages holds no file"),
        (["--input", "{corpus}", "--output", "out"], "--labels is missing"),
        (["--labels", "0", "--input", "{corpus}", "--output", "out"], "1 to 256 labels"),
        (["--labels", "nope.txt", "--input", "{corpus}", "--output", "out"], "cannot read nope.txt"),
        (["--labels", "3", "--ignore-label", "300", "--input", "{corpus}", "--output", "out"], "0..255"),
        (["--labels", "3", "--input", "{corpus}", "--output", "out", "--shards", "0"], "--shards must be positive"),
        (["--labels", "3", "--input", "{corpus}", "--output", "out", "--hash-split", "5", "2", "2"], "add up to 100"),
        (["--labels", "3", "--input", "{corpus}", "--output", "out", "--shard", "3"], "unknown option: --shard"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(corpus, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert prepare(*(flag.format(corpus=corpus) for flag in flags)) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_help_has_examples(capsys):
    assert prepare("--help") == 0
    text = capsys.readouterr().out
    assert "--ignore-label" in text
    assert "examples:" in text


def test_the_real_voc_samples(data, tmp_path):
    flags = ["--image-folder", ".", "--label-folder", ".", "--labels", "21", "--hash-split", 100, 0, 0]
    assert prepare("--input", data / "voc_samples", "--output", tmp_path / "out", *flags) == 0
    found = records(tmp_path / "out", "train")
    assert len(found) == 3
    for name, record in found.items():
        assert set(np.unique(pixels(record.label))) - {255} <= set(range(21))
        assert record.image == (data / "voc_samples" / f"{name}.jpg").read_bytes()


def test_the_real_camvid(data, tmp_path):
    assert prepare("--format", "camvid", "--input", data / "camvid", "--output", tmp_path) == 0
    numbers = stats(tmp_path)
    assert numbers["records"] == {"in": 576, "out": 576, "dead": 0}
    assert {split: n["images"] for split, n in numbers["splits"].items()} == {"train": 367, "valid": 101, "test": 108}
