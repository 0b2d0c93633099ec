"""From the Route list to an aiohttp application: each route bound, behind the middlewares."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import hdrs, web
from pydantic import BaseModel

from container_manager.api.answers import json_response
from container_manager.api.auth import ATTEMPTS, CREDENTIALS, Attempts, Credentials
from container_manager.api.binding import bind
from container_manager.api.context import EXCHANGE, SERVICES, Services, services_of
from container_manager.api.middleware import MIDDLEWARES, ROUTES, before_headers
from container_manager.api.openapi import DOCUMENT, document
from container_manager.api.route import Media, Route
from container_manager.errors import MethodNotAllowed, RouteNotFound

_SHARE_OF_CHANGES = 0.3
"""Of STOP_TIMEOUT: how long running changes may take when the server ends. The rest is for what ends after them."""


def application(services: Services, routes: Iterable[Route]) -> web.Application:
    """One flat application that serves `routes` behind every middleware. Run it with `api.server.Runner`."""
    routes = tuple(routes)
    app = web.Application(middlewares=MIDDLEWARES)
    app[SERVICES] = services
    app[CREDENTIALS] = Credentials(services.settings)
    app[ATTEMPTS] = Attempts(services.settings.auth_attempts)
    app[DOCUMENT] = document(routes)
    app[ROUTES] = {}
    for route in routes:
        _add(app, route)
    # Last, so that no request falls to aiohttp's own answers for unknown paths and methods.
    app.router.add_route("*", "/{path:.*}", _unknown, expect_handler=_expect_nothing)
    app.on_response_prepare.append(before_headers)
    app.on_shutdown.append(_end_changes)
    return app


def _add(app: web.Application, route: Route) -> None:
    endpoint = _endpoint(route)
    methods = [route.method]
    streams = isinstance(route.returns, Media) and "text/event-stream" in (route.returns.type, *route.returns.others)
    if route.method == hdrs.METH_GET and not route.websocket and not streams:
        methods.append(hdrs.METH_HEAD)
    for method in methods:
        added = app.router.add_route(method, route.path, endpoint, expect_handler=_expect_nothing)
        app[ROUTES][added] = route


def _endpoint(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def endpoint(request: web.Request) -> web.StreamResponse:
        await _continue(request)
        arguments = await bind(route, request)
        if not route.runs_on:
            return _answer(await route.handler(request, **arguments), route)
        change = _run(route, request, arguments)
        task = services_of(request).mutations.start(change, name=route.action)
        request[EXCHANGE].task = task
        return await asyncio.shield(task)

    return endpoint


async def _run(route: Route, request: web.Request, arguments: dict[str, Any]) -> web.StreamResponse:
    services_of(request).arrived()
    return _answer(await route.handler(request, **arguments), route)


def _answer(result: BaseModel | web.StreamResponse | None, route: Route) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    if result is None:
        return web.Response(status=204)
    return json_response(result, status=route.status, surface=route.surface)


async def _expect_nothing(request: web.Request) -> None:
    """Nobody is told to go on sending before the credentials are checked: see `_continue`."""


async def _continue(request: web.Request) -> None:
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The answer has not begun by that.
        request.writer.output_size = 0


async def _unknown(request: web.Request) -> web.StreamResponse:
    """The path, or its method, is none of ours."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        _, methods = await resource.resolve(request)
        allowed |= methods
    allowed.discard("*")
    if allowed:
        names = sorted(allowed)
        raise MethodNotAllowed(
            f"{request.path[:200]} has no {request.method[:20]}: use {', '.join(names)}", allowed=names
        )
    raise RouteNotFound(f"There is no {request.path[:200]}; /docs shows what there is")


async def _end_changes(app: web.Application) -> None:
    services = app[SERVICES]
    await services.mutations.close(services.settings.stop_timeout * _SHARE_OF_CHANGES)
