"""Prometheus metrics, in a registry of this application's own."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from container_manager.engine.engine import Engine

PREFIX = "container_manager"
CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """What is counted while it happens; the state of things is read when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "requests", "Requests answered", ("method", "route", "status"), namespace=PREFIX, registry=self.registry
        )
        self._seconds = Histogram(
            "request_seconds",
            "Seconds until a request was answered, streams to their end",
            ("method", "route"),
            namespace=PREFIX,
            registry=self.registry,
            buckets=_SECONDS,
        )
        # Looked up here, because the library's own way to a labelled metric takes longer than counting.
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request. `route` is the path's template, so that labels stay few."""
        method = method if method in _METHODS else "other"
        series = self._series.get((method, route, status))
        if series is None:
            series = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._series[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)

    def watch(self, engine: "Engine") -> None:
        """Tell the states of all containers and how far the table of states is behind."""
        self.registry.register(_States(engine))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


class _States(Collector):
    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        states = self._engine.states
        family = GaugeMetricFamily(f"{PREFIX}_containers", "Containers at the engine by status", labels=("status",))
        for status, number in Tally(state.status for state in states.all.values()).items():
            family.add_metric((status,), number)
        yield family
        turns = self._engine.turns
        yield GaugeMetricFamily(f"{PREFIX}_engine_running", "Engine operations that run now", turns.running)
        yield GaugeMetricFamily(f"{PREFIX}_engine_waiting", "Engine operations that wait for a turn", turns.waiting)
        yield GaugeMetricFamily(f"{PREFIX}_engine_up", "1 while the engine is followed", float(self._engine.available))
        yield GaugeMetricFamily(f"{PREFIX}_states_age_seconds", "Seconds since the states were known true", states.age)
