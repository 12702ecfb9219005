"""Warm-up requests of the shipped models and of fresh exports."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.serving.warmup import (
    WARMUP,
    example_inputs,
    read_warmup,
    readable_text,
    signatures_of,
    sound_rate,
    write_warmup,
)

SHIPPED = sorted((Path(__file__).parents[2] / "saved_models").glob("*/[0-9]*"))


@pytest.mark.slow
@pytest.mark.parametrize("version", SHIPPED, ids=lambda version: "/".join(version.parts[-2:]))
def test_every_signature_of_a_shipped_model_is_warmed_up_without_a_mistake(version):
    records = list(tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests")))
    requests = [PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    model = tf.saved_model.load(str(version))
    assert sorted(request.model_spec.signature_name for request in requests) == sorted(model.signatures)
    for request in requests:
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        results = model.signatures[request.model_spec.signature_name](**inputs)
        assert "error" not in results or results["error"].numpy().tolist() == [b""]
        assert all(len(value) == 1 for value in results.values()), "one row each"
    assert (version / WARMUP).stat().st_size < 50_000


def test_a_fresh_export_is_warmed_up(exported):
    logs = read_warmup(exported)
    names = {log.predict_log.request.model_spec.signature_name for log in logs}
    assert names == set(signatures_of(exported)) == {"serving_default", "generate", "generate_primed", "score", "step"}
    before = (exported / WARMUP).read_bytes()
    assert write_warmup(exported).read_bytes() == before, "the same file again"


def test_inputs_have_the_kinds_that_a_signature_asks_for():
    signature = SignatureDef()
    for name, dtype, shape in (
        ("text", tf.string, [-1]),
        ("stop", tf.string, [-1]),
        ("image", tf.string, [-1]),
        ("wav", tf.string, [-1]),
        ("pixels", tf.float32, [-1, -1, -1, 3]),
        ("strokes", tf.float32, [-1, -1, 3]),
        ("length", tf.int32, [-1]),
        ("state", tf.float32, [-1, 7]),
        ("temperature", tf.float32, [-1]),
        ("flag", tf.bool, [-1]),
    ):
        signature.inputs[name].dtype = dtype.as_datatype_enum
        for size in shape:
            signature.inputs[name].tensor_shape.dim.add(size=size)
    inputs = example_inputs(signature, "e", rows=3, rate=16000)
    shapes = {name: value.shape for name, value in inputs.items()}
    assert shapes["pixels"] == (3, 32, 32, 3)
    assert shapes["strokes"] == (3, 16, 3)
    assert shapes["state"] == (3, 7)
    assert inputs["length"].tolist() == [16, 16, 16]
    assert inputs["temperature"].tolist() == [1, 1, 1]
    assert inputs["text"].tolist() == [b"e"] * 3
    assert inputs["stop"].tolist() == [b""] * 3
    assert tf.io.decode_image(inputs["image"][0]).shape == (32, 32, 3)
    sound, rate = tf.audio.decode_wav(inputs["wav"][0])
    assert (sound.shape, int(rate)) == ((4000, 1), 16000)
    kinds = {name: tf.dtypes.as_dtype(value.dtype) for name, value in inputs.items()}
    assert kinds == {name: tf.dtypes.as_dtype(info.dtype) for name, info in signature.inputs.items()}
    assert np.isfinite(inputs["pixels"]).all()


@pytest.mark.parametrize(
    ("vocabulary", "text"),
    [
        (Vocabulary(" 'abc"), "a"),
        (Vocabulary(["<eos>", "<unk>", "cab"], kind="word"), "cab"),
        (Vocabulary("12é"), "é"),
        (None, "a"),
    ],
)
def test_a_text_that_the_model_knows(vocabulary, text, tmp_path):
    (tmp_path / "assets.extra").mkdir()
    if vocabulary:
        vocabulary.save(tmp_path / "assets.extra" / "vocabulary.json")
    assert readable_text(tmp_path) == text
    assert not read_warmup(tmp_path)
    assert sound_rate(tmp_path) == 8000
