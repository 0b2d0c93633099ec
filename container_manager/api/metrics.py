"""Prometheus metrics, in a registry of this application's own."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

PREFIX = "container_manager"
CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What is counted while it happens. The state of things is `state_metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Read apart, in a thread: it asks the kernel.
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self._requests = self._counter("requests", "Requests answered", "method", "route", "status")
        self._seconds = self._histogram(
            "request_seconds", "Seconds until a request was answered, streams to their end", "method", "route"
        )
        self._operations = self._counter(
            "engine_operations",
            "Operations of the engine that ended, well (ok) or with an error",
            "verb",
            "result",
        )
        self._operation_seconds = self._histogram(
            "engine_operation_seconds", "Seconds that the engine took, without the wait for a turn", "verb"
        )
        self._file_bytes = self._counter(
            "file_bytes", "Bytes of files that clients sent (in) or got (out)", "direction"
        )
        # Looked up here, because the library's own way to a labelled series takes longer than counting.
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        for direction in ("in", "out"):
            self._file_bytes.labels(direction)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, namespace=PREFIX, registry=self.registry)

    def _histogram(self, name: str, what: str, *labels: str) -> Histogram:
        return Histogram(name, what, labels, namespace=PREFIX, registry=self.registry, buckets=_SECONDS)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request. `route` is the path's template, so that labels stay few."""
        method = method if method in _METHODS else "other"
        series = self._answers.get((method, route, status))
        if series is None:
            series = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._answers[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)

    def operated(self, verb: str, result: str, seconds: float) -> None:
        """Count an operation of the engine: what it was, "ok" or the code of its error, how long it took."""
        self._operations.labels(verb, result).inc()
        self._operation_seconds.labels(verb).observe(seconds)

    def received(self, count: int) -> None:
        """Count bytes of an upload."""
        self._file_bytes.labels("in").inc(count)

    def sent(self, count: int) -> None:
        """Count bytes of a download."""
        self._file_bytes.labels("out").inc(count)

    async def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return await asyncio.to_thread(generate_latest, self._process) + generate_latest(self.registry)
