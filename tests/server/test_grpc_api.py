"""The gRPC services, asked by the stubs of tensorflow-serving-api as they are."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_seqgen.serving.warmup import example_inputs, readable_text, signatures_of, sound_rate

NONE = np.zeros(0, object)
SYSTEMS = ("handwriting", "text", "segmentation")


@pytest.fixture(scope="module")
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def asked(model, signature="", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(value if isinstance(value, TensorProto) else tf.make_tensor_proto(value))
    return request


def line(**others):
    given = {"text": ["a cab"], "bias": [1.0], "seed": np.array([[3, 0]], np.int32), **others}
    return asked("handwriting", "generate", **given)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_signature_of_every_system_answers_as_the_bare_model(predictions, saved_models, system):
    version = saved_models / system / "1"
    bare = tf.saved_model.load(str(version)).signatures
    for name, signature in signatures_of(version).items():
        inputs = example_inputs(signature, readable_text(version), rows=2, rate=sound_rate(version))
        response = predictions.Predict(asked(system, name, **inputs), timeout=120)
        spec = response.model_spec
        assert (spec.name, spec.version.value, spec.signature_name) == (system, 1, name)
        expected = bare[name](**{key: tf.constant(value) for key, value in inputs.items()})
        assert response.outputs.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(tf.make_ndarray(response.outputs[key]), value.numpy(), err_msg=key)
        assert not any(expected["error"].numpy()), "what warms a model up is no mistake"


def test_output_filter(predictions):
    request = line()
    request.output_filter.append("length")
    assert predictions.Predict(request).outputs.keys() == {"length"}
    request.output_filter.append("colour")
    with pytest.raises(grpc.RpcError, match="output tensor alias not found in signature: colour"):
        predictions.Predict(request)


def test_metadata_and_status(predictions, models):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "segmentation"
    packed = predictions.GetModelMetadata(request).metadata["signature_def"]
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(signatures)
    assert set(signatures.signature_def) == {"serving_default", "segment", "segment_pixels"}
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "segmentation"
    request.model_spec.version_label = "stable"
    (one,) = models.GetModelStatus(request).model_version_status
    assert (one.version, one.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)


def _float(shape, **others):
    return TensorProto(dtype=1, tensor_shape=tf.TensorShape(shape).as_proto(), **others)


FAULTS = {
    "no such model": (asked("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "no model": (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no such signature": (asked("text", "scribble"), "FAILED_PRECONDITION", 'key "scribble" not found'),
    "an input is missing": (asked("handwriting", "generate", text=["a"], bias=[1.0]), "INVALID_ARGUMENT", "seed"),
    "an input is too much": (line(colour=["red"]), "INVALID_ARGUMENT", "Sent extra: {colour}"),
    "wrong type": (line(bias=["much"]), "INVALID_ARGUMENT", "input bias must be float32. Received: string"),
    "wrong rank": (line(bias=1.0), "INVALID_ARGUMENT", "input bias must have the shape [?]. Received: []"),
    "wrong size": (line(seed=np.zeros((1, 3), np.int32)), "INVALID_ARGUMENT", "input seed must have the shape [?,2]"),
    "rows that differ": (line(bias=[1.0, 1.0]), "INVALID_ARGUMENT", "same number of rows. Received: bias 2, seed 1"),
    "no rows": (line(text=NONE, bias=_float([0]), seed=np.zeros((0, 2), np.int32)), "INVALID_ARGUMENT", "rows"),
    "too many rows": (
        line(text=["a"] * 65, bias=[1.0] * 65, seed=np.zeros((65, 2), np.int32)),
        "INVALID_ARGUMENT",
        "must have 1 to 64 rows. Received: 65",
    ),
    "a tensor of a trillion numbers, told in ten bytes": (
        asked("segmentation", "segment_pixels", image=_float([1, 10**6, 10**6, 3], float_val=[1.0])),
        "INVALID_ARGUMENT",
        "input image must have at most 1048576 bytes",
    ),
    "no values": (line(bias=_float([1])), "INVALID_ARGUMENT", "tensor parsing error: bias"),
    "half a value": (line(bias=_float([1], tensor_content=b"\0\0")), "INVALID_ARGUMENT", "tensor parsing error: bias"),
    "no shape": (line(bias=TensorProto(dtype=1, tensor_shape={"unknown_rank": True})), "INVALID_ARGUMENT", "bias"),
    "no such type": (line(bias=TensorProto(dtype=0)), "INVALID_ARGUMENT", "input bias must be float32"),
    "half a picture": (
        asked("segmentation", "segment", image=[tf.io.encode_png(np.zeros((9, 9, 3), np.uint8)).numpy()[:60]]),
        "INVALID_ARGUMENT",
        "PNG",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_request_gets_a_code_and_what_is_wrong(predictions, fault):
    request, code, said = FAULTS[fault]
    with pytest.raises(grpc.RpcError) as error:
        predictions.Predict(request, timeout=120)
    assert error.value.code().name == code
    assert said in error.value.details()
    assert "\n" not in error.value.details()
    assert predictions.Predict(line(), timeout=120).outputs["length"], "the server goes on"


def test_a_message_too_large_is_refused(predictions):
    with pytest.raises(grpc.RpcError) as error:
        predictions.Predict(line(text=["a" * 2**21]), timeout=120)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_not_a_number_is_an_error_of_its_row(predictions):
    both = line(text=["a", "b"], bias=[np.nan, 1.0], seed=np.zeros((2, 2), np.int32))
    outputs = predictions.Predict(both).outputs
    errors = tf.make_ndarray(outputs["error"]).tolist()
    assert errors == [b"`bias` must be a finite number that is not negative", b""]
    assert tf.make_ndarray(outputs["length"])[0] == 0


def test_what_tensorflow_serving_has_besides_is_unimplemented(predictions):
    with pytest.raises(grpc.RpcError) as error:
        predictions.Classify(classification_pb2.ClassificationRequest())
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
