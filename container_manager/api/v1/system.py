"""/api/v1/health and /api/v1/metrics."""

import threading
import time
from datetime import timedelta

from aiohttp import web

from container_manager.api.context import services_of
from container_manager.api.route import Route
from container_manager.api.schemas.v1 import HealthView, MetricsView
from container_manager.errors import EngineUnavailable

_STARTED = time.monotonic()


async def health(request: web.Request) -> HealthView:
    """Is the engine there?"""
    await services_of(request).engine.info()
    return HealthView()


async def metrics(request: web.Request) -> MetricsView:
    """Figures of the server's process."""
    uptime = int(time.monotonic() - _STARTED)
    return MetricsView(
        uptime_seconds=uptime,
        uptime_human=str(timedelta(seconds=uptime)),
        active_threads=threading.active_count(),
        max_workers=services_of(request).settings.max_workers,
    )


ROUTES = [
    Route(
        "GET",
        "/api/v1/health",
        health,
        "system.health",
        "Is the engine connected?",
        returns=HealthView,
        errors=(EngineUnavailable,),
        description="`podman` is `connected` whichever engine it is.",
        surface="v1",
    ),
    Route(
        "GET",
        "/api/v1/metrics",
        metrics,
        "system.metrics",
        "Figures of the service",
        returns=MetricsView,
        surface="v1",
    ),
]
