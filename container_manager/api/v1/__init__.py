"""/api/v1: named containers, in an envelope of their own; the same containers and services underneath."""

from container_manager.api.route import Route
from container_manager.api.v1.containers import ROUTES as _CONTAINERS
from container_manager.api.v1.inside import ROUTES as _INSIDE
from container_manager.api.v1.system import ROUTES as _SYSTEM

V1_ROUTES: list[Route] = [*_CONTAINERS, *_INSIDE, *_SYSTEM]
