"""One audit line for every request, whatever became of it."""

import asyncio
import time
from typing import Any

from aiohttp import web

from container_manager.api.context import EXCHANGE, SERVICES, Exchange
from container_manager.api.errors import CLIENT_CLOSED_REQUEST, ClientLeft, as_app_error, report, status_of
from container_manager.audit import Audit, line
from container_manager.errors import AppError, OriginRefused, TooManyAttempts, Unauthenticated

UNKNOWN = "request.unknown"


def action_of(exchange: Exchange) -> str:
    """The request's name in the log: that of its route, unless it was refused before it got there."""
    match exchange.error:
        case Unauthenticated() | TooManyAttempts():
            return "auth.refused"
        case OriginRefused():
            return "origin.refused"
    return UNKNOWN if exchange.route is None else exchange.route.action


@web.middleware
async def audited(request: web.Request, handler: Any) -> web.StreamResponse:
    """Write the line when the answer is known, or once the change is over that a client did not wait for."""
    exchange = request[EXCHANGE]
    try:
        response: web.StreamResponse = await handler(request)
    except asyncio.CancelledError:
        _record_left(request, exchange)
        raise
    _record(request, exchange, response.status)
    return response


def _record_left(request: web.Request, exchange: Exchange) -> None:
    exchange.details["client_left"] = True
    if exchange.task is not None:
        exchange.task.add_done_callback(lambda task: _record_late(request, exchange, task))
    elif exchange.answer is not None:
        # Leaving is how a stream or a websocket usually ends.
        _record(request, exchange, exchange.answer.status)
    else:
        exchange.error = ClientLeft("The client left before the answer")
        _record(request, exchange, CLIENT_CLOSED_REQUEST)


def _record_late(request: web.Request, exchange: Exchange, task: asyncio.Task[web.StreamResponse]) -> None:
    """The outcome of a change whose client had left."""
    failure = asyncio.CancelledError() if task.cancelled() else task.exception()
    if failure is None:
        _record(request, exchange, task.result().status)
        return
    if task.cancelled():
        exchange.error = ClientLeft("The server ended first", code="SERVER_ENDED")
    else:
        exchange.error = as_app_error(failure)
        report(failure, exchange.error, exchange.request_id)
    _record(request, exchange, status_of(exchange.error))


def _record(request: web.Request, exchange: Exchange, status: int) -> None:
    services = request.app[SERVICES]
    seconds = time.monotonic() - exchange.started
    template = exchange.route.template if exchange.route else "unknown"
    if exchange.cuid is not None and exchange.error is None:
        services.used(exchange.cuid)
    services.metrics.answered(request.method, template, status, seconds)
    write(
        services.audit,
        exchange,
        action=action_of(exchange),
        method=request.method,
        path=request.path,
        status=status,
        seconds=seconds,
    )


def write(
    audit: Audit,
    exchange: Exchange,
    *,
    action: str,
    method: str | None,
    path: str | None,
    status: int,
    seconds: float,
) -> None:
    """Write the line of one exchange. Never the query: it may hold a ticket."""
    audit.record(
        line(
            action=action,
            actor=exchange.actor,
            request_id=exchange.request_id,
            method=method,
            path=path[:1000] if path else path,
            cuid=exchange.cuid,
            status=status,
            seconds=seconds,
            error=told(exchange.error),
            details=exchange.details,
        )
    )


def told(error: AppError | None) -> dict[str, str] | None:
    """An error as the audit log holds it."""
    if error is None:
        return None
    return {"error": error.family, "code": error.code, "message": error.message[:500]}
