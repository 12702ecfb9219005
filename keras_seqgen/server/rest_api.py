"""The REST interface of TensorFlow Serving as a function from a request's path and body to an answer; no network."""

import json
import logging
import re
from dataclasses import dataclass
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict

from keras_seqgen.server.json_tensors import parse, read_inputs, write_outputs
from keras_seqgen.server.messages import signature_map, status_response
from keras_seqgen.server.model_store import ModelStore
from keras_seqgen.server.servable import DEFAULT_SIGNATURE
from keras_seqgen.server.status import ServingError, invalid

_LOG = logging.getLogger(__name__)
_WHICH = r"(?i:/v1/models)/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(rf"{_WHICH}:(?P<method>classify|regress|predict)")
_TELL = re.compile(rf"{_WHICH}(?P<metadata>/metadata)?")


@dataclass(frozen=True)
class Answer:
    """What goes back, and what is counted: the code's name, the model that answered, its rows."""

    body: bytes
    code: str = "OK"
    http_status: int = 200
    model: str = ""
    rows: int = 0


def error_answer(error: ServingError, model: str = "") -> Answer:
    """TensorFlow Serving's form of an error: an object with the one key `error`."""
    body = json.dumps({"error": error.message}, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(body, error.code, error.http_status, model)


class RestApi:
    """Answers REST requests from a `ModelStore`.

    POST /v1/models/NAME[/versions/N|/labels/L]:predict
    GET  /v1/models/NAME[/versions/N|/labels/L][/metadata]
    """

    def __init__(self, store: ModelStore):
        self._store = store

    def answer(self, method: str, path: str, body: bytes = b"") -> Answer:
        """The answer to a request; nothing is raised.

        Args:
            method: "GET" or "POST". path: as it was sent; a query is ignored. body: of the request.
        """
        model = ""
        try:
            found = {"POST": _ASK, "GET": _TELL}.get(method, _ASK).fullmatch(path.partition("?")[0])
            if not found or method not in ("GET", "POST"):
                raise invalid(f"Malformed request: {method} {path[:200]}")
            name, label = unquote(found["name"]), unquote(found["label"] or "")
            model = name if name in self._store.models else ""
            which = name, int(found["version"]) if found["version"] else None, label
            if method == "POST":
                return self._predict(which, found["method"], body)
            if found["metadata"]:
                content = _metadata(self._store.find(*which))
            else:
                content = _as_dict(status_response(self._store.states(*which)))
            return Answer(json.dumps(content, indent=1).encode(), model=model)
        except ServingError as error:
            return error_answer(error, model)
        except Exception:
            _LOG.exception("%s %s", method, path)
            return error_answer(ServingError("INTERNAL", "the server failed; its log says where"), model)

    def _predict(self, which, method, body) -> Answer:
        servable = self._store.find(*which)
        if method != "predict":
            raise ServingError("UNIMPLEMENTED", f"{servable.name} has no signature for {method}; ask :predict")
        document = parse(body)
        name = document.get("signature_name", "") or DEFAULT_SIGNATURE
        if name not in servable.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        inputs = read_inputs(document, servable.signature(name))
        results = servable.predict(name, inputs)
        rows = len(next(iter(inputs.values())))
        return Answer(write_outputs(results, by_row="instances" in document), model=servable.name, rows=rows)


def _metadata(servable) -> dict:
    spec = {"name": servable.name, "signature_name": "", "version": str(servable.version)}
    return {"model_spec": spec, "metadata": {"signature_def": _as_dict(signature_map(servable))}}


def _as_dict(message) -> dict:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
