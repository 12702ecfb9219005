"""The server as a whole: models, gRPC, HTTP, reload."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from keras_seqgen.errors import UserError
from keras_seqgen.server.grpc_api import GrpcApi
from keras_seqgen.server.http_server import HttpServer
from keras_seqgen.server.limits import Gate, Limits, check_range
from keras_seqgen.server.metrics import Metrics
from keras_seqgen.server.model_store import ModelStore

_LOG = logging.getLogger(__name__)


class LocalServer:
    """Serves a folder of models until it is stopped; a context manager.

    Args:
        root: `saved_models/`.
        host: to listen on; whoever reaches it may use the server, there is no password.
        port, rest_port: of gRPC and HTTP; 0 for any that is free.
        limits: of requests.
        poll_seconds: between looks at the folder for versions, at least 0.001.
        grace: seconds that requests have to end when the server stops, 0 or more.

    Attributes:
        port, rest_port: those that are used, after `start`. store: its `ModelStore`.

    Raises:
        UserError: a port or a number of seconds cannot be, the folder holds no model that can be loaded, or a port is
            taken.

    Example:

        >>> with LocalServer("saved_models", port=0, rest_port=0) as server:
        ...     urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/v1/models/handwriting").status
        200
    """

    def __init__(
        self,
        root,
        host="127.0.0.1",
        port=8500,
        rest_port=8501,
        limits: Limits | None = None,
        poll_seconds=2.0,
        grace=10.0,
    ):
        settings = {"port": port, "rest_port": rest_port, "poll_seconds": poll_seconds, "grace": grace}
        for name, value in settings.items():
            check_range(name, value)
        limits = limits or Limits()
        self._root, self._host, self.port, self.rest_port = Path(root), host, port, rest_port
        self._poll_seconds, self._grace = poll_seconds, grace
        self.store = ModelStore(root, limits)
        metrics, gates = Metrics(), {"grpc": Gate(limits.requests), "rest": Gate(limits.requests)}
        self._http = HttpServer(self.store, metrics, limits, gates)
        self._grpc = grpc.server(
            ThreadPoolExecutor(limits.workers, thread_name_prefix="grpc"),
            maximum_concurrent_rpcs=limits.requests,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", limits.request_bytes),
                ("grpc.max_send_message_length", -1),
            ],
        )
        GrpcApi(self.store, metrics, gates["grpc"]).add_to(self._grpc)
        self._stop = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._threads = [
            threading.Thread(target=self._loop.run_forever, name="http", daemon=True),
            threading.Thread(target=self._watch, name="reload", daemon=True),
        ]

    def start(self) -> "LocalServer":
        """Load the models and listen."""
        if not self._root.is_dir():
            raise UserError(f"{self._root} is no folder")
        self.store.refresh()
        if not self.store.models:
            raise UserError(f"{self._root} holds no model that can be loaded: export one with `keras-seqgen export`")
        for thread in self._threads:
            thread.start()
        try:
            self.rest_port = self._run(self._http.start(self._host, self.rest_port))
            host = f"[{self._host}]" if ":" in self._host else self._host
            self.port = self._grpc.add_insecure_port(f"{host}:{self.port}")
        except (OSError, RuntimeError) as error:
            self.stop()
            raise UserError(f"cannot listen on {self._host}: {str(error).splitlines()[0]}") from error
        self._grpc.start()
        return self

    def stop(self) -> None:
        """Take no more requests, finish those that run, close."""
        if self._stop.is_set():
            return
        self._stop.set()
        calls = self._grpc.stop(self._grace)
        self._run(self._http.stop(self._grace))
        calls.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join()
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.store.refresh()
            except Exception:
                _LOG.exception("the folder cannot be read; the models stay as they are")

    __enter__ = start

    def __exit__(self, *_):
        self.stop()
