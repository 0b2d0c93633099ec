"""Answers in JSON, and the headers that every answer carries."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from container_manager.api.route import Surface

JSON_TYPE = "application/json"

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the web pages: everything from here, nothing inline."""

_HEADERS = {
    "Server": "container-manager",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": API_POLICY,
    "Cache-Control": "no-store",
}


def now() -> str:
    """This moment in ISO 8601, with its offset."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def encode(value: Any) -> bytes:
    """`value` as JSON in UTF-8. Never fails for text, lone surrogates included."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson refuses integers over 64 bits and text that is no UTF-8; json writes both, escaped.
        return json.dumps(value, default=str).encode("ascii")


def json_response(
    value: BaseModel | Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    surface: Surface = "main",
) -> web.Response:
    """`value` as a JSON answer, in the envelope of `surface`."""
    if surface == "v1":
        fields = value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value)
        body = encode({"success": True, **fields, "timestamp": now()})
    elif isinstance(value, BaseModel):
        body = _encoded(value)
    else:
        body = encode(value)
    return web.Response(body=body, status=status, headers=headers, content_type=JSON_TYPE, charset="utf-8")


def _encoded(value: BaseModel) -> bytes:
    try:
        return value.model_dump_json().encode()
    except PydanticSerializationError:
        # Names of files may be no UTF-8 at all.
        return encode(value.model_dump(mode="json"))


def page_headers(policy: str = PAGE_POLICY, cache: str = "no-cache") -> dict[str, str]:
    """Headers of a web page or of its parts; pass them to the response, they win over the API's."""
    return {"Content-Security-Policy": policy, "Cache-Control": cache}


def secure(headers: Any, request_id: str) -> None:
    """Add to response `headers` what every answer carries; what a handler has set stays."""
    headers["X-Request-ID"] = request_id
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
