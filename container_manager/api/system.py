"""The service itself: is it alive, is it well, what does it offer."""

import time
from collections import Counter
from typing import Any

from aiohttp import web

from container_manager import __version__
from container_manager.api import metrics
from container_manager.api.answers import page_headers
from container_manager.api.context import Services, services_of
from container_manager.api.docs_page import page
from container_manager.api.openapi import DOCUMENT
from container_manager.api.route import Media, Route
from container_manager.api.schemas.system import Alive, EngineView, Health
from container_manager.api.views import status_of
from container_manager.errors import EngineUnavailable

_STARTED = time.monotonic()


async def livez(request: web.Request) -> Alive:
    """Answers while the loop turns; touches nothing."""
    return Alive()


async def healthz(request: web.Request) -> Health:
    """Raises EngineUnavailable, with all the rest in its details."""
    services = services_of(request)
    facts = _facts(services)
    try:
        engine = await services.engine.info()
    except EngineUnavailable as error:
        raise EngineUnavailable(error.message, **{**facts, **error.details}) from error
    audit = services.audit.failing
    return Health(
        status="healthy" if audit is None else "degraded",
        compose_version=engine.compose_version,
        engine=EngineView(name=engine.name, version=engine.version),
        **facts,
    )


def _facts(services: Services) -> dict[str, Any]:
    states = services.engine.states
    # Of this server's own containers: another server may use the same engine.
    statuses = Counter(status_of(states.get(spec.cuid)) for spec in services.registry.after())
    return {
        "version": __version__,
        "containers": {"running": 0, **statuses},
        "uptime_seconds": round(time.monotonic() - _STARTED, 3),
        "states_age_seconds": round(states.age, 3),
        "audit": services.audit.failing,
    }


async def prometheus(request: web.Request) -> web.Response:
    """Everything that is counted."""
    return web.Response(body=await services_of(request).metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE})


async def openapi_json(request: web.Request) -> web.Response:
    """The document that is made once, when the application is."""
    return web.Response(body=request.app[DOCUMENT].text, content_type="application/json", headers=page_headers())


async def docs(request: web.Request) -> web.Response:
    """The same document for people: one page without scripts."""
    return web.Response(
        text=page(request.app[DOCUMENT].value), content_type="text/html", charset="utf-8", headers=page_headers()
    )


SYSTEM_ROUTES = [
    Route("GET", "/livez", livez, "system.alive", "Is the process alive?", returns=Alive, open=True),
    Route(
        "GET",
        "/healthz",
        healthz,
        "system.health",
        "Is the service well, and what does it stand on?",
        returns=Health,
        errors=(EngineUnavailable,),
        description="503 when the engine does not answer; `details` then holds what is known all the same.",
    ),
    Route(
        "GET",
        "/metrics",
        prometheus,
        "system.metrics",
        "Metrics for Prometheus",
        returns=Media("text/plain", "Prometheus text format"),
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi_json,
        "system.openapi",
        "This document",
        returns=Media("application/json", "An OpenAPI 3.1 document"),
    ),
    Route("GET", "/docs", docs, "system.docs", "This document as a page", returns=Media("text/html", "A web page")),
]
