"""An exported network that labels pictures, asked by a process that imports only tensorflow."""

import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import kernels

from keras_seqgen.data.label_set import LabelSet
from keras_seqgen.data.labelled_image import decode_picture
from keras_seqgen.errors import UserError
from keras_seqgen.models import small_backbone
from keras_seqgen.models.segmenter import segmenter
from keras_seqgen.serving import segmentation
from keras_seqgen.serving.saved_segmentation import SavedSegmentation
from keras_seqgen.serving.segmentation import SegmentationSignatures, export_segmentation
from tests.segmentation_data import LABELS, encoded, scene

CARD = "# Tiny\n\nRandom weights, trained on nothing, free of terms.\n"
CLIENT = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert not any(name.startswith("keras_seqgen") for name in sys.modules)
asked = np.load(sys.argv[2])
files = [asked[name].tobytes() for name in ("first", "second", "broken")]
out = model.signatures["segment"](image=tf.constant(files))
pixels = model.signatures["segment_pixels"](image=tf.constant(asked["pixels"]))
default = model.signatures["serving_default"](image=tf.constant(files))
np.testing.assert_array_equal(out["labels"], default["labels"])
error = out.pop("error").numpy().astype("S")
got = {**out, **{f"pixels_{k}": v for k, v in pixels.items() if k != "error"}}
np.savez(sys.argv[3], error=error, **{k: v.numpy() for k, v in got.items()})
"""


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
        model = segmenter(LABELS.count, crf=True, iterations=2, theta_alpha=20.0)
    return model


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return export_segmentation(model, LABELS, tmp_path_factory.mktemp("saved_models") / "tiny", CARD)


def jpeg(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.mark.slow
def test_a_process_with_tensorflow_alone_gets_the_same_labels(exported, model, tmp_path):
    first, second = jpeg(scene(1)[0]), encoded(np.ascontiguousarray(scene(2)[0][:15, :40]))
    pixels = np.stack([scene(3)[0], scene(4)[0]]).astype("float32")
    as_bytes = {name: np.frombuffer(content, np.uint8) for name, content in
                (("first", first), ("second", second), ("broken", b"no picture"))}  # fmt: skip
    np.savez(tmp_path / "asked.npz", **as_bytes, pixels=pixels)
    paths = [str(exported), str(tmp_path / "asked.npz"), str(tmp_path / "got.npz")]
    client = subprocess.run(
        [sys.executable, "-c", CLIENT, *paths], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert client.returncode == 0, client.stderr
    assert "gradient" not in client.stderr
    got = np.load(tmp_path / "got.npz")

    assert got["labels"].shape == (3, 24, 32)
    assert list(got["error"]) == [b"", b"", b"`image` must be the bytes of a JPEG or PNG"]
    for row, content in enumerate((first, second)):
        logits = model({"image": decode_picture(content)[None]})[0]
        height, width = logits.shape[:2]
        assert (got["height"][row], got["width"][row]) == (height, width)
        here = got["probabilities"][row, :height, :width]
        np.testing.assert_allclose(here, tf.nn.softmax(logits), atol=1e-5)
        np.testing.assert_array_equal(got["labels"][row, :height, :width], here.argmax(-1))
        assert not got["probabilities"][row, height:].any()
        assert not got["labels"][row, :, width:].any()
    assert got["height"][2] == got["width"][2] == 0
    for row in range(2):
        alone = tf.nn.softmax(model({"image": pixels[row : row + 1]})[0])
        np.testing.assert_allclose(got["pixels_probabilities"][row], alone, atol=1e-5)


def test_a_rows_result_does_not_depend_on_its_batch(model):
    served = SegmentationSignatures(model)
    one, other = encoded(scene(5)[0]), encoded(np.kron(scene(6)[0], np.ones((2, 2, 1), np.uint8)))
    alone = served.segment(tf.constant([one]))
    together = served.segment(tf.constant([other, one]))
    np.testing.assert_array_equal(together["probabilities"][1, :24, :32], alone["probabilities"][0])


def test_what_cannot_be_labelled_says_why(model):
    served = SegmentationSignatures(model, max_pixels=24 * 32)
    wide = encoded(np.zeros((1, 24 * 32 + 1, 3), np.uint8))
    header = encoded(scene(0)[0])[:16]
    out = served.segment(tf.constant([wide, b"", header, jpeg(np.zeros((30, 30, 3), np.uint8)), encoded(scene(0)[0])]))
    errors = [message.decode() for message in out["error"].numpy()]
    size = "`image` must have 1 to 768 pixels"
    assert errors == [size, "`image` must be the bytes of a JPEG or PNG", size, size, ""]
    assert not out["probabilities"][:4].numpy().any()
    assert out["probabilities"][4].numpy().any()
    pixels = np.stack([scene(0)[0], scene(1)[0]]).astype("float32")
    pixels[1, 3, 3, 0] = np.nan
    out = served.segment_pixels(tf.constant(pixels))
    assert [message.decode() for message in out["error"].numpy()] == ["", "`image` must be finite"]
    assert np.isfinite(out["probabilities"]).all()


def test_one_picture_among_many_rows_is_not_padded_without_bound(model):
    served = SegmentationSignatures(model)
    large = encoded(np.zeros((160, 160, 3), np.uint8))
    out = served.segment(tf.constant([large] + 255 * [b"x"]))
    error = out["error"].numpy()
    assert error[0] == (
        b"the batch is too large: its rows, padded to its largest picture, may have 4194304 pixels together; "
        b"send fewer rows, or pictures of like size"
    )
    assert set(error[1:]) == {b"`image` must be the bytes of a JPEG or PNG"}
    assert out["probabilities"].shape == (256, 0, 0, 3)
    assert not out["height"].numpy().any()
    for nothing in (served.segment(tf.zeros([0], tf.string)), served.segment_pixels(tf.zeros([0, 5, 7, 3]))):
        assert nothing["error"].shape == nothing["height"].shape == (0,)
        assert nothing["probabilities"].shape == (0, 0, 0, 3)


def test_rows_are_refused_in_their_order_where_the_batch_would_become_too_large(model):
    served = SegmentationSignatures(model, max_pixels=48 * 48, max_batch_pixels=3 * 24 * 32)
    small, square = encoded(scene(1)[0]), encoded(np.zeros((48, 48, 3), np.uint8))
    tall = encoded(np.zeros((48, 16, 3), np.uint8))
    for images, heights in (
        ([small, square, small], [24, 0, 24]),
        ([square], [48]),
        ([small, tall], [24, 0]),  # 48 x 16 would do, but not two of 48 x 32
        ([tall, small], [48, 0]),
        ([b"", b"", b"", small], [0, 0, 0, 0]),  # rows with an error are padded, too
    ):
        out = served.segment(tf.constant(images))
        assert out["height"].numpy().tolist() == heights
        assert out["labels"].shape[:2] == (len(images), max(heights))
        for image, height, error in zip(images, heights, out["error"].numpy(), strict=True):
            assert error.startswith(b"" if height or not image else b"the batch is too large")
            assert (error == b"") == bool(height)
    together = served.segment(tf.constant([small, square, small]))["probabilities"]
    np.testing.assert_array_equal(together[2], served.segment(tf.constant([small]))["probabilities"][0])
    pixels = np.stack([scene(number)[0] for number in range(4)]).astype("float32")
    assert set(served.segment_pixels(tf.constant(pixels[:3]))["error"].numpy()) == {b""}
    out = served.segment_pixels(tf.constant(pixels))
    assert all(error.startswith(b"the batch is too large") for error in out["error"].numpy())
    assert out["labels"].shape == (4, 0, 0)


def test_batches_of_the_usual_sizes_are_within_the_bound():
    usual = (16 * 480 * 360, 4 * 1024 * 1024, segmentation.MAX_PIXELS)
    assert max(usual) <= segmentation.MAX_BATCH_PIXELS


def test_what_stands_in_a_version(exported):
    assert exported.name == "1"
    assert LabelSet.load(exported / "assets.extra" / "labels.json") == LABELS
    description = json.loads((exported / "assets.extra" / "model.json").read_text())
    assert description["system"] == "segmentation"
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Tiny\n\nRandom weights")
    assert "0 ground, 1 wall, 2 sky" in card
    assert "- `segment`: image string [?] -> error string [?], height int32 [?], labels int32 [?, ?, ?]" in card
    assert not list(exported.parent.glob(".export-*"))


WITHOUT_GPU_KERNEL = {
    "DecodeImage": "pictures are decoded on the host",
    "DecodeRaw": "the size in a PNG's header",
    "ExtractJpegShape": "the size in a JPEG's header",
    "StaticRegexFullMatch": "whether a file begins as a JPEG does",
    "StringJoin": "files are strings",
    "Substr": "files are strings",
    "ShardedFilename": "saving and restoring weights",
    "MergeV2Checkpoints": "saving and restoring weights",
    "RestoreV2": "saving and restoring weights",
    "SaveV2": "saving and restoring weights",
}


def test_every_operation_is_tensorflows_own_and_what_lacks_a_gpu_kernel_is_known(exported):
    saved = SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    inside = {function.signature.name for graph in graphs for function in graph.library.function}
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for graph in graphs for function in graph.library.function for node in function.node_def]
    names = {node.op for node in nodes} - inside
    code = (
        "import sys, tensorflow as tf\n"
        "from tensorflow.python.framework import op_def_registry\n"
        "sys.exit(' '.join(name for name in sys.argv[1:] if op_def_registry.get(name) is None) or 0)"
    )
    check = subprocess.run([sys.executable, "-c", code, *names], check=False, capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    assert not names & {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaCallModule"}
    devices = {name: {k.device_type for k in kernels.get_registered_kernels_for_op(name).kernel} for name in names}
    assert {name for name, known in devices.items() if not known & {"GPU", "DEFAULT"}} == WITHOUT_GPU_KERNEL.keys()
    assert {"SparseMatrixMatMul", "Unique", "Conv2D"} <= names  # the lattice and the network are there


def test_a_saved_model_labels_files_and_arrays(exported, model):
    saved = SavedSegmentation(exported.parent)
    assert saved.labels == LABELS
    picture = scene(7)[0]
    labels, probabilities = saved.segment(encoded(picture))
    again, _ = saved.segment(picture)
    np.testing.assert_array_equal(labels, again)
    np.testing.assert_array_equal(labels, np.argmax(model({"image": picture[None].astype("float32")})[0], axis=-1))
    assert probabilities.shape == (24, 32, 3)
    with pytest.raises(UserError, match="JPEG or PNG"):
        saved.segment(b"text")
    with pytest.raises(UserError, match=r"cannot be decoded: (?!Graph)"):
        saved.segment(encoded(picture)[:100])


def test_export_refuses(model, tmp_path):
    with pytest.raises(ValueError, match="`card`"):
        export_segmentation(model, LABELS, tmp_path, " ")
    with pytest.raises(ValueError, match="`labels` must be 3"):
        export_segmentation(model, LabelSet(4), tmp_path, CARD)
    assert not list(tmp_path.glob("[0-9]*"))
