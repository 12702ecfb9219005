"""`keras-seqgen serve` as a person starts and stops it."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from keras_seqgen.cli import main
from keras_seqgen.client import Client
from keras_seqgen.server.local_server import LocalServer
from tests.server.toy_models import doubling

ROOT = Path(__file__).parents[2]


def test_it_serves_until_it_is_told_to_stop(tmp_path):
    doubling(tmp_path / "twice", 1)
    command = [sys.executable, "-m", "keras_seqgen.cli", "serve", str(tmp_path), "--port", "0", "--rest-port", "0"]
    with subprocess.Popen(
        [*command, "--json"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            told = json.loads(process.stdout.readline())
            assert told["models"] == {"twice": [1]}
            assert told["host"] == "127.0.0.1"
            url = f"http://127.0.0.1:{told['rest_port']}/v1/models/twice:predict"
            assert json.load(urllib.request.urlopen(url, b'{"instances": [4.0]}')) == {"predictions": [8.0]}
            listening = Path(f"/proc/{process.pid}/net/tcp").read_text() if os.path.exists("/proc") else ""
            ports = [f":{told[name]:04X}" for name in ("port", "rest_port")]
            for line in listening.splitlines():
                if line.split()[1][8:] in ports and line.split()[3] == "0A":
                    assert line.split()[1].startswith("0100007F"), "this machine alone"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
        assert "A stand-in for TensorFlow Serving" in process.stderr.read()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("serve", "FOLDER"),
        ("serve {tmp}/missing", "is no folder"),
        ("serve {tmp}", "holds no model"),
        ("serve {tmp} --max-rows 0", "--max-rows must be positive"),
        ("serve {tmp} --port high", "--port"),
        ("serve {tmp} --port 85000", "--port must lie in 0..65535"),
        ("serve {tmp} --port -1", "--port must lie in 0..65535"),
        ("serve {tmp} --rest-port 85010", "--rest-port must lie in 0..65535"),
        ("serve {tmp} --poll-seconds inf", "--poll-seconds must lie in"),
        ("serve {tmp} --poll-seconds nan", "--poll-seconds must lie in"),
        ("serve {tmp} --poll-seconds 1e300", "--poll-seconds must lie in"),
        ("serve {tmp} --poll-seconds 0", "--poll-seconds must lie in"),
        ("serve {tmp} --grace -1", "--grace must lie in"),
        ("write a -o {tmp}/a.svg --server 127.0.0.1:1", "does not answer"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line, word, tmp_path, capsys):
    try:
        code = main(line.format(tmp=tmp_path).split())
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert word in err


def test_on_an_address_with_colons(tmp_path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    doubling(tmp_path / "twice", 1)
    with LocalServer(tmp_path, host="::1", port=0, rest_port=0) as server:
        assert Client(f"[::1]:{server.rest_port}").predict("twice", {"x": [2.0]}) == [4.0]
        socket.create_connection(("::1", server.port)).close()
