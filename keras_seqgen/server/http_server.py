"""The HTTP side: reads requests within the limits, hands them to threads, and answers."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from keras_seqgen.server.limits import Gate, Limits
from keras_seqgen.server.metrics import Metrics
from keras_seqgen.server.model_store import ModelStore
from keras_seqgen.server.origin import own_pages_only
from keras_seqgen.server.page import add_page
from keras_seqgen.server.rest_api import Answer, RestApi, error_answer
from keras_seqgen.server.status import ServingError, invalid
from keras_seqgen.serving.models_config import METRICS_PATH


class HttpServer:
    """Serves REST, the metrics and `/healthz`; its coroutines run in one event loop.

    Args:
        store, metrics, limits: of the server. gates: interface -> its `Gate`; "rest" is this one's.
    """

    def __init__(self, store: ModelStore, metrics: Metrics, limits: Limits, gates: dict[str, Gate]):
        self._store, self._metrics, self._limits, self._gates = store, metrics, limits, gates
        self._api = RestApi(store)
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="rest")
        self._readers = Gate(4 * limits.requests)  # of their own, so that slow senders take no place of those who wait
        self._stopping = False
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses if `port` is 0."""
        guards = [_errors_as_json, own_pages_only(host)]
        app = web.Application(client_max_size=self._limits.request_bytes, middlewares=guards)
        app.router.add_get("/healthz", self._health)
        app.router.add_get(METRICS_PATH, self._tell_metrics)
        add_page(app, self._store)
        app.router.add_route("*", "/{path:(?i:v1)/.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=75, lingering_time=1, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return self._runner.addresses[0][1]

    async def stop(self, grace: float) -> None:
        """Refuse new requests, finish those inside for at most `grace` seconds, close."""
        self._stopping = True
        until = time.monotonic() + grace
        while self._gates["rest"].inside and time.monotonic() < until:
            await asyncio.sleep(0.02)
        if self._runner:
            await self._runner.cleanup()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # connections that still wait for the rest of a body
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, request: web.Request) -> web.Response:
        if self._stopping:
            return _respond(error_answer(ServingError("UNAVAILABLE", "the server is stopping")))
        try:
            with self._readers.entered():
                body = await self._read(request)
            with self._gates["rest"].entered():
                started = time.perf_counter()
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(
                    self._threads, self._api.answer, request.method, request.raw_path, body
                )
                seconds = time.perf_counter() - started
        except web.HTTPRequestEntityTooLarge:
            self._metrics.count("rest", "", "RESOURCE_EXHAUSTED", 0.0, 0)
            raise
        except ServingError as error:
            answer, seconds = error_answer(error), 0.0
        self._metrics.count("rest", answer.model, answer.code, seconds, answer.rows)
        return _respond(answer)

    async def _read(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await request.read()
        except ConnectionResetError:
            raise ServingError("CANCELLED", "the client is gone") from None
        except web.RequestPayloadError as error:
            raise invalid(f"the body cannot be read: {' '.join(str(error).split())}") from None
        except TimeoutError:
            raise ServingError(
                "DEADLINE_EXCEEDED", f"the body took more than {self._limits.body_seconds:g} s"
            ) from None

    async def _health(self, _request: web.Request) -> web.Response:
        ready = bool(self._store.models) and not self._stopping
        return web.Response(text="ok\n" if ready else "not ready\n", status=200 if ready else 503)

    async def _tell_metrics(self, _request: web.Request) -> web.Response:
        page = self._metrics.page(self._store.models, {api: gate.inside for api, gate in self._gates.items()})
        return web.Response(body=page, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _respond(answer: Answer) -> web.Response:
    response = web.Response(body=answer.body, status=answer.http_status, content_type="application/json")
    if answer.code == "DEADLINE_EXCEEDED":
        response.force_close()  # the rest of a body that is too slow would be read as the next request
    return response


@web.middleware
async def _errors_as_json(request: web.Request, handler) -> web.StreamResponse:
    """What aiohttp itself refuses (a body too large, no such path) has the form of every other error."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        body = json.dumps({"error": f"{error.reason}: {request.method} {request.path[:200]}"})
        return web.Response(text=body, status=error.status, content_type="application/json")
