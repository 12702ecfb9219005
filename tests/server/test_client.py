"""The client, against the server; `keras-seqgen write --server`."""

import ast
import json
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import keras_seqgen.client
from keras_seqgen.cli import main
from keras_seqgen.client import Client, RemoteHandwriting
from keras_seqgen.errors import UserError
from keras_seqgen.serving import SavedHandwriting
from tests.segmentation_data import encoded, scene


@pytest.fixture(scope="module")
def address(server):
    return f"127.0.0.1:{server.rest_port}"


@pytest.fixture(scope="module")
def local(saved_models):
    return SavedHandwriting(saved_models / "handwriting")


def test_a_server_writes_as_the_model_does_here(address, local):
    asked = (["a cab", "dad", "bee"], [0.0, 1.0, 2.0], [1, 2, 3])
    primer = np.array([[3, 4, 0], [5, -2, 0], [1, 1, 1]], np.float32), "ab"
    for options in ({}, {"primers": [primer, None, primer]}, {"max_points": [5, 20, 7]}):
        for one, other in zip(
            RemoteHandwriting(address).write(*asked, **options), local.write(*asked, **options), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert RemoteHandwriting(address).write([]) == []


def test_mistakes_are_told_in_one_line(address, local):
    writer = RemoteHandwriting(address)
    for text, options, said in (
        ("a!", {}, r"The alphabet does not have the characters !"),
        ("a", {"bias": -1.0}, "`bias` must be"),
        ("", {}, "must be a string that is not empty"),
        ("a" * 201, {}, "at most 200 characters"),
        ("a", {"replace": "b"}, "only the server knows"),
    ):
        with pytest.raises(UserError, match=said):
            writer.write(text, **options)
    with pytest.raises(UserError, match=r"Servable not found for request: Latest\(pencil\) \(HTTP 404\)"):
        RemoteHandwriting(address, "pencil").write("a")


def test_versions_labels_bytes_and_states(address):
    client = Client(address, timeout=120)
    assert client.status("segmentation") == {1: "AVAILABLE"}
    inputs = {"image": [encoded(scene(1)[0])]}
    answers = [client.predict("segmentation", inputs, **which) for which in ({}, {"version": 1}, {"label": "stable"})]
    assert answers[0] == answers[1] == answers[2]
    assert np.shape(answers[0]["labels"]) == (1, 24, 32)
    assert client.predict("segmentation", inputs, signature="segment") == answers[0]
    with pytest.raises(UserError, match="Unrecognized servable version label: a/b"):
        client.predict("segmentation", inputs, label="a/b")
    with pytest.raises(UserError, match='"scribble" not found'):
        client.predict("segmentation", inputs, signature="scribble")


def test_addresses():
    assert Client("localhost").url == "http://localhost:8501"
    assert Client("10.0.0.1:80").url == "http://10.0.0.1:80"
    assert Client("https://models.example/served/").url == "https://models.example/served"
    for wrong in ("", "http://", "host:port", "ftp://host", ":8501"):
        with pytest.raises(UserError, match="HOST:PORT"):
            Client(wrong)


def test_a_server_that_is_none(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match="does not answer as a server of models does"):
        Client(f"127.0.0.1:{port}", timeout=2).status("handwriting")


def test_the_client_needs_no_tensorflow():
    tree = ast.parse(Path(keras_seqgen.client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported - {"numpy"} <= set(sys.stdlib_module_names) | {"urllib.error", "urllib.parse", "urllib.request"}


def test_write_by_a_server(address, tmp_path, capsys, local):
    line = str(tmp_path / "line.json")
    assert main(["write", "a cab", "--server", address, "--seed", "4", "--json", "-o", line]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == f"http://{address}/v1/models/handwriting"
    assert told["points"] == [len(local.write("a cab", bias=1.0, seed=4)[0])]
    assert main(["write", "a", "--server", address, "--prime", line, "-o", str(tmp_path / "other.svg")]) == 0
    assert (tmp_path / "other.svg").read_text().startswith("<")
    assert "the primer is sent as it is" in capsys.readouterr().err
    assert main(["write", "A!", "--server", address, "-o", line]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_server_that_speaks_something_else():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(bytes([0, 0, 18, 4, 0, 0, 0, 0, 0]))  # what gRPC's port says first

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UserError, match="does not answer as a server of models does: it is not HTTP"):
            Client(f"127.0.0.1:{listening.getsockname()[1]}", timeout=2).status("handwriting")
        thread.join()
