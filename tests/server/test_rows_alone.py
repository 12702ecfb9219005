"""What a row becomes does not depend on its neighbours, by the server, for every signature of every system."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_seqgen.serving.warmup import signatures_of
from tests.segmentation_data import encoded, scene

NO_LIMIT = {"temperature": [1.0, 0.5, 2.0], "top_k": [0, 3, 0], "top_p": [1.0, 1.0, 0.5]}
SEEDS = np.array([[1, 0], [2, 0], [3, 9]], np.int32)
PRIMER = np.arange(45, dtype=np.float32).reshape(3, 5, 3) % 7 * [1, 1, 0]
REQUESTS = {
    ("handwriting", "generate"): {"text": ["a", "cab dab", "?"], "bias": [0.0, 1.0, 1.0], "seed": SEEDS},
    ("handwriting", "generate_primed"): {
        "text": ["a", "cab", "b"],
        "bias": [0.0, 1.0, np.inf],
        "seed": SEEDS,
        "max_points": np.array([20, 40, 10], np.int32),
        "primer_strokes": PRIMER.astype(np.float32),
        "primer_length": np.array([0, 5, 3], np.int32),
        "primer_text": ["", "de", "a"],
    },
    ("handwriting", "score"): {
        "text": ["a", "cab", "b"],
        "strokes": PRIMER.astype(np.float32),
        "length": np.array([5, 3, 9], np.int32),
    },
    ("text", "generate"): {
        "prime": ["dog", "", "?"],
        "seed": SEEDS,
        **NO_LIMIT,
        "max_tokens": np.array([7, 30, 3], np.int32),
        "stop": ["", "o", ""],
    },
    ("text", "score"): {"text": ["dog", "strange" * 5, "?"]},
    ("segmentation", "segment"): {
        "image": [encoded(scene(1)[0]), encoded(np.ascontiguousarray(scene(2)[0][:9, :20])), b"no picture"]
    },
    ("segmentation", "segment_pixels"): {"image": np.stack([scene(n)[0] for n in range(3)]).astype(np.float32)},
}


@pytest.fixture(scope="module")
def ask(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(model, signature, inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        for name, value in inputs.items():
            dtype = tf.int32 if name == "top_k" else None
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))
        outputs = stub.Predict(request, timeout=120).outputs
        return {name: tf.make_ndarray(value) for name, value in outputs.items()}

    return ask


def trimmed(value):
    """A row without the zeros that stand for the longest row of its batch."""
    value = np.asarray(value)
    for axis in range(value.ndim):
        used = np.flatnonzero(np.any(value != 0, axis=tuple(k for k in range(value.ndim) if k != axis)))
        value = value.take(range(used[-1] + 1 if len(used) else 0), axis)
    return value


@pytest.mark.parametrize(("model", "signature"), REQUESTS)
def test_a_row_alone_and_among_others(ask, model, signature):
    inputs = REQUESTS[model, signature]
    together = ask(model, signature, inputs)
    assert any(together["error"]) or signature == "segment_pixels", "a wrong neighbour is there"
    for row in range(3):
        alone = ask(model, signature, {name: value[row : row + 1] for name, value in inputs.items()})
        for name in together:
            one, other = alone[name][0], together[name][row]
            if getattr(one, "dtype", None) is not None and one.dtype.kind == "f":
                np.testing.assert_allclose(trimmed(one), trimmed(other), rtol=1e-5, atol=1e-5, err_msg=name)
            elif isinstance(one, bytes):
                assert one == other
            else:
                np.testing.assert_array_equal(trimmed(one), trimmed(other), err_msg=name)


@pytest.mark.parametrize(("signature", "name"), [("generate_primed", "primer_strokes"), ("score", "strokes")])
def test_what_a_batch_pads_an_input_with_changes_nothing(ask, signature, name):
    """TensorFlow Serving joins requests of different lengths by repeating an input's first number."""
    inputs = REQUESTS["handwriting", signature]
    length = inputs[name.replace("strokes", "length")]
    for row in range(3):
        one = {key: value[row : row + 1] for key, value in inputs.items()}
        one[name] = one[name][:, : max(1, min(length[row], 5))]
        room = [(0, 0), (0, 4), (0, 0)]
        padded = {**one, name: np.pad(one[name], room, constant_values=one[name].flat[0] + 3)}
        if length[row] > 5:
            continue  # a length that is wrong may be right in a longer input
        alone, joined = (ask("handwriting", signature, asked) for asked in (one, padded))
        for key in alone:
            np.testing.assert_array_equal(alone[key], joined[key], err_msg=key)


def test_a_line_that_ends_with_the_last_point_it_may_draw(ask, saved_models):
    line = {"text": ["a", "cab dab"], "bias": np.ones(2, np.float32), "seed": SEEDS[:2]}
    whole = ask("handwriting", "generate", line)["length"][0]
    size = signatures_of(saved_models / "handwriting" / "1")["step"].inputs["state"].tensor_shape.dim[1].size
    inputs = {**line, "points": np.array([whole, whole + 5], np.int32), "state": np.zeros((2, size), np.float32)}
    together = ask("handwriting", "step", inputs)
    alone = ask("handwriting", "step", {name: value[:1] for name, value in inputs.items()})
    assert together["length"][0] == alone["length"][0] == whole
    np.testing.assert_array_equal(together["strokes"][0, :whole], alone["strokes"][0])
    assert together["finished"][0] == alone["finished"][0]
