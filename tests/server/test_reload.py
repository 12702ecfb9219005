"""New versions while clients ask, labels that move, folders that are broken or gone."""

import json
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.server.limits import Limits
from keras_seqgen.server.local_server import LocalServer
from keras_seqgen.server.model_store import ModelStore
from keras_seqgen.server.page import describe
from keras_seqgen.server.status import ServingError
from keras_seqgen.serving.models_config import record_version
from keras_seqgen.serving.versions import newest_version
from tests.server.toy_models import doubling


def ask(server, which="", x=1.0, model="twice"):
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/{model}{which}:predict"
    with urllib.request.urlopen(url, json.dumps({"instances": [x]}).encode(), timeout=120) as answer:
        return json.load(answer)["predictions"][0]


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_new_version_answers_and_no_request_fails(tmp_path):
    record_version(doubling(tmp_path / "twice", 1, 2.0))
    with LocalServer(tmp_path, port=0, rest_port=0, poll_seconds=0.05) as server:
        answers, failures, done = set(), [], threading.Event()

        def go_on(which):
            while not done.is_set():
                try:
                    answers.add(ask(server, which))
                except Exception as error:
                    failures.append(error)
                time.sleep(0.01)  # the cores are for what loads

        clients = [
            threading.Thread(target=go_on, args=(which,)) for which in ("", "", "/labels/latest", "/labels/latest")
        ]
        for client in clients:
            client.start()
        for version in (2, 3, 4):
            record_version(doubling(tmp_path / "twice", version, float(version * 10)))
            wait_for(lambda newest=version * 10.0: newest in answers)
        done.set()
        for client in clients:
            client.join()
        assert not failures
        assert answers == {2.0, 20.0, 30.0, 40.0}
        wait_for(lambda: set(server.store.models["twice"]) == {1, 4})  # stable and latest
        assert ask(server, "/labels/stable") == 2.0
        assert ask(server, "/labels/latest") == 40.0
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(server, "/versions/3")
        record_version(tmp_path / "twice" / "4", stable=True)
        wait_for(lambda: set(server.store.models["twice"]) == {4})
        assert ask(server, "/labels/stable") == 40.0
        states = {version: state.name for version, state in server.store.states("twice").items()}
        assert states == {4: "AVAILABLE", 3: "END", 2: "END", 1: "END"}
        doubling(tmp_path / "new", 1, 5.0)
        wait_for(lambda: "new" in server.store.models)
        assert ask(server, model="new") == 5.0
        shutil.rmtree(tmp_path / "new")
        wait_for(lambda: "new" not in server.store.models)


def test_without_models_config_the_newest_answers(tmp_path):
    doubling(tmp_path / "twice", 9, 9.0)
    doubling(tmp_path / "twice", 10, 10.0)
    store = ModelStore(tmp_path, Limits())
    store.refresh()
    assert store.find("twice").version == 10
    assert set(store.models["twice"]) == {10}


def test_the_newest_is_so_by_number(tmp_path):
    for version in (9, 10):
        record_version(doubling(tmp_path / "twice", version, float(version)), stable=version == 9)
    store = ModelStore(tmp_path, Limits())
    store.refresh()
    assert set(store.models["twice"]) == {9, 10}
    assert store.find("twice").version == 10
    assert store.find("twice", label="stable").version == 9
    assert list(store.states("twice")) == [10, 9]
    assert describe(store)["twice"]["signatures"]["slow"] == {"x": [-1], "n": [-1]}


def test_a_request_that_runs_keeps_its_version(tmp_path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    record_version(doubling(tmp_path / "twice", 1, 3.0))
    with LocalServer(tmp_path, port=0, rest_port=0, poll_seconds=0.05) as server:
        old = server.store.find("twice")

        def held(*inputs, predict=old.predict):
            begun.set()
            assert go_on.wait(120)
            return predict(*inputs)

        monkeypatch.setattr(old, "predict", held)
        told = []
        client = threading.Thread(target=lambda: told.append(ask(server)))
        client.start()
        assert begun.wait(120)
        record_version(doubling(tmp_path / "twice", 2, 5.0), stable=True)
        wait_for(lambda: set(server.store.models["twice"]) == {2})
        assert ask(server) == 5.0, "the new one answers"
        assert not told, "while the old one still works"
        go_on.set()
        client.join()
    assert told == [3.0]


def test_what_cannot_be_loaded_is_told_and_the_old_version_goes_on(tmp_path):
    doubling(tmp_path / "twice", 1, 2.0)
    store = ModelStore(tmp_path, Limits())
    store.refresh()
    broken = tmp_path / "twice" / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"nonsense")
    for _ in range(7):
        store.refresh()
    assert store.find("twice").version == 1
    states = store.states("twice")
    assert (states[1].name, states[2].name, states[2].tries) == ("AVAILABLE", "END", 5)
    assert states[2].error
    with pytest.raises(ServingError) as error:
        store.find("twice", version=2)
    assert error.value.code == "NOT_FOUND"
    shutil.rmtree(broken)
    doubling(tmp_path / "twice", 3, 4.0)
    (tmp_path / "models.config").write_text("nonsense {")
    store.refresh()
    assert store.find("twice").version == 1, "with a broken models.config all stays as it is"
    (tmp_path / "models.config").unlink()
    store.refresh()
    assert store.find("twice").version == 3


