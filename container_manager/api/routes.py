"""Every route of both surfaces."""

from aiohttp import web

from container_manager.api import application
from container_manager.api.route import Route
from container_manager.api.system import SYSTEM_ROUTES
from container_manager.settings import Settings

ROUTES: list[Route] = [
    *SYSTEM_ROUTES,
]


def register(app: web.Application, settings: Settings) -> None:
    """Let `app` serve every route."""
    application.register(app, settings, ROUTES)
