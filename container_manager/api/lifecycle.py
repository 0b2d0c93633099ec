"""The steps of a container's life: start, stop, restart, pause, unpause."""

from aiohttp import web

from container_manager.api.answers import json_response
from container_manager.api.context import note, services_of
from container_manager.api.route import Route
from container_manager.api.schemas.container_views import StepView
from container_manager.api.views import status_view
from container_manager.errors import (
    BootMissing,
    ComposeError,
    ComposeFileBroken,
    ContainerNotFound,
    EngineTimeout,
    EngineUnavailable,
    ImageNotFound,
    InvalidTransition,
    LimitReached,
    PortInUse,
)
from container_manager.models import Cuid
from container_manager.services.lifecycle import Outcome

ENGINE_ERRORS = (ComposeError, EngineUnavailable, EngineTimeout)
CHANGE_ERRORS = (ContainerNotFound, ComposeFileBroken, LimitReached, *ENGINE_ERRORS)
START_ERRORS = (*CHANGE_ERRORS, BootMissing, ImageNotFound, PortInUse, InvalidTransition)


async def start(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Start."""
    return _step(request, cuid, await services_of(request).lifecycle.start(cuid))


async def stop(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Stop."""
    return _step(request, cuid, await services_of(request).lifecycle.stop(cuid))


async def restart(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Restart."""
    return _step(request, cuid, await services_of(request).lifecycle.restart(cuid))


async def pause(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Pause."""
    return _step(request, cuid, await services_of(request).lifecycle.pause(cuid))


async def unpause(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Unpause."""
    return _step(request, cuid, await services_of(request).lifecycle.unpause(cuid))


def _step(request: web.Request, cuid: Cuid, outcome: Outcome) -> web.Response:
    note(request, changed=outcome.changed)
    spec = services_of(request).registry.get(cuid)
    view = {**status_view(spec, outcome.state), "changed": outcome.changed}
    return json_response(view)


LIFECYCLE_ROUTES = [
    Route(
        "POST", "/containers/{cuid}/start", start, "container.start", "Start it", returns=StepView, errors=START_ERRORS
    ),
    Route("POST", "/containers/{cuid}/stop", stop, "container.stop", "Stop it", returns=StepView, errors=CHANGE_ERRORS),
    Route(
        "POST",
        "/containers/{cuid}/restart",
        restart,
        "container.restart",
        "Stop it and start it",
        returns=StepView,
        errors=START_ERRORS,
    ),
    Route(
        "POST",
        "/containers/{cuid}/pause",
        pause,
        "container.pause",
        "Freeze it",
        returns=StepView,
        errors=(*CHANGE_ERRORS, InvalidTransition),
    ),
    Route(
        "POST",
        "/containers/{cuid}/unpause",
        unpause,
        "container.unpause",
        "Let a frozen one go on",
        returns=StepView,
        errors=(*CHANGE_ERRORS, InvalidTransition),
    ),
]
