"""Which page asks: changes and websockets are refused to the pages of other sites."""

from typing import Any
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from container_manager.api.context import EXCHANGE, SERVICES
from container_manager.api.route import READS
from container_manager.errors import OriginRefused

_PORTS = {"http": 80, "https": 443}


def allowed(origins: list[str], host: str | None, others: tuple[str, ...]) -> bool:
    """Whether a request with these Origin headers, sent to `host`, may change something.

    The scheme does not matter: behind a TLS proxy the page is https and this server http.
    """
    if not origins:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0].lower()
    if origin.rstrip("/") in others:
        return True
    page = _split(origin)
    if page is None or page.scheme not in _PORTS or not host:
        return False
    here = _split(f"{page.scheme}://{host.lower()}")
    return here is not None and _address(page) == _address(here)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        return parts if parts.hostname and (parts.port is None or parts.port > 0) and not parts.path else None
    except ValueError:
        return None


def _address(parts: SplitResult) -> tuple[str | None, int]:
    return parts.hostname, parts.port or _PORTS[parts.scheme]


@web.middleware
async def same_origin(request: web.Request, handler: Any) -> web.StreamResponse:
    """Refuse a change or a websocket that a foreign page asks for."""
    route = request[EXCHANGE].route
    handshake = "websocket" in request.headers.get("Upgrade", "").lower() or (route is not None and route.websocket)
    if handshake or request.method not in READS:
        others = request.app[SERVICES].settings.allowed_origins
        if not allowed(request.headers.getall("Origin", []), request.headers.get("Host"), others):
            raise OriginRefused(
                "A page of another site asked for this; allow it with ALLOWED_ORIGINS if it is yours",
                origin=request.headers["Origin"][:200],
            )
    response: web.StreamResponse = await handler(request)
    return response
