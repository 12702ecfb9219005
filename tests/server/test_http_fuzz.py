"""Strange requests over real HTTP: bodies that nobody meant, requests in pieces, cut off, or not HTTP at all."""

import http.client
import json
import re
import socket
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.strange_bodies import BODIES, check_answer

PREDICT = "/v1/models/handwriting:predict"
BODY = json.dumps({"instances": [{"text": "a", "bias": 1.0, "seed": [3, 0]}]}).encode()
REQUEST = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (PREDICT.encode(), len(BODY), BODY)
SEVERAL = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def ask(server):
    """(method, path, body) -> (status, body), on one connection as long as the server keeps it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)

    def ask(method, path, body):
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
        page = method == "GET" and path.partition("?")[0] == "/"
        assert answer.headers["Content-Type"].startswith("text/html" if page else "application/json")
        return answer.status, content

    yield ask
    connection.close()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_behind(server, ask):
    """After all of it the server answers as before and holds no request."""
    before = ask("POST", PREDICT, BODY)
    assert before[0] == 200
    yield
    assert ask("POST", PREDICT, BODY) == before
    until = time.monotonic() + 10
    while server._http._gates["rest"].inside and time.monotonic() < until:
        time.sleep(0.05)
    assert server._http._gates["rest"].inside == 0
    assert server._http._readers.inside == 0


def sent(server, pieces, pause=0.0, close=False):
    """What comes back for bytes that are sent in pieces: all of it until the server closes, or one whole answer."""
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = b""
        try:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            if close:
                client.shutdown(socket.SHUT_WR)
            while not _whole(found) and (more := client.recv(65536)):
                found += more
        except ConnectionError:
            pass
        return found


def _whole(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(length) and len(body) >= int(length[1])


@SEVERAL
@given(body=BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60))
def test_any_body_gets_an_answer_on_a_connection_that_goes_on(ask, body):
    check_answer(*ask("POST", PREDICT, body))


NAMES = st.text(st.characters(codec="ascii", exclude_characters="#", min_codepoint=33, max_codepoint=126), max_size=20)


@SEVERAL
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    path=NAMES | NAMES.map("/v1/models/{}:predict".format) | NAMES.map("/v1/models/handwriting{}".format),
)
def test_any_path_gets_an_answer(ask, method, path):
    path = f"/{path.lstrip('/')}"
    status, body = ask(method, path, b"")
    if method == "GET" and path.partition("?")[0] in ("/", "/v1/models/handwriting"):
        assert status == 200
    else:
        assert 400 <= status < 500
        assert json.loads(body).keys() == {"error"}


@SEVERAL
@given(cuts=st.sets(st.integers(1, len(REQUEST) - 1), max_size=6))
def test_a_request_in_pieces_is_the_same_request(server, cuts):
    places = [0, *sorted(cuts), len(REQUEST)]
    pieces = [REQUEST[begin:end] for begin, end in pairwise(places)]
    whole = sent(server, [REQUEST]).partition(b"\r\n\r\n")[2]
    found = sent(server, pieces, pause=0.002)
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.partition(b"\r\n\r\n")[2] == whole


@SEVERAL
@given(
    changes=st.lists(st.tuples(st.integers(0, len(REQUEST) - 1), st.integers(0, 255)), max_size=3),
    length=st.integers(0, len(REQUEST)),
)
def test_a_broken_request_gets_a_client_error_or_nothing(server, changes, length):
    broken = bytearray(REQUEST)
    for place, byte in changes:
        broken[place] = byte
    found = sent(server, [bytes(broken[:length])], close=True)
    assert not found or re.match(rb"HTTP/1\.[01] (200|4\d\d) ", found), found[:200]


@SEVERAL
@given(noise=st.binary(max_size=200))
def test_what_is_no_http_gets_a_client_error_or_nothing(server, noise):
    found = sent(server, [noise], close=True)
    assert not found or re.match(rb"HTTP/1\.[01] 4\d\d ", found), found[:200]
