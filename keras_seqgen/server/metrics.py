"""What the server counts, for Prometheus."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters of one server.

    keras_seqgen_requests_total{api,model,code}     answered requests; `model` is "" where no such model is served
    keras_seqgen_request_seconds{api,model}         from the last byte of a request to its answer
    keras_seqgen_rows_total{model}                  rows of requests that were answered with OK
    keras_seqgen_model_version{model}               the newest version that answers
    keras_seqgen_requests_inside{api}               requests that wait or run
    """

    def __init__(self):
        self._registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self._registry, "namespace": "keras_seqgen"}
        self._requests = Counter("requests", "answered requests", ("api", "model", "code"), **made)
        self._seconds = Histogram("request_seconds", "time to answer", ("api", "model"), buckets=_SECONDS, **made)
        self._rows = Counter("rows", "rows answered", ("model",), **made)
        self._versions = Gauge("model_version", "newest version that answers", ("model",), **made)
        self._inside = Gauge("requests_inside", "requests that wait or run", ("api",), **made)

    def count(self, api: str, model: str, code: str, seconds: float, rows: int) -> None:
        """Count one answer."""
        self._requests.labels(api, model, code).inc()
        self._seconds.labels(api, model).observe(seconds)
        if rows:
            self._rows.labels(model).inc(rows)

    def page(self, models: dict[str, dict], inside: dict[str, int]) -> bytes:
        """The text that Prometheus reads.

        Args:
            models: name -> versions that answer. inside: interface -> requests in it now.
        """
        self._versions.clear()
        for name, versions in models.items():
            self._versions.labels(name).set(max(versions))
        for api, count in inside.items():
            self._inside.labels(api).set(count)
        return generate_latest(self._registry)
