"""Every route of both surfaces."""

from container_manager.api.containers import CONTAINER_ROUTES
from container_manager.api.route import Route
from container_manager.api.system import SYSTEM_ROUTES

ROUTES: list[Route] = [
    *CONTAINER_ROUTES,
    *SYSTEM_ROUTES,
]
