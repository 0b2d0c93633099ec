"""What the routes of a named container share."""

from aiohttp import web

from container_manager.api.context import note, services_of
from container_manager.errors import ComposeError, EngineTimeout, EngineUnavailable
from container_manager.models import Cuid

PATH = "/api/v1/containers/{name}"
ENGINE = (ComposeError, EngineUnavailable, EngineTimeout)


def cuid_of(request: web.Request, name: str) -> Cuid:
    """The cuid behind a name, for the audit line too. ContainerNotFound."""
    cuid = services_of(request).registry.by_name(name).cuid
    note(request, cuid=cuid, name=name)
    return cuid
