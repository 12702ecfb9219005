"""Requests that are wrong, clients that are slow or gone: each is told what is wrong, and the server stays up."""

import gc
import http.client
import json
import os
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from keras_seqgen.server.limits import Limits
from keras_seqgen.server.local_server import LocalServer
from tests.server.toy_models import doubling

LINE = {"text": "a", "bias": 1.0, "seed": [3, 0]}
PREDICT = "/v1/models/handwriting:predict"


def row(**others):
    return {"instances": [{**LINE, **others}]}


FAULTS = {
    "empty": (b"", "JSON Parse error: The document is empty"),
    "no JSON": (b'{"inputs": ', "JSON Parse error"),
    "no UTF-8": (b'{"inputs": "\xff"}', "JSON Parse error"),
    "no object": (b"[1]", "Is not object"),
    "lists in lists in lists": (b'{"instances": ' + b"[" * 100_000, "JSON Parse error"),
    "a number of many digits": (b'{"instances": ' + b"1" * 5000 + b"}", "JSON Parse error"),
    "neither format": ({}, "Missing 'inputs' or 'instances' key"),
    "both formats": ({"inputs": {}, "instances": []}, "only one of"),
    "signature of another type": ({"signature_name": 3, "instances": [LINE]}, "'signature_name' key must be a string"),
    "no such signature": ({"signature_name": "scribble", **row()}, 'Serving signature name: "scribble" not found'),
    "no rows": ({"instances": []}, "No values in 'instances' array"),
    "rows are no list": ({"instances": "a"}, "Expecting 'instances' to be an list/array"),
    "rows without names": ({"instances": ["a"]}, "bias,seed,text"),
    "columns without names": ({"inputs": ["a"]}, "bias,seed,text"),
    "a row is no object": ({"instances": [LINE, 3]}, "Expecting object but got Number at item 1"),
    "a name is missing": ({"instances": [LINE, {"text": "a"}]}, 'element: 1 of \'instances\' list'),
    "a column is missing": ({"inputs": {"text": ["a"]}}, "Missing named input: bias in 'inputs' object."),
    "a name is too much": (row(colour="red"), "keys must be equal to: bias,seed,text"),
    "text for a number": (row(bias="much"), 'key: bias of \'instances\' list. Error: JSON Value: "much" Type: String'),
    "a number for a text": (row(text=3), "key: text of 'instances' list. Error: JSON Value: 3 Type: Number"),
    "nothing for a number": (row(bias=None), "Type: Null is not of expected type: float32"),
    "yes for a number": (row(bias=True), "Type: Bool is not of expected type: float32"),
    "a fraction for an integer": (row(seed=[1.5, 0]), "key: seed of 'instances' list. Error: JSON Value: 1.5"),
    "an integer too large": (row(seed=[2**31, 0]), "JSON value: 2147483648 to int32 without loss"),
    "a float too large": (row(bias=1e39), "JSON value: 1e+39 to float32 without loss"),
    "a list for a number": (row(bias=[1.0]), "input bias must have the shape [?]. Received: [1,1]"),
    "too short": (row(seed=[1]), "input seed must have the shape [?,2]. Received: [1,1]"),
    "ragged": (row(seed=[1, [2]]), "key: seed"),
    "rows of other sizes": ({"instances": [LINE, {**LINE, "seed": [1]}]}, "element: 1 key: seed"),
    "columns of other lengths": ({"inputs": {"text": ["a"], "bias": [1.0, 1.0], "seed": [[1, 2]]}}, "bias 2, seed 1"),
    "half of a character": (b'{"instances": [{"text": "\\ud800", "bias": 1.0, "seed": [1, 2]}]}', "not a Unicode text"),
    "no base64": (row(text={"b64": "%"}), "key: text of 'instances' list. Error: Unable to base64 decode"),
    "not quite base64": (row(text={"b64": "YQ==", "more": 1}), "not formatted correctly for base64 data"),
    "a tensor too deep": (row(bias=json.loads("[" * 70 + "1" + "]" * 70)), "lists in lists, more than 32 levels deep"),
    "too many rows": ({"instances": [LINE] * 65}, "must have 1 to 64 rows. Received: 65"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_request_gets_400_and_what_is_wrong(rest, fault):
    body, said = FAULTS[fault]
    status, answer = rest(PREDICT, body)
    assert status == 400
    assert answer.keys() == {"error"}
    assert said in answer["error"]
    assert len(answer["error"]) < 400
    assert rest(PREDICT, row())[0] == 200, "the server goes on"


def test_too_much_is_refused_before_it_is_done(rest):
    state = {"state": [0.0] * rest_state_size(rest)}
    step = {"signature_name": "step", "instances": [{**LINE, "points": 1001, **state}]}
    assert rest(PREDICT, step) == (400, {"error": "input points must be at most 1000. Received: 1001"})
    strokes = {"strokes": [[0.0, 0.0, 0.0]] * 1001, "length": 1, "text": "a"}
    status, answer = rest(PREDICT, {"signature_name": "score", "instances": [strokes]})
    assert (status, answer["error"]) == (400, "input strokes must have at most 1000 steps. Received: 1001")
    status, answer = rest(PREDICT, row(text="a" * 2**20))
    assert status == 413
    assert "Too Large" in answer["error"]


def rest_state_size(rest):
    signatures = rest("/v1/models/handwriting/metadata")[1]["metadata"]["signature_def"]["signature_def"]
    return int(signatures["step"]["inputs"]["state"]["tensor_shape"]["dim"][1]["size"])


def test_a_huge_text_and_what_is_no_number_are_errors_of_their_rows(rest):
    started = time.perf_counter()
    nan = float("nan")
    status, answer = rest(PREDICT, {"instances": [{**LINE, "text": "a" * 500_000}, {**LINE, "bias": nan}, LINE]})
    assert status == 200
    errors = [one["error"] for one in answer["predictions"]]
    assert errors[0] == "`text` must have at most 200 characters"
    assert errors[1].startswith("`bias` must be a finite number")
    assert errors[2] == ""
    assert answer["predictions"][2]["length"] > 0
    assert time.perf_counter() - started < 20
    status, answer = rest(PREDICT, {"signature_name": "score", "instances": [
        {"strokes": [[nan, 0.0, 0.0]], "length": 1, "text": "a"}]})  # fmt: skip
    assert status == 200
    assert answer["predictions"][0]["nats"] != answer["predictions"][0]["nats"], "NaN comes back as NaN"


def test_half_a_picture(rest):
    status, answer = rest("/v1/models/segmentation:predict", {"instances": [{"b64": "iVBORw0KGgo="}]})
    assert status == 200
    assert "`image`" in answer["predictions"][0]["error"]


def test_clients_that_go_away_take_nothing_with_them(server, rest):
    body = json.dumps(row(text="abc")).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for cut in (5, len(head) - 2, len(head), len(head) + 10, len(head) + len(body)):
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", server.rest_port)) as client:
                client.sendall((head + body)[:cut])
    assert rest(PREDICT, row())[0] == 200
    until = time.monotonic() + 15
    while requests_inside(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert requests_inside(server) == 0


def requests_inside(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    connection.request("GET", "/monitoring/prometheus/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    return float(page.split('keras_seqgen_requests_inside{api="rest"} ')[1].split("\n")[0])


def test_slow_clients_hold_nobody_up_and_are_sent_away(server, rest):
    slow = [socket.create_connection(("127.0.0.1", server.rest_port), timeout=10) for _ in range(20)]
    try:
        for client in slow:
            client.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
        started = time.perf_counter()
        assert rest(PREDICT, row())[0] == 200
        assert time.perf_counter() - started < 1.2, "long before the slow ones are sent away"
        for client in slow:
            answer = client.recv(1000)
            while not answer.endswith(b"}"):
                answer += client.recv(1000)
            assert answer.startswith(b"HTTP/1.1 504 ")
            assert answer.endswith(b'{"error": "the body took more than 1.5 s"}')
    finally:
        for client in slow:
            client.close()
    assert requests_inside(server) == 0


def test_one_request_too_many_is_refused_at_once(tmp_path):
    doubling(tmp_path / "twice", 1)
    with LocalServer(tmp_path, port=0, rest_port=0, limits=Limits(requests=2, workers=1)) as server:
        body = json.dumps({"signature_name": "slow", "inputs": {"x": [1.0], "n": [200_000]}})

        def ask(_):
            connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
            connection.request("POST", "/v1/models/twice:predict", body)
            answer = connection.getresponse()
            told = answer.status, json.loads(answer.read())
            connection.close()
            return told

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(ask, range(6)))
    codes = [status for status, _ in answers]
    assert codes.count(200) >= 2
    assert 429 in codes
    assert set(codes) == {200, 429}
    assert next(answer for status, answer in answers if status == 429)["error"].startswith(
        "the server holds 2 requests"
    )


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="Linux tells a process's memory there")
def test_memory_stays_flat_under_faults(rest):
    bodies = [body for body, _ in FAULTS.values()] + [row(), row(text="a" * 100_000)]

    def rounds(count):
        threads = [threading.Thread(target=lambda: [rest(PREDICT, body) for body in bodies]) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gc.collect()
        return resident_bytes()

    rounds(8)
    before = rounds(8)
    after = max(rounds(8) for _ in range(3))
    assert after - before < 20 * 2**20


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_that_is_not_packed_as_it_says(server, coding):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    connection.request("POST", PREDICT, json.dumps(row()).encode(), {"Content-Encoding": coding})
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.load(answer)["error"].startswith("the body cannot be read: 400, message: Can not decode")
    connection.close()


def test_a_request_too_large_is_counted(server, rest):
    counter = 'keras_seqgen_requests_total{api="rest",code="RESOURCE_EXHAUSTED",model=""} '

    def counted():
        page = urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics").read()
        return float([*page.decode().split(counter), "0"][1].split("\n")[0])

    before = counted()
    assert rest(PREDICT, b" " * (2**20 + 1))[0] == 413
    assert counted() == before + 1
