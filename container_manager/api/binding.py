"""From a request to what its handler takes. Total: whatever comes, it is values or a ValidationError."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from container_manager.api import strict_json
from container_manager.api.answers import JSON_TYPE
from container_manager.api.context import EXCHANGE
from container_manager.api.faults import Fault, fault, faults_of
from container_manager.api.route import Route
from container_manager.api.schemas.base import Body, Query
from container_manager.errors import (
    ContainerNotFound,
    EngineTimeout,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    ValidationError,
)
from container_manager.models import parse_cuid

MAX_BODY = 4 << 20
"""Bytes of a JSON body; archives and files are streams with limits of their own."""
MAX_PARAMETERS = 100
PATIENCE = 60.0
"""Seconds that a JSON body may take to arrive."""


class _Nothing(Body):
    """The body of a route that takes none."""


class _NoQuery(Query):
    """The query of a route that takes none."""


async def bind(route: Route, request: web.Request) -> dict[str, Any]:
    """The keyword arguments of the route's handler. Raises ValidationError with every fault, or NotFound."""
    _refuse_encoded(request)
    if route.consumes and request.can_read_body:
        _check_type(request, route.consumes)
    values = path_values(route, request)
    faults: list[Fault] = []
    query = read_query(request.rel_url.raw_query_string, route, faults)
    body = None
    # Most requests are reads without a body: nothing is made of nothing.
    if not route.consumes and not route.websocket and (route.body is not None or request.can_read_body):
        body = await _body(request, route.body or _Nothing, faults)
    if faults:
        raise ValidationError.of(faults)
    if route.query is not None:
        values["query"] = query
    if route.body is not None:
        values["body"] = body
    return values


def path_values(route: Route, request: web.Request) -> dict[str, Any]:
    """The path's parameters; `cuid` is a Cuid."""
    values: dict[str, Any] = {}
    for name in route.parameters:
        text = request.match_info[name]
        if name == "cuid":
            cuid = parse_cuid(text)
            if cuid is None:
                raise ContainerNotFound(text[:200])
            request[EXCHANGE].cuid = cuid
            values[name] = cuid
        elif "\0" in text or not strict_json.is_unicode(text):
            raise NotFound(f"No such {name}")
        else:
            values[name] = text
    return values


def _refuse_encoded(request: web.Request) -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(
            "Content-Encoding is not taken: send the body as it is", field="Content-Encoding", provided=encoding[:200]
        )


def _check_type(request: web.Request, takes: tuple[str, ...]) -> None:
    given = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if given not in takes and "*/*" not in takes:
        raise UnsupportedMediaType(
            f"The body needs Content-Type: {' or '.join(takes)}",
            field="Content-Type",
            provided=given[:200] or None,
            allowed=list(takes),
        )


async def read_bounded(request: web.Request, limit: int = MAX_BODY) -> bytes:
    """The whole body. Raises TooLarge as soon as it is over `limit` bytes, EngineTimeout when it does not come."""
    too_large = TooLarge(f"The body is larger than {limit} bytes", limit=limit)
    if (request.content_length or 0) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        raise EngineTimeout(f"The body took more than {PATIENCE:g} s to arrive", seconds=PATIENCE) from None
    return b"".join(chunks)


async def _body(request: web.Request, model: type[BaseModel], faults: list[Fault]) -> BaseModel | None:
    raw = await read_bounded(request)
    if raw:
        _check_type(request, (JSON_TYPE,))
    charset = _charset(request)
    if charset not in ("utf-8", "utf8", "us-ascii"):
        faults.append(fault(("Content-Type",), "BAD_CHARSET", "JSON is UTF-8: no other charset is taken", charset))
        return None
    return parse_body(raw, model, faults)


def _charset(request: web.Request) -> str:
    try:
        return (request.charset or "utf-8").lower()
    except LookupError:
        return "unknown"


def parse_body(raw: bytes, model: type[BaseModel], faults: list[Fault]) -> BaseModel | None:
    """A JSON body as `model`; an empty one is `{}`. None when something was added to `faults`."""
    raw = raw.strip() or b"{}"
    try:
        data = strict_json.parse(raw)
    except strict_json.BadJson as error:
        faults.append(fault((), error.code, str(error)))
        return None
    if not isinstance(data, dict):
        faults.append(fault((), "BAD_JSON", "The body must be a JSON object"))
        return None
    may_hold_nul = model.may_hold_nul if issubclass(model, Body) else frozenset()
    for path in strict_json.nul_paths({name: part for name, part in data.items() if name not in may_hold_nul}):
        faults.append(fault(path, "BAD_TEXT", f"{path[0] if path else 'A name'} holds a NUL character"))
    try:
        value = model.model_validate_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except PydanticError as error:
        known = {one["field"] for one in faults}
        faults.extend(one for one in faults_of(error, data, model) if one["field"] not in known)
        return None
    return value


def read_query(raw: str, route: Route, faults: list[Fault]) -> BaseModel | None:
    """The query string as the route's model; parameters that it does not name are faults."""
    if not raw and route.query is None:
        return None
    model = route.query or _NoQuery
    try:
        # Bytes as they came: percent-encoded UTF-8, nothing replaced.
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        faults.append(fault((), "BAD_QUERY", f"The query is not UTF-8, or has over {MAX_PARAMETERS} parameters"))
        return None
    if route.ticket:
        pairs = [(name, text) for name, text in pairs if name != "ticket"]
    values = MultiDict(pairs)
    before = len(faults)
    for name in dict.fromkeys(values):
        if len(values.getall(name)) > 1:
            faults.append(fault((name,), "DUPLICATE_FIELD", f"{strict_json.shown(name)} stands twice in the query"))
        elif "\0" in values[name] or "\0" in name or not strict_json.is_unicode(name + values[name]):
            faults.append(fault((name,), "BAD_TEXT", f"{strict_json.shown(name)} holds a character that is not taken"))
    if len(faults) > before:
        return None
    data = dict(values)
    try:
        return model.model_validate(data)
    except PydanticError as error:
        faults.extend(faults_of(error, data, model))
        return None
