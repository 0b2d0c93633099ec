"""The pages' files, and the stream of events, over HTTP."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from container_manager.api.web import load_assets
from harness import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def get(client: Client, path: str | URL, **headers: str):
    async with client.session.get(path, headers=headers) as response:
        return response, await response.read()


async def test_the_page_allows_nothing_inline_and_nothing_foreign(client):
    response, body = await get(client, "/")
    assert response.status == 200
    assert response.content_type == "text/html"
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert b"<style" not in body
    assert b"http://" not in body
    assert b"https://" not in body


async def test_a_file_that_the_browser_has_is_not_sent_again(client):
    first, body = await get(client, "/web/js/main.js")
    assert (first.status, first.content_type) == (200, "text/javascript")
    assert body
    tag = first.headers["ETag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}"):
        again, nothing = await get(client, "/web/js/main.js", **{"If-None-Match": known})
        assert (again.status, nothing) == (304, b"")
        assert again.headers["ETag"] == tag


@pytest.mark.parametrize(
    "path",
    [
        "/web/nothing.js",
        "/web/package.json",
        "/web/../settings.py",
        "/web/%2e%2e/settings.py",
        "/web/..%2fsettings.py",
        "/web//etc/passwd",
        "/web/js",
        "/web/.stamp",
    ],
)
async def test_nothing_else_is_served(client, path):
    response, body = await get(client, URL(client.url + path, encoded=True))
    assert response.status == 404
    assert b'"code":"ROUTE_NOT_FOUND"' in body.replace(b" ", b"")


async def test_without_credentials_there_is_nothing(client):
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/web/js/main.js", "/events"):
            async with stranger.get(client.url + path) as response:
                assert response.status == 401


async def test_a_page_without_its_packages_says_how_to_get_them(tmp_path: Path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "index.html.bak").write_text("no")
    assets = await asyncio.to_thread(load_assets, tmp_path)
    assert set(assets) == {"index.html"}
    assert b"scripts/web_vendor.sh" in assets["index.html"].body


async def test_events_can_be_taken_up_again(client):
    async with client.session.get("/events") as stream:
        assert stream.content_type == "text/event-stream"
        cuid = (await (await client.session.post("/containers", json={"image": "x"})).json())["cuid"]
        first = await event(stream.content)
        assert (first["event"], cuid in first["data"]) == ("updated", True)
        await client.session.patch(f"/containers/{cuid}", json={"tags": ["a"]})
    async with client.session.get("/events", headers={"Last-Event-ID": first["id"]}) as stream:
        assert (await event(stream.content))["event"] == "updated"
    async with client.session.get("/events", headers={"Last-Event-ID": "elsewhere-1"}) as stream:
        assert (await event(stream.content))["event"] == "reset"
    # Whoever loses the connection before the first event has where to go on, too.
    async with client.session.get("/events") as stream:
        assert (await stream.content.readline(), (await stream.content.readline())[:4]) == (b"retry: 500\n", b"id: ")


async def event(lines: aiohttp.StreamReader) -> dict[str, str]:
    """The next event of a stream."""
    fields: dict[str, str] = {}
    while "data" not in fields:
        name, _, value = (await lines.readline()).decode().rstrip("\n").partition(": ")
        fields[name] = value
    return fields
