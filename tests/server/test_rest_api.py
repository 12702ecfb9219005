"""The forms of REST, as a plain HTTP client meets them."""

import base64
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from tests.segmentation_data import encoded, scene

LINE = {"text": "a cab", "bias": 1.0, "seed": [3, 0]}
PREDICT = "/v1/models/handwriting:predict"


@pytest.fixture(scope="module")
def bare(saved_models):
    """The signatures of a model, called in this process."""
    return lambda name: tf.saved_model.load(str(saved_models / name / "1")).signatures


def test_rows_and_columns_are_what_the_model_says(rest, bare):
    other = {"text": "dad", "bias": 0.0, "seed": [4, 1]}
    expected = bare("handwriting")["generate"](
        text=tf.constant(["a cab", "dad"]), bias=tf.constant([1.0, 0.0]), seed=tf.constant([[3, 0], [4, 1]])
    )
    status, rows = rest(PREDICT, {"signature_name": "generate", "instances": [LINE, other]})
    assert status == 200
    columns = {"text": ["a cab", "dad"], "bias": [1, 0.0], "seed": [[3, 0], [4, 1]]}
    status, both = rest(PREDICT, {"inputs": columns})
    assert status == 200
    strokes = np.array(both["outputs"]["strokes"], np.float32)
    np.testing.assert_array_equal(strokes, expected["strokes"])  # to the last bit, though written as text
    assert both["outputs"]["length"] == expected["length"].numpy().tolist()
    assert [row["strokes"] for row in rows["predictions"]] == both["outputs"]["strokes"]
    assert rows["predictions"][0].keys() == {"strokes", "length", "error"}


def test_pictures_are_b64_and_one_input_needs_no_name(rest, bare):
    picture = encoded(scene(1)[0])
    b64 = {"b64": base64.b64encode(picture).decode()}
    expected = bare("segmentation")["segment"](image=tf.constant([picture]))["labels"].numpy().tolist()
    path = "/v1/models/segmentation:predict"
    for body in ({"instances": [b64]}, {"instances": [{"image": b64}]}):
        status, answer = rest(path, body)
        assert status == 200
        assert answer["predictions"][0]["labels"] == expected[0]
    for body in ({"inputs": [b64]}, {"inputs": {"image": [b64]}}):
        assert rest(path, body)[1]["outputs"]["labels"] == expected


def test_versions_and_labels(rest):
    for which in ("", "/versions/1", "/labels/stable", "/labels/latest"):
        assert rest(f"/v1/models/handwriting{which}:predict", {"instances": [LINE]})[0] == 200
    assert rest("/v1/models/handwriting/versions/7:predict", {"instances": [LINE]}) == (
        404,
        {"error": "Servable not found for request: Specific(handwriting, 7)"},
    )
    assert rest("/v1/models/handwriting/labels/nope:predict", {"instances": [LINE]}) == (
        400,
        {"error": "Unrecognized servable version label: nope"},
    )
    assert rest("/v1/models/nope:predict", {"instances": [LINE]}) == (
        404,
        {"error": "Servable not found for request: Latest(nope)"},
    )


def test_status_and_metadata(rest):
    told = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for which in ("", "/versions/1", "/labels/stable"):
        assert rest(f"/v1/models/text{which}") == (200, {"model_version_status": [told]})
    assert rest("/v1/models/text/versions/3") == (404, {"error": "Could not find version 3 of model text"})
    assert rest("/v1/models/nope") == (404, {"error": "Could not find any versions of model nope"})
    status, metadata = rest("/v1/models/text/metadata")
    assert status == 200
    assert metadata["model_spec"] == {"name": "text", "signature_name": "", "version": "1"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() == {"serving_default", "generate", "score", "step"}
    seed = signatures["generate"]["inputs"]["seed"]
    assert (seed["dtype"], [size["size"] for size in seed["tensor_shape"]["dim"]]) == ("DT_INT32", ["-1", "2"])
    assert signatures["generate"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/v1/models/text:classify", {"examples": [{}]}, 501, "classify"),
        ("/v1/models/text:scribble", {}, 400, "Malformed request: POST /v1/models/text:scribble"),
        ("/v1/models/text:predict", None, 400, "Malformed request: GET"),
        ("/v1/scribble", None, 400, "Malformed request"),
        ("/scribble", None, 404, "Not Found"),
    ],
)
def test_paths_that_are_none(rest, path, body, status, said):
    code, answer = rest(path, body)
    assert code == status
    assert said in answer["error"]


def test_texts_go_on_where_a_step_ended(rest):
    wishes = {"temperature": 0.7, "top_k": 0, "top_p": 1.0, "seed": [5, 0], "stop": ""}
    _, whole = rest("/v1/models/text:predict", {"instances": [{**wishes, "prime": "dog", "max_tokens": 12}]})
    size = 0
    _, metadata = rest("/v1/models/text/metadata")
    step = metadata["metadata"]["signature_def"]["signature_def"]["step"]["inputs"]["state"]
    size = int(step["tensor_shape"]["dim"][1]["size"])
    text, state, prime = "", [0.0] * size, "dog"
    for _ in range(3):
        row = {**wishes, "prime": prime, "max_tokens": 4, "state": state}
        _, answer = rest("/v1/models/text:predict", {"signature_name": "step", "instances": [row]})
        text, state, prime = text + answer["predictions"][0]["text"], answer["predictions"][0]["state"], ""
    assert text == whole["predictions"][0]["text"]


def test_health_and_metrics(rest, server):
    rest(PREDICT, {"instances": [LINE, LINE]})
    rest("/v1/models/nobody-has-this:predict", {"instances": [LINE]})
    address = f"http://127.0.0.1:{server.rest_port}"
    assert urllib.request.urlopen(f"{address}/healthz").read() == b"ok\n"
    page = urllib.request.urlopen(f"{address}/monitoring/prometheus/metrics").read().decode()
    counts = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(counts['keras_seqgen_requests_total{api="rest",code="OK",model="handwriting"}']) >= 1
    assert float(counts['keras_seqgen_requests_total{api="rest",code="NOT_FOUND",model=""}']) >= 1
    assert float(counts['keras_seqgen_rows_total{model="handwriting"}']) >= 2
    assert float(counts['keras_seqgen_request_seconds_count{api="rest",model="handwriting"}']) >= 1
    assert counts['keras_seqgen_model_version{model="text"}'] == "1.0"
    assert "nobody-has-this" not in page, "a client cannot make labels"
