"""The OpenAPI document is valid and tells of every route what it may answer."""

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from container_manager.api.docs_page import page
from container_manager.api.errors import status_of
from container_manager.api.openapi import document
from container_manager.api.openapi_parts import errors_of
from container_manager.api.route import Media, Route
from container_manager.api.routes import ROUTES

DOCUMENT = document(ROUTES).value
IDS = [f"{route.method} {route.template}" for route in ROUTES]


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.template][route.method.lower()]
    return found


def test_it_is_valid() -> None:
    validate(DOCUMENT)


def test_each_route_stands_once() -> None:
    assert len(IDS) == len(set(IDS))
    assert sum(len(operations) for operations in DOCUMENT["paths"].values()) == len(ROUTES)
    names = [one["operationId"] for operations in DOCUMENT["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_each_route_is_complete(route: Route) -> None:
    told = operation(route)
    assert told["summary"]
    assert told["description"]
    assert str(route.status) in told["responses"]
    for kind in errors_of(route):
        response = told["responses"][str(status_of(kind))]
        content = response["content"]["application/json"]
        assert kind.code in content["examples"]
        wanted = "ErrorV1" if route.surface == "v1" else "Error"
        assert content["schema"] == {"$ref": f"#/components/schemas/{wanted}"}
    parameters = {parameter["name"] for parameter in told.get("parameters", ())}
    assert parameters >= set(route.parameters)
    if route.query is not None:
        assert parameters >= set(route.query.model_fields)
    if route.body is not None:
        assert "application/json" in told["requestBody"]["content"]
    assert set(told.get("requestBody", {}).get("content", ())) >= set(route.consumes)
    assert (told.get("security") == []) == route.open
    if not route.websocket and not isinstance(route.returns, Media) and route.returns is not None:
        assert "application/json" in told["responses"][str(route.status)]["content"]


def test_every_reference_leads_somewhere() -> None:
    text = document(ROUTES).text.decode()
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in DOCUMENT["components"]["schemas"]


def test_the_page_shows_every_route() -> None:
    text = page(DOCUMENT)
    for route in ROUTES:
        assert f"{route.method}</b> <code>{route.template}</code>" in text
        assert f'id="{operation(route)["operationId"]}"' in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(DOCUMENT)
    assert "<script" not in text
    assert " style=" not in text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
