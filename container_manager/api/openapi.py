"""The OpenAPI 3.1 document, made from the Route list: what is not there is not served, and the other way round."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from container_manager import __version__
from container_manager.api import openapi_parts as parts
from container_manager.api.answers import encode
from container_manager.api.openapi_schemas import Schemas
from container_manager.api.route import Media, Route

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """The document, and its text as it is sent."""

    value: Json
    text: bytes


DOCUMENT = web.AppKey("openapi", Document)

_ABOUT = """\
Run programs in containers at an API call. Every route but `/livez` needs HTTP Basic credentials.

Every answer has `X-Request-ID`, the same that stands in error bodies and in the audit log. Errors have one
shape on the main surface and one below `/api/v1`. A path that exists answers other methods with 405 and
`Allow`, and GET routes answer HEAD too. Unknown fields and query parameters are refused, by name.
"""


def document(routes: Iterable[Route]) -> Document:
    """The document of `routes`."""
    routes = tuple(routes)
    schemas = Schemas(routes)
    paths: dict[str, Json] = {}
    names: set[str] = set()
    for route in routes:
        operation = _operation(route, schemas)
        operation["operationId"] = _unique(operation["operationId"], names)
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    value: Json = {
        "openapi": "3.1.0",
        "info": {"title": "container-manager", "version": __version__, "description": _ABOUT, "license": parts.LICENSE},
        "servers": [{"url": "/"}],
        "security": [{"basic": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(_tag(route) for route in routes)],
        "paths": paths,
        "components": {
            "securitySchemes": parts.SECURITY_SCHEMES,
            "headers": parts.HEADERS,
            "schemas": {**parts.ERROR_SCHEMAS, **schemas.components},
        },
    }
    return Document(value, encode(value))


def _operation(route: Route, schemas: Schemas) -> Json:
    operation: Json = {
        "operationId": ("v1_" if route.surface == "v1" else "") + route.handler.__name__,
        "tags": [_tag(route)],
        "summary": route.summary,
        "description": route.description or (route.handler.__doc__ or "").strip(),
        "responses": {**_successes(route, schemas), **parts.error_responses(route)},
    }
    parameters = [parts.path_parameter(name) for name in route.parameters] + schemas.query(route)
    parameters += [parts.header_parameter(header) for header in route.reads]
    if route.ticket and not any(parameter["name"] == "ticket" for parameter in parameters):
        parameters.append(parts.TICKET)
    if parameters:
        operation["parameters"] = parameters
    if (body := _body(route, schemas)) is not None:
        operation["requestBody"] = body
    if route.open:
        operation["security"] = []
    elif route.ticket:
        operation["security"] = [{"basic": []}, {"ticket": []}]
    return operation


def _tag(route: Route) -> str:
    return "api/v1" if route.surface == "v1" else route.tag or route.action.partition(".")[0]


def _unique(name: str, names: set[str]) -> str:
    number, result = 2, name
    while result in names:
        result, number = f"{name}_{number}", number + 1
    names.add(result)
    return result


def _body(route: Route, schemas: Schemas) -> Json | None:
    if route.consumes:
        content = {media: parts.raw_body(media) for media in route.consumes}
        return {"required": not route.body_optional, "content": content}
    if route.body is None:
        return None
    required = any(field.is_required() for field in route.body.model_fields.values())
    return {"required": required, "content": {"application/json": {"schema": schemas.body(route.body)}}}


def _successes(route: Route, schemas: Schemas) -> dict[str, Json]:
    content, about = _content(route, schemas)
    success: Json = {"description": about, "headers": {**parts.EVERY_HEADER, **_headers(route)}}
    if content:
        success["content"] = content
    answers = {str(route.status): success}
    for status, meaning in route.also.items():
        answers[str(status)] = {"description": meaning, "headers": parts.EVERY_HEADER}
        # A part of a file is a file again; not modified and no content have none.
        if content and status not in (204, 304):
            answers[str(status)]["content"] = content
    return answers


def _content(route: Route, schemas: Schemas) -> tuple[Json, str]:
    if route.websocket:
        return {}, "The protocol changes to a websocket"
    if isinstance(route.returns, Media):
        types: Sequence[str] = (route.returns.type, *route.returns.others)
        return {media: {"schema": parts.media_schema(media)} for media in types}, route.returns.about
    if route.returns is None:
        return {}, "Done"
    about = (route.returns.__doc__ or "Done").strip().partition("\n")[0]
    return {"application/json": {"schema": schemas.answer(route.returns, route.surface)}}, about


def _headers(route: Route) -> Json:
    return {name: {"description": about, "schema": {"type": "string"}} for name, about in route.headers.items()}
