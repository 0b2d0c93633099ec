"""The state of things as metrics: read when Prometheus asks, kept nowhere."""

import asyncio
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from typing import get_args

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from container_manager.api.context import Services
from container_manager.api.metrics import PREFIX
from container_manager.api.views import status_of
from container_manager.models import Status


class StateMetrics(Collector):
    """Engine, queue, containers, terminals at the moment of the question."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked for when it is registered, which is before there is anything to read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every sample."""
        services = self._services
        engine, terminals = services.engine, services.terminals
        yield from self._containers()
        yield _gauge("engine_up", "1 while the engine is followed", float(engine.available))
        yield _gauge("engine_running", "Engine operations that run now", engine.turns.running)
        yield _gauge("engine_waiting", "Engine operations that wait for a turn", engine.turns.waiting)
        yield _gauge("states_age_seconds", "Seconds since the states were known true", engine.states.age)
        yield _gauge("event_lag_seconds", "How late the engine's newest event was read", engine.event_lag)
        yield _gauge("changes_running", "Requests that change something and are not done", services.mutations.count)
        yield _gauge("tasks", "Tasks of the event loop", len(asyncio.all_tasks()))
        yield _gauge("terminal_sessions", "Live terminal sessions", len(terminals))
        yield _gauge("terminal_viewers", "Connections to terminal sessions", terminals.viewers)
        yield _gauge(
            "audit_failing", "1 while logs/actions.jsonl cannot be written", float(bool(services.audit.failing))
        )
        family = CounterMetricFamily(
            f"{PREFIX}_terminal_bytes", "Bytes typed into terminals (in) and shown by them (out)", labels=("direction",)
        )
        family.add_metric(("in",), terminals.typed)
        family.add_metric(("out",), terminals.shown)
        yield family

    def _containers(self) -> Iterator[Metric]:
        specs, states = self._services.registry.after(), self._services.engine.states
        numbers: Tally[str] = Tally(dict.fromkeys(get_args(Status), 0))
        broken = 0
        for spec in specs:
            numbers[status_of(states.get(spec.cuid))] += 1
            broken += spec.broken is not None
        family = GaugeMetricFamily(f"{PREFIX}_containers", "This server's containers by status", labels=("status",))
        for status, number in numbers.items():
            family.add_metric((status,), number)
        yield family
        yield _gauge("broken_files", "Containers whose Compose file cannot be used", broken)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", what, value)
