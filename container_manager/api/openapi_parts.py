"""The parts of the OpenAPI document that no schema of ours describes: errors, headers, credentials."""

from typing import Any

from container_manager.api.errors import CHALLENGE, status_of, v1_type
from container_manager.api.route import RequestHeader, Route
from container_manager.errors import (
    AppError,
    ContainerNotFound,
    EngineTimeout,
    InternalError,
    NotFound,
    OriginRefused,
    TooLarge,
    TooManyAttempts,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationError,
)

Json = dict[str, Any]

LICENSE = {"name": "MIT", "identifier": "MIT"}
SECURITY_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "APP_USER and APP_PASS"},
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "For browsers, which cannot send credentials with a websocket: single use, seconds to live",
    },
}
HEADERS = {
    "RequestId": {
        "description": "The request's id: the client's own X-Request-ID when that is a UUID",
        "schema": {"type": "string", "format": "uuid"},
    }
}
EVERY_HEADER: Json = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
_ERROR_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string", "const": CHALLENGE}}},
    429: {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}},
}

_TIMESTAMP = {"type": "string", "format": "date-time"}
_REQUEST_ID = "123e4567-e89b-42d3-a456-426614174000"
_MOMENT = "2026-01-20T15:30:00.000+00:00"
_KINDS: list[type[AppError]] = [AppError, *AppError.__subclasses__()]
FAMILIES = sorted({kind.family for kind in _KINDS})
ERROR_SCHEMAS: Json = {
    "Error": {
        "title": "Error",
        "description": "Every error of the main surface",
        "type": "object",
        "required": ["error", "code", "message", "status", "request_id", "timestamp", "details"],
        "properties": {
            "error": {
                "description": "The family",
                "enum": FAMILIES,
            },
            "code": {"description": "The exact case", "type": "string", "examples": ["CONTAINER_NOT_FOUND"]},
            "message": {"description": "For people", "type": "string"},
            "status": {"type": "integer"},
            "request_id": {"type": "string", "format": "uuid"},
            "timestamp": _TIMESTAMP,
            "details": {
                "description": "What is known of the case. For a validation_error: `field`, `provided` and `errors`",
                "type": "object",
                "properties": {"errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}}},
            },
            "stacktrace": {"description": "Only with APP_ENV=development", "type": "string"},
        },
    },
    "Fault": {
        "title": "Fault",
        "description": "One fault of a request; `provided` is null for what may be a secret",
        "type": "object",
        "required": ["field", "code", "message", "provided"],
        "properties": {
            "field": {"type": ["string", "null"], "examples": ["ports.0.host"]},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "provided": {},
        },
    },
    "ErrorV1": {
        "title": "ErrorV1",
        "description": "Every error below /api/v1",
        "type": "object",
        "required": ["success", "error", "timestamp"],
        "properties": {
            "success": {"const": False},
            "error": {
                "type": "object",
                "required": ["message", "code", "type"],
                "properties": {
                    "message": {"type": "string"},
                    "code": {"description": "The HTTP status", "type": "integer"},
                    "type": {"enum": ["PodmanAPIError", "InternalError", "ValidationError"]},
                },
            },
            "timestamp": _TIMESTAMP,
        },
    },
    "Success": {
        "title": "Success",
        "description": "What every success below /api/v1 has",
        "type": "object",
        "required": ["success", "timestamp"],
        "properties": {"success": {"const": True}, "timestamp": _TIMESTAMP},
    },
}

_PARAMETERS: dict[str, Json] = {
    "cuid": {
        "description": "The container's id",
        "schema": {
            "type": "string",
            "pattern": "^c[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "examples": ["c123e4567-e89b-42d3-a456-426614174000"],
        },
    },
    "name": {"description": "The container's name", "schema": {"type": "string", "examples": ["my-container"]}},
    "sid": {"description": "The terminal session's id", "schema": {"type": "string"}},
}
TICKET: Json = {
    "name": "ticket",
    "in": "query",
    "required": False,
    "description": "Stands in for credentials",
    "schema": {"type": "string"},
}


def path_parameter(name: str) -> Json:
    """A parameter of the path."""
    known = _PARAMETERS.get(name, {"schema": {"type": "string"}})
    return {"name": name, "in": "path", "required": True, **known}


def header_parameter(header: RequestHeader) -> Json:
    """A header of the request."""
    schema = {"type": "string"} | ({"pattern": header.pattern} if header.pattern else {})
    about = {"description": header.about, "required": header.required}
    return {"name": header.name, "in": "header", **about, "schema": schema}


def media_schema(media: str) -> Json:
    """The schema of an answer that is not JSON of ours: text, or bytes that have none."""
    if media == "application/json":
        return {"type": "object"}
    if media == "text/event-stream":
        # Of one event, as readers of such streams take it.
        fields = {name: {"type": "string"} for name in ("event", "data", "id")}
        return {"type": "object", "required": ["data"], "properties": fields}
    return {"type": "string"} if media.startswith("text/") else {}


def raw_body(media: str) -> Json:
    """A body that is read as it is, or from the field `file` of a form."""
    if media == "multipart/form-data":
        form = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
        return {"schema": form}
    return {"schema": {}}


def errors_of(route: Route) -> list[type[AppError]]:
    """Every error of a route: those that it names and those that its kind may have."""
    kinds: list[type[AppError]] = [ValidationError, UnsupportedMediaType, InternalError, *route.errors]
    if not route.open:
        kinds += [Unauthenticated, TooManyAttempts]
    if route.changes or route.websocket:
        kinds += [OriginRefused]
    if route.changes:
        kinds += [TooLarge, EngineTimeout]
    if "cuid" in route.parameters or (route.surface == "v1" and "name" in route.parameters):
        kinds += [ContainerNotFound]
    elif route.parameters:
        kinds += [NotFound]
    return sorted(set(kinds), key=lambda kind: (status_of(kind), kind.code))


def error_responses(route: Route) -> dict[str, Json]:
    """The answers for `errors_of(route)`, by status."""
    responses: dict[str, Json] = {}
    for kind in errors_of(route):
        status = status_of(kind)
        response = responses.setdefault(
            str(status), {"description": "", "headers": EVERY_HEADER | _ERROR_HEADERS.get(status, {})}
        )
        about = f"`{kind.code}`: {(kind.__doc__ or '').strip().partition(chr(10))[0]}"
        response["description"] = f"{response['description']}\n\n{about}".strip()
        schema = "ErrorV1" if route.surface == "v1" else "Error"
        content = response.setdefault("content", {"application/json": {"schema": _reference(schema), "examples": {}}})
        content["application/json"]["examples"][kind.code] = {"value": _example(kind, route)}
    return responses


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _example(kind: type[AppError], route: Route) -> Json:
    message = (kind.__doc__ or "").strip().partition("\n")[0]
    if route.surface == "v1":
        error = {"message": message, "code": status_of(kind), "type": v1_type(kind)}
        return {"success": False, "error": error, "timestamp": _MOMENT}
    return {
        "error": kind.family,
        "code": kind.code,
        "message": message,
        "status": status_of(kind),
        "request_id": _REQUEST_ID,
        "timestamp": _MOMENT,
        "details": {},
    }
