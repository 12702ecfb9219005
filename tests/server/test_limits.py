"""Where exactly the limits lie: what reaches one is served, one more is refused."""

import json
import re
from contextlib import ExitStack

import pytest
import tensorflow as tf

from keras_seqgen.server.limits import Gate, Limits
from keras_seqgen.server.model_store import ModelStore
from keras_seqgen.server.rest_api import RestApi
from keras_seqgen.server.status import HTTP_STATUS, ServingError

LIMITS = Limits(request_bytes=48, rows=4, points=5)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A model whose `y` is the sum of a row's steps, at most as many as `points` says."""
    root = tmp_path_factory.mktemp("limits")
    kinds = [tf.TensorSpec((None, None, 1), tf.float32, "x"), tf.TensorSpec((None,), tf.int32, "points")]

    @tf.function(input_signature=kinds)
    def total(x, points):
        return {"y": tf.reduce_sum(x, axis=[1, 2]), "points": points}

    module = tf.Module()
    module.f = total
    tf.saved_model.save(module, str(root / "sum" / "1"), signatures={"serving_default": total})
    store = ModelStore(root, LIMITS)
    store.refresh()
    return RestApi(store)


def ask(api, rows, steps, points):
    body = {"inputs": {"x": [[[1.0]] * steps] * rows, "points": [points] * rows}}
    answer = api.answer("POST", "/v1/models/sum:predict", json.dumps(body).encode())
    return answer.http_status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("most", "more", "said"),
    [
        ((4, 3, 1), (5, 1, 1), "input points must have 1 to 4 rows. Received: 5"),
        ((1, 5, 1), (1, 6, 1), "input x must have at most 5 steps. Received: 6"),
        ((1, 1, 5), (1, 1, 6), "input points must be at most 5. Received: 6"),
        ((4, 3, 5), (4, 4, 5), "input x must have at most 48 bytes. Received: [4,4,1]"),
    ],
)
def test_one_more_is_too_much(api, most, more, said):
    status, answer = ask(api, *most)
    assert (status, answer["outputs"]["y"]) == (200, [float(most[1])] * most[0])
    assert ask(api, *more) == (400, {"error": said})


def test_a_gate_lets_in_so_many_and_again_when_they_are_out():
    gate = Gate(2)
    for _ in range(3):
        with ExitStack() as inside:
            inside.enter_context(gate.entered())
            inside.enter_context(gate.entered())
            assert gate.inside == 2
            with pytest.raises(ServingError, match=re.escape("holds 2 requests already")) as error, gate.entered():
                raise AssertionError("a third is inside")
            assert (error.value.code, error.value.http_status) == ("RESOURCE_EXHAUSTED", 429)
        assert gate.inside == 0
    with pytest.raises(ValueError, match="its own"), gate.entered():
        raise ValueError("its own")
    assert gate.inside == 0, "one that fails is out, too"


def test_the_statuses_are_those_of_tensorflow_serving():
    wanted = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "NOT_FOUND": 404}
    wanted |= {"RESOURCE_EXHAUSTED": 429, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504}
    wanted |= {"INTERNAL": 500, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}
    assert wanted.items() <= HTTP_STATUS.items()