def test_a_version_given_up_is_tried_again_when_its_folder_changes(tmp_path, caplog):
    doubling(tmp_path / "twice", 1, 2.0)
    whole = doubling(tmp_path / "aside", 2, 4.0)
    late = tmp_path / "twice" / "2"
    (late / "variables").mkdir(parents=True)
    (late / "saved_model.pb").write_bytes(b"nonsense")
    store = ModelStore(tmp_path, Limits())

    def look_often():
        for _ in range(7):
            store.refresh()
        return store.states("twice")[2].tries

    assert look_often() == 5
    (given_up,) = (record.getMessage() for record in caplog.records if "given up" in record.getMessage())
    assert "twice version 2" in given_up
    assert store.states("twice")[2].error.split(": ", 1)[1][:20] in given_up
    assert f"touch {late}" in given_up
    (late / "variables" / "variables.index").write_bytes(b"half")  # the copy goes on
    store.refresh()
    assert store.states("twice")[2].tries == 1
    assert look_often() == 5
    shutil.copytree(whole, late, dirs_exist_ok=True)
    store.refresh()
    assert store.find("twice").version == 2
    assert store.states("twice")[2].name == "AVAILABLE"


def test_a_version_given_up_is_forgotten_when_its_folder_is_gone(tmp_path):
    doubling(tmp_path / "twice", 1, 2.0)
    store = ModelStore(tmp_path, Limits())
    for _ in range(2):
        broken = tmp_path / "twice" / "2"
        broken.mkdir()
        (broken / "saved_model.pb").write_bytes(b"nonsense")
        for path in (broken / "saved_model.pb", broken):
            os.utime(path, (1e9, 1e9))  # as a copy that keeps the times leaves it
        store.refresh()
        assert store.states("twice")[2].tries == 1
        for _ in range(6):
            store.refresh()
        assert store.states("twice")[2].tries == 5
        shutil.rmtree(broken)
        store.refresh()
        assert list(store.states("twice")) == [1]


def test_a_warm_up_that_fails_keeps_a_version_out(tmp_path, monkeypatch):
    doubling(tmp_path / "twice", 1)
    request = SimpleNamespace(model_spec=SimpleNamespace(signature_name="scribble"), inputs={})
    log = SimpleNamespace(predict_log=SimpleNamespace(request=request))
    monkeypatch.setattr("keras_seqgen.server.servable.read_warmup", lambda folder: [log])
    store = ModelStore(tmp_path, Limits())
    store.refresh()
    assert not store.models
    assert "scribble" in store.states("twice")[1].error


def test_running_requests_end_before_the_server_does(tmp_path):
    doubling(tmp_path / "twice", 1, 3.0)
    server = LocalServer(tmp_path, port=0, rest_port=0, grace=30).start()
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/twice:predict"
    body = json.dumps({"signature_name": "slow", "inputs": {"x": [1.0], "n": [300_000]}}).encode()
    told = []
    client = threading.Thread(target=lambda: told.append(json.load(urllib.request.urlopen(url, body))))
    client.start()
    wait_for(lambda: server._http._gates["rest"].inside == 1)
    server.stop()
    client.join()
    assert told == [{"outputs": {"i": [300_000], "y": [3.0]}}]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, body, timeout=5)


def test_what_cannot_be_started_says_why(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        LocalServer(tmp_path / "missing", port=0, rest_port=0).start()
    with pytest.raises(UserError, match="holds no model that can be loaded"):
        LocalServer(tmp_path, port=0, rest_port=0).start()
    doubling(tmp_path / "twice", 1)
    for setting, value in (("port", 85000), ("rest_port", 85010), ("poll_seconds", float("inf")), ("grace", -1)):
        with pytest.raises(UserError, match=f"{setting} must lie in"):
            LocalServer(tmp_path, **{"port": 0, "rest_port": 0, setting: value}).start()
    with LocalServer(tmp_path, port=0, rest_port=0) as server:
        for taken in ({"port": server.port, "rest_port": 0}, {"port": 0, "rest_port": server.rest_port}):
            with pytest.raises(UserError, match=r"cannot listen on 127\.0\.0\.1"):
                LocalServer(tmp_path, **taken).start()
        assert ask(server) == 2.0


def test_zeros_before_a_version(tmp_path):
    doubling(tmp_path / "twice", 1, 2.0).rename(tmp_path / "twice" / "00000123")
    (tmp_path / "twice" / "\u0663").mkdir()  # a digit, but none of a version
    store = ModelStore(tmp_path, Limits())
    store.refresh()
    assert store.find("twice").version == 123
    assert [(number, state.name) for number, state in store.states("twice").items()] == [(123, "AVAILABLE")]
    assert newest_version(tmp_path / "twice").name == "00000123"
