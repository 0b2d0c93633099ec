"""The one place that knows which error is which HTTP status, and how each surface writes an error."""

import errno
import logging
import traceback
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from container_manager import errors as app
from container_manager.api.answers import json_response, now
from container_manager.api.context import EXCHANGE, SERVICES
from container_manager.api.route import Surface, surface_of

log = logging.getLogger(__name__)

STATUS: Mapping[type[app.AppError], int] = {
    app.AppError: 500,
    app.AuthError: 403,
    app.Unauthenticated: 401,
    app.TooManyAttempts: 429,
    app.ValidationError: 400,
    app.MethodNotAllowed: 405,
    app.TooLarge: 413,
    app.UnsupportedMediaType: 415,
    app.RangeNotSatisfiable: 416,
    app.NotFound: 404,
    app.Conflict: 409,
    app.ComposeError: 500,
    app.EngineUnavailable: 503,
    app.IoError: 500,
    app.NoSpace: 507,
    app.EngineTimeout: 408,
    app.StateError: 422,
}
"""The nearest class in an error's MRO decides."""

CLIENT_CLOSED_REQUEST = 499
"""Never sent: stands in the audit log for a request whose client left before the answer."""

CHALLENGE = 'Basic realm="container-manager", charset="UTF-8"'
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ClientLeft(app.AppError):
    """The client closed the connection before it had its answer."""

    code = "CLIENT_LEFT"


def status_of(error: type[app.AppError] | app.AppError) -> int:
    """The HTTP status of an error or of its class."""
    kind = error if isinstance(error, type) else type(error)
    if issubclass(kind, ClientLeft):
        return CLIENT_CLOSED_REQUEST
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def as_app_error(error: BaseException) -> app.AppError:
    """What a client is told of any exception: the unforeseen becomes an InternalError."""
    match error:
        case app.AppError():
            return error
        case web.HTTPException():
            return _of_http(error)
        case HttpProcessingError() | web.RequestPayloadError():
            return app.ValidationError("The request's body is not well-formed HTTP", code="BAD_REQUEST")
        case TimeoutError():
            return app.EngineTimeout("It took too long")
        case ConnectionError():
            return ClientLeft("The client left before the answer")
        case OSError(errno=number) if number in _FULL:
            return app.NoSpace("The disk is full")
        case OSError():
            return app.IoError(f"The disk refused: {error.strerror or type(error).__name__}")
    return app.InternalError("Something went wrong in the server; its log tells more under this request_id")


def _of_http(error: web.HTTPException) -> app.AppError:
    match error.status:
        case 404:
            return app.RouteNotFound("There is no such path")
        case 405:
            allowed = sorted(getattr(error, "allowed_methods", ()))
            return app.MethodNotAllowed("This path does not have that method", allowed=allowed)
        case 413:
            return app.TooLarge("The body is larger than this route takes")
        case 415:
            return app.UnsupportedMediaType("The body has a content type that this route does not take")
        case status if 400 <= status < 500:
            # aiohttp's texts are of the request alone ("No WebSocket UPGRADE hdr …").
            return app.ValidationError(error.text or error.reason, code="BAD_REQUEST")
    return app.InternalError("Something went wrong in the server; its log tells more under this request_id")


def headers_of(error: app.AppError) -> dict[str, str]:
    """Headers that belong to an error's answer."""
    match error:
        case app.Unauthenticated():
            return {"WWW-Authenticate": CHALLENGE}
        case app.TooManyAttempts():
            return {"Retry-After": str(error.details.get("retry_after", 60))}
        case app.RangeNotSatisfiable():
            return {"Content-Range": f"bytes */{error.details.get('size', 0)}"}
        case app.MethodNotAllowed():
            return {"Allow": ", ".join(error.details.get("allowed", ()))}
    return {}


def body_of(error: app.AppError, surface: Surface, request_id: str, stacktrace: str | None = None) -> dict[str, Any]:
    """An error as `surface` writes it."""
    if surface == "v1":
        return {
            "success": False,
            "error": {"message": _all_messages(error), "code": status_of(error), "type": v1_type(type(error))},
            "timestamp": now(),
        }
    body = main_body(error, request_id)
    if stacktrace is not None:
        body["stacktrace"] = stacktrace
    return body


def main_body(error: app.AppError, request_id: str) -> dict[str, Any]:
    """The error object of the main surface; websocket frames carry it too."""
    return {
        "error": error.family,
        "code": error.code,
        "message": error.message,
        "status": status_of(error),
        "request_id": request_id,
        "timestamp": now(),
        "details": error.details,
    }


def v1_type(kind: type[app.AppError]) -> str:
    """The `type` that /api/v1 gives a class of errors."""
    if issubclass(kind, app.ValidationError):
        return "ValidationError"
    return "InternalError" if issubclass(kind, app.InternalError) else "PodmanAPIError"


def _all_messages(error: app.AppError) -> str:
    """/api/v1 has no details, so that its message tells every fault and its field."""
    faults = error.details.get("errors")
    return "; ".join(map(_with_field, faults)) if faults else error.message


def _with_field(fault: Mapping[str, Any]) -> str:
    field, message = fault.get("field"), str(fault["message"])
    return message if field is None or field.lower() in message.lower() else f"{field}: {message}"


def error_response(
    error: app.AppError, surface: Surface, request_id: str, stacktrace: str | None = None
) -> web.Response:
    """The whole answer for `error`."""
    body = body_of(error, surface, request_id, stacktrace)
    return json_response(body, status=status_of(error), headers=headers_of(error))


def report(error: BaseException, told: app.AppError, request_id: str) -> None:
    """Log what is the server's own fault, with its traceback."""
    clients = app.AppError | ConnectionError | web.HTTPException | HttpProcessingError | web.RequestPayloadError
    if isinstance(told, app.InternalError) or not isinstance(error, clients):
        log.error("request %s failed", request_id, exc_info=error)


@web.middleware
async def errors_told(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turn every exception of a request into its answer."""
    exchange = request[EXCHANGE]
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except web.HTTPException as error:
        if error.status < 400:
            return error
        failure: Exception = error
    except Exception as error:
        failure = error
    told = as_app_error(failure)
    exchange.error = told
    report(failure, told, exchange.request_id)
    if isinstance(told, ClientLeft):
        exchange.details["client_left"] = True
        if exchange.answer is not None:
            # Leaving is how a stream usually ends.
            exchange.error = None
    if exchange.answer is not None:
        # The head is out: cutting the connection is the only way left to say that the rest is missing.
        if request.transport is not None:
            request.transport.abort()
        return exchange.answer
    stacktrace = None
    if request.app[SERVICES].settings.app_env == "development":
        stacktrace = "".join(traceback.format_exception(failure))
    return error_response(told, surface_of(request.path), exchange.request_id, stacktrace)
