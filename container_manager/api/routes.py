"""Every route of both surfaces."""

from container_manager.api.containers import CONTAINER_ROUTES
from container_manager.api.events import EVENT_ROUTES
from container_manager.api.files import FILE_ROUTES
from container_manager.api.inside import INSIDE_ROUTES
from container_manager.api.lifecycle import LIFECYCLE_ROUTES
from container_manager.api.route import Route
from container_manager.api.system import SYSTEM_ROUTES
from container_manager.api.terminals import TERMINAL_ROUTES
from container_manager.api.usage import USAGE_ROUTES
from container_manager.api.v1 import V1_ROUTES
from container_manager.api.web import WEB_ROUTES

ROUTES: list[Route] = [
    *CONTAINER_ROUTES,
    *LIFECYCLE_ROUTES,
    *INSIDE_ROUTES,
    *FILE_ROUTES,
    *TERMINAL_ROUTES,
    *EVENT_ROUTES,
    *USAGE_ROUTES,
    *SYSTEM_ROUTES,
    *WEB_ROUTES,
    *V1_ROUTES,
]
