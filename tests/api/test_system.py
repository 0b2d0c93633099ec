"""The service itself, without an engine: alive, honest about its health, documented."""

from typing import Any

from openapi_spec_validator import validate

from harness import Client


async def get(client: Client, path: str, **given: Any) -> tuple[int, Any, str]:
    async with client.session.get(path, **given) as response:
        is_json = response.content_type == "application/json"
        return response.status, await (response.json() if is_json else response.text()), response.content_type


async def test_it_is_alive(client: Client) -> None:
    assert await get(client, "/livez") == (200, {"status": "alive"}, "application/json")


async def test_health_without_an_engine_is_503_and_tells_the_rest(client: Client) -> None:
    status, body, _ = await get(client, "/healthz")
    assert status == 503
    assert (body["error"], body["code"], body["status"]) == ("compose_error", "ENGINE_UNAVAILABLE", 503)
    details = body["details"]
    assert details["containers"] == {"running": 0}
    assert details["uptime_seconds"] > 0
    assert details["states_age_seconds"] >= 0
    assert details["audit"] is None


async def test_metrics_tell_that_the_engine_is_away(client: Client) -> None:
    status, text, media = await get(client, "/metrics")
    assert (status, media) == (200, "text/plain")
    assert "container_manager_engine_up 0.0" in text
    assert "container_manager_engine_waiting 0.0" in text


async def test_the_document_is_served_as_it_is(client: Client) -> None:
    status, body, _ = await get(client, "/openapi.json")
    assert status == 200
    validate(body)
    assert body["openapi"].startswith("3.1")
    for path in ("/containers", "/healthz", "/api/v1/containers"):
        assert path in body["paths"]


async def test_the_documents_page_comes_with_its_style(client: Client) -> None:
    status, page, media = await get(client, "/docs")
    assert (status, media) == (200, "text/html")
    assert 'href="web/css/docs.css"' in page
    status, style, media = await get(client, "/web/css/docs.css")
    assert (status, media) == (200, "text/css")
    assert "section" in style
