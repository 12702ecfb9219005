"""Models of random weights for every system that is served, and a server of them."""

import json
import urllib.error
import urllib.request

import grpc
import keras
import numpy as np
import pytest

from benchmarks.tiny_systems import export_tiny
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.models import handwriting_synthesis, small_backbone
from keras_seqgen.models.handwriting import recurrent_layers
from keras_seqgen.models.segmenter import segmenter
from keras_seqgen.server.limits import Limits
from keras_seqgen.server.local_server import LocalServer
from keras_seqgen.serving import export_handwriting, export_text
from keras_seqgen.serving.models_config import record_version
from keras_seqgen.serving.segmentation import export_segmentation
from tests.decoding.toy_text import ALPHABET, lively
from tests.segmentation_data import LABELS
from tests.server.browser import chromium

CARD = "# Tiny\n\nRandom weights, trained on nothing, free of terms.\n"


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """saved_models/ with handwriting/1, text/1 and segmentation/1, and models.config."""
    root = tmp_path_factory.mktemp("served") / "saved_models"
    keras.utils.set_random_seed(5)
    vocabulary = Vocabulary(" abcde")
    model = handwriting_synthesis(len(vocabulary), units=12, depth=1, window_components=2, mixture_components=2)
    recurrent_layers(model)[0].cell.window_bias.assign(np.repeat([-1.0, 0.5, -1.5], 2))
    unit = np.array([8.0, 0.5], np.float32), np.array([40.0, 30.0], np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
        labeller = segmenter(LABELS.count, crf=True, iterations=2, theta_alpha=20.0)
    versions = (
        export_handwriting(model, vocabulary, *unit, root / "handwriting", CARD),
        export_text(lively(), Vocabulary(ALPHABET), root / "text", CARD),
        export_segmentation(labeller, LABELS, root / "segmentation", CARD),
    )
    for version in versions:
        record_version(version)
    return root


@pytest.fixture(scope="session")
def server(saved_models):
    limits = Limits(request_bytes=2**20, rows=64, points=1000, requests=64, body_seconds=1.5)
    with LocalServer(saved_models, port=0, rest_port=0, limits=limits, poll_seconds=0.2) as server:
        yield server


@pytest.fixture(scope="session")
def saved_readers(tmp_path_factory):
    """Untrained recognisers of ink, print and speech (16,000 samples a second), and an untrained script detector."""
    root = tmp_path_factory.mktemp("readers")
    for system in ("ink-recognition", "text-lines", "speech", "script-detection"):
        export_tiny(system, root / system, units=6)
    return root


@pytest.fixture(scope="session")
def readers(saved_readers):
    with LocalServer(saved_readers, port=0, rest_port=0, poll_seconds=60) as server:
        yield server


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("downloads")) as browser:
        yield browser


@pytest.fixture(scope="session")
def rest(server):
    """(path, JSON or bytes or None) -> (status, decoded answer)."""

    def ask(path, body=None):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{server.rest_port}{path}", data)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return ask


@pytest.fixture(scope="session")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
