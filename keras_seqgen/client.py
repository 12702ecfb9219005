"""A small client of a server of models: TensorFlow Serving, or `keras-seqgen serve`. It needs no TensorFlow."""

import base64
import json
import unicodedata
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import numpy as np

from keras_seqgen.decoding.line_writer import LineWriter, Request
from keras_seqgen.errors import UserError

REST_PORT = 8501


class Client:
    """Asks over REST, in the column format.

    Args:
        server: HOST, HOST:PORT (else 8501), or a URL.
        timeout: seconds that an answer may take.

    Raises:
        UserError: `server` names no host.

    Example:

        >>> asked = {"text": ["a line"], "bias": [1.0], "seed": [[3, 0]]}
        >>> Client("localhost").predict("handwriting", asked, signature="generate")["length"]
        [167]
    """

    def __init__(self, server: str, timeout: float = 60.0):
        url = server if "//" in server else f"http://{server}"
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname, parts.port or (REST_PORT if "//" not in server else None)
        except ValueError as error:
            raise UserError(f"`server` must be HOST:PORT or a URL. Received: {server}") from error
        if not host or parts.scheme not in ("http", "https"):
            raise UserError(f"`server` must be HOST:PORT or a URL. Received: {server}")
        host = f"[{host}]" if ":" in host else host
        self.url = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
        self._timeout = timeout

    def predict(
        self, model: str, inputs: Mapping[str, Any], signature: str = "", version: int | None = None, label: str = ""
    ) -> Any:
        """Run a signature.

        Args:
            model: its name at the server.
            inputs: name -> array or nested list of B rows; bytes are sent as {"b64": ...}.
            signature: "" for the default.
            version, label: which version; else the newest.

        Returns:
            dict name -> nested list; of a signature with one output, its nested list.

        Raises:
            UserError: the server is not there or says what is wrong.
        """
        path = self._path(model, version, label) + ":predict"
        asked: dict[str, Any] = {"inputs": {name: _plain(value) for name, value in inputs.items()}}
        if signature:
            asked["signature_name"] = signature
        return self._ask(path, json.dumps(asked).encode())["outputs"]

    def status(self, model: str) -> dict[int, str]:
        """Version -> state, such as AVAILABLE.

        Raises:
            UserError: the server is not there or has no such model.
        """
        told = self._ask(self._path(model))["model_version_status"]
        return {int(one["version"]): one["state"] for one in told}

    def _path(self, model, version=None, label=""):
        which = f"/versions/{version}" if version is not None else f"/labels/{_quoted(label)}" if label else ""
        return f"/v1/models/{_quoted(model)}{which}"

    def _ask(self, path: str, body: bytes | None = None):
        asked = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=self._timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise UserError(f"{self.url}: {_said(error.read())} (HTTP {error.code})") from error
        except (OSError, ValueError, HTTPException) as error:
            no_http = "it is not HTTP that it speaks" if isinstance(error, HTTPException) else None
            reason = no_http or getattr(error, "reason", None) or error
            raise UserError(f"{self.url} does not answer as a server of models does: {reason}") from error


class RemoteHandwriting(LineWriter):
    """Writes with a model at a server: the `write` of `SavedHandwriting`, with the same strokes for the same seeds.

    The server knows the alphabet: it refuses a text with other characters, and nothing can stand in for them.

    Args:
        server: as for `Client`.
        model: its name at the server.
        timeout: seconds that an answer may take.

    Attributes:
        url: of the model.

    Example:

        >>> RemoteHandwriting("localhost").write("a line", bias=1.0, seed=3)[0].shape
        (167, 3)
    """

    def __init__(self, server: str, model: str = "handwriting", timeout: float = 60.0):
        super().__init__(_ServersAlphabet())  # type: ignore[arg-type]
        self._client, self._model = Client(server, timeout), model
        self.url = f"{self._client.url}/v1/models/{model}"

    def generate(self, request: Request) -> tuple[np.ndarray, np.ndarray]:
        found = self._client.predict(
            self._model,
            {
                "text": request.texts,
                "bias": request.bias,
                "seed": request.seed,
                "max_points": request.limit,
                "primer_strokes": request.primer,
                "primer_length": request.primer_length,
                "primer_text": request.primer_texts,
            },
            signature="generate_primed",
        )
        errors = [message for message in found["error"] if message]
        if errors:
            raise UserError(errors[0])
        strokes = np.asarray(found["strokes"], np.float32).reshape(len(request.texts), -1, 3)
        return strokes, np.asarray(found["length"], np.int32)


class _ServersAlphabet:
    """A `Vocabulary` that knows every character: the server says what its model does not."""

    def encode(self, text, replace=None):
        if replace is not None:
            raise UserError("`replace` needs the model's alphabet, which only the server knows")
        return unicodedata.normalize("NFC", text)

    def decode(self, text):
        return text


def _plain(value):
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _said(body: bytes) -> str:
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace")
