"""Bodies that nobody meant: there is an answer in TensorFlow Serving's form; what can be read is read exactly."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from keras_seqgen.server.json_tensors import read_inputs, write_outputs
from keras_seqgen.server.rest_api import RestApi
from tests.server.strange_bodies import BODIES, check_answer

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def api(server):
    return RestApi(server.store)


def check(answer):
    check_answer(answer.http_status, answer.body)


@QUICK
@given(body=BODIES)
def test_any_json_gets_an_answer(api, body):
    check(api.answer("POST", "/v1/models/handwriting:predict", json.dumps(body).encode()))


@QUICK
@given(body=st.binary(max_size=60), path=st.text(max_size=30))
def test_any_bytes_and_any_path_get_an_answer(api, body, path):
    check(api.answer("POST", "/v1/models/text:predict", body))
    for method in ("GET", "POST", "PUT"):
        answer = api.answer(method, path, body)
        assert answer.http_status in (400, 404)
        assert json.loads(answer.body).keys() == {"error"}


FLOATS = st.floats(width=32) | st.integers(1 - 2**24, 2**24 - 1)
ROWS = st.integers(1, 4).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            "text": st.lists(
                st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=rows, max_size=rows
            ),
            "bias": st.lists(FLOATS, min_size=rows, max_size=rows),
            "seed": st.lists(st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 2), min_size=rows, max_size=rows),
        }
    )
)


@QUICK
@given(columns=ROWS)
def test_rows_and_columns_are_the_same_arrays_and_come_back(columns):
    signature = SignatureDef()
    for name, dtype in (("text", 7), ("bias", 1), ("seed", 3)):
        signature.inputs[name].dtype = dtype
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    read = [
        read_inputs(json.loads(json.dumps(document)), signature)
        for document in ({"inputs": columns}, {"instances": rows})
    ]
    for arrays in read:
        assert arrays["text"].tolist() == [text.encode() for text in columns["text"]]
        np.testing.assert_array_equal(arrays["bias"], np.array(columns["bias"], np.float32))
        np.testing.assert_array_equal(arrays["seed"], np.array(columns["seed"], np.int32))
        assert (arrays["bias"].dtype, arrays["seed"].dtype) == (np.float32, np.int32)
    back = json.loads(write_outputs(read[0], by_row=True))["predictions"]
    assert [row["text"] for row in back] == columns["text"]
    assert [row["seed"] for row in back] == [list(seed) for seed in columns["seed"]]
    for row, number in zip(back, columns["bias"], strict=True):
        assert np.float32(row["bias"]) == np.float32(number) or math.isnan(number)
