"""What a browser asks in the name of a page: only the server's own pages may."""

import http.client
import json

import pytest

from keras_seqgen.server.local_server import LocalServer
from keras_seqgen.server.origin import _is_own
from tests.server.toy_models import doubling


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    doubling(root / "twice", 1)
    with LocalServer(root, port=0, rest_port=0) as server:
        yield server


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (None, "127.0.0.1:{}", 200),
        (None, "models.example", 200),  # a program's
        ("http://127.0.0.1:{}", "127.0.0.1:{}", 200),
        ("http://localhost:{}", "localhost:{}", 200),
        ("http://evil.example", "127.0.0.1:{}", 403),
        ("http://127.0.0.1:80", "127.0.0.1:{}", 403),
        ("http://evil.example:{}", "evil.example:{}", 403),  # a name that points to 127.0.0.1
        ("null", "127.0.0.1:{}", 403),
        ("http://[", "127.0.0.1:{}", 403),
    ],
)
def test_only_own_pages_may_ask(twice, origin, host, status):
    headers = {"Host": host.format(twice.rest_port), "Content-Type": "text/plain"}
    headers |= {"Origin": origin.format(twice.rest_port)} if origin else {}
    connection = http.client.HTTPConnection("127.0.0.1", twice.rest_port)
    connection.request("POST", "/v1/models/twice:predict", '{"instances": [1.0]}', headers)
    answer = connection.getresponse()
    told = json.load(answer)
    connection.close()
    assert answer.status == status
    assert told.keys() == ({"error"} if status == 403 else {"predictions"})


def test_a_server_for_others_has_a_name():
    for listening in ("0.0.0.0", "::", "10.0.0.7"):
        assert _is_own("http://models.example:8501", "models.example:8501", listening)
        assert not _is_own("http://evil.example", "models.example:8501", listening)
    assert not _is_own("http://models.example:8501", "models.example:8501", "::1")
    assert _is_own("http://[::1]:8501", "[::1]:8501", "::1")
