"""What every request passes, in order: id, audit line, errors, credentials, origin; then its handler."""

from typing import Any

from aiohttp import web

from container_manager.api.answers import secure
from container_manager.api.audited import audited
from container_manager.api.auth import authenticated
from container_manager.api.context import EXCHANGE
from container_manager.api.errors import errors_told
from container_manager.api.origin import same_origin
from container_manager.api.request_id import identified
from container_manager.api.route import Route

ROUTES = web.AppKey("routes", dict[web.AbstractRoute, Route])


@web.middleware
async def routed(request: web.Request, handler: Any) -> web.StreamResponse:
    """Tell the others which Route this is; None when no route has the path."""
    request[EXCHANGE].route = request.app[ROUTES].get(request.match_info.route)
    response: web.StreamResponse = await handler(request)
    return response


MIDDLEWARES = (identified, routed, audited, errors_told, authenticated, same_origin)


async def before_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer's own headers, streams and websockets included."""
    exchange = request.get(EXCHANGE)
    if exchange is not None:
        exchange.answer = response
        secure(response.headers, exchange.request_id)
