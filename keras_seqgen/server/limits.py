"""What one request may ask for, and how many requests the server holds at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from keras_seqgen.errors import UserError
from keras_seqgen.server.status import ServingError

RANGES = {  # of a server's settings
    "port": (0, 65535),
    "rest_port": (0, 65535),
    "poll_seconds": (0.001, threading.TIMEOUT_MAX),
    "grace": (0, threading.TIMEOUT_MAX),
}


def check_range(name: str, value: float, shown: str = "") -> None:
    """Whether a setting of the server can be.

    Args:
        name: in `RANGES`. value: of the setting. shown: its name in the error; `name`, if there is none.

    Raises:
        UserError: it lies outside.
    """
    least, most = RANGES[name]
    if not least <= value <= most:  # nor is NaN inside
        raise UserError(f"{shown or name} must lie in {least:g}..{most:g}. Received: {value}")


@dataclass(frozen=True)
class Limits:
    """Limits of the server; a model may have narrower ones of its own.

    Args:
        request_bytes: of a request's body or message, and of each of its tensors.
        rows: B, in one request.
        points: that a row may ask for (`points`, `max_points`, `max_tokens`) or bring (the steps of a sequence).
        requests: that wait or run at a time, over gRPC and REST each; one more is refused at once.
        workers: requests that run at a time, over gRPC and REST each; the others wait.
        body_seconds: in which a client must have sent the body of a request.
    """

    request_bytes: int = 16 * 2**20
    rows: int = 256
    points: int = 100_000
    requests: int = 256
    workers: int = 4
    body_seconds: float = 30.0


class Gate:
    """Counts the requests inside; refuses one too many with RESOURCE_EXHAUSTED."""

    def __init__(self, most: int):
        self._most, self._inside, self._lock = most, 0, threading.Lock()

    @property
    def inside(self) -> int:
        return self._inside

    @contextmanager
    def entered(self) -> Iterator[None]:
        with self._lock:
            if self._inside >= self._most:
                raise ServingError("RESOURCE_EXHAUSTED", f"the server holds {self._most} requests already; try again")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
