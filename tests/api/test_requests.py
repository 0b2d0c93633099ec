"""What every request has: its line in the audit log, its headers, its end."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from small_app import CUID, SmallApp, small_app

from container_manager.api import binding
from harness import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallApp]:
    async with small_app(tmp_path_factory.mktemp("data")) as app:
        yield app


async def test_a_request_has_one_line(app: SmallApp) -> None:
    before = len(await app.lines())
    secret = {"image": "a", "password": "hunter2", "env": {"KEY": "hunter2"}, "content": "hunter2"}
    async with app.session.post("/things", json=secret) as response:
        assert response.status == 201
    lines = await app.lines()
    assert len(lines) == before + 1
    line = lines[-1]
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line.pop("timestamp")
    assert line.pop("duration_ms") > 0
    assert line == {
        "request_id": line["request_id"],
        "action": "thing.make",
        "actor": "admin",
        "remote": "127.0.0.1",
        "method": "POST",
        "path": "/things",
        "cuid": None,
        "status": 201,
        "error": None,
        "details": {"image": "a"},
    }
    assert "hunter2" not in app.services.audit.path.read_text()


async def test_the_line_names_the_container_but_not_the_query(app: SmallApp) -> None:
    async with app.session.get(f"/things/{CUID}?x=hunter2") as response:
        assert response.status == 400
    line = await app.last_line()
    assert (line["cuid"], line["path"]) == (CUID, f"/things/{CUID}")
    assert "hunter2" not in json.dumps(line)


async def test_unknown_paths_have_a_line(app: SmallApp) -> None:
    async with app.session.get("/" + "x" * 3000) as response:
        assert response.status == 404
    line = await app.last_line()
    assert line["action"] == "request.unknown"
    assert len(line["path"]) == 1000


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("123E4567-e89b-42d3-a456-426614174000", True),
        ("{123e4567-e89b-42d3-a456-426614174000}", False),
        ("123e4567e89b42d3a456426614174000", False),
        ("x", False),
        ("", False),
    ],
)
async def test_a_valid_request_id_is_kept(app: SmallApp, given: str, kept: bool) -> None:
    async with app.session.get("/livez", headers={"X-Request-ID": given}) as response:
        told = response.headers["X-Request-ID"]
        assert (told == given) == kept
        uuid.UUID(told)


async def test_head_is_get_without_a_body(app: SmallApp) -> None:
    async with app.session.get("/things") as whole, app.session.head("/things") as head:
        assert head.status == whole.status
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]
        assert await head.read() == b""


async def test_security_headers_are_everywhere(app: SmallApp) -> None:
    async with app.session.get("/docs") as page, app.session.get("/cut") as stream:
        async with app.session.ws_connect(f"/ws/{CUID}") as socket:
            upgraded = socket._response.headers
        for headers in (page.headers, stream.headers, upgraded):
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert headers["X-Request-ID"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]


async def test_a_change_runs_on_when_its_client_leaves(tmp_path: Path) -> None:
    async with small_app(tmp_path) as app:
        request = asyncio.create_task(app.session.post("/slow"))
        await app.slow.begun.wait()
        request.cancel()
        await asyncio.wait([request])
        # The server sees that the client is gone before the change goes on.
        async with aiohttp.ClientSession(f"http://127.0.0.1:{app.port}"):
            app.slow.go_on.set()
        await asyncio.wait_for(app.slow.done.wait(), 10)
        await eventually(lambda: app.services.mutations.count == 0)
        lines = [line for line in await app.lines() if line["action"] == "thing.make" or line["path"] == "/slow"]
        assert len(lines) == 1
        assert (lines[0]["status"], lines[0]["error"]) == (200, None)


async def test_a_read_ends_with_its_client(tmp_path: Path) -> None:
    async with small_app(tmp_path) as app:
        request = asyncio.create_task(app.session.get("/slow"))
        await app.slow.begun.wait()
        request.cancel()
        await asyncio.wait([request])

        async def line() -> bool:
            return bool(await app.lines())

        await eventually(line)
        told = await app.last_line()
        assert (told["status"], told["error"]["code"], told["details"]) == (499, "CLIENT_LEFT", {"client_left": True})
        assert not app.slow.done.is_set()


async def test_the_end_waits_for_running_changes(tmp_path: Path) -> None:
    async with small_app(tmp_path) as app:
        request = asyncio.create_task(app.session.post("/slow"))
        await app.slow.begun.wait()
        closing = asyncio.create_task(app.services.mutations.close(10))
        app.slow.go_on.set()
        await closing
        assert (await request).status == 200


async def test_the_end_cancels_what_takes_too_long(tmp_path: Path) -> None:
    async with small_app(tmp_path, stop_timeout=0.1) as app:
        request = asyncio.create_task(app.session.post("/slow"))
        await app.slow.begun.wait()
    assert app.services.mutations.count == 0
    with pytest.raises(aiohttp.ClientError):
        await request


async def test_metrics_count_requests_by_route(app: SmallApp) -> None:
    async with app.session.get(f"/things/{CUID}") as response:
        assert response.status == 200
    async with app.session.get("/metrics") as response:
        text = await response.text()
        assert response.headers["Content-Type"].startswith("text/plain")
    assert 'container_manager_requests_total{method="GET",route="/things/{cuid}",status="200"}' in text
    assert CUID not in text


async def test_what_is_sent_arrives(app: SmallApp) -> None:
    async with app.session.post("/zip", data=b"x" * 300_000, headers={"Content-Type": "application/zip"}) as response:
        assert (await response.json())["got"] == {"bytes": 300_000}
    async with app.session.post(f"/things/{CUID}/start", headers={"Content-Type": "application/json"}) as response:
        assert (await response.json())["got"] == {"started": CUID}
    async with app.session.get("/things?status=running,paused&force=1") as response:
        assert (await response.json())["got"] == {"status": ["running", "paused"], "force": True, "limit": 50}


async def test_leaving_a_websocket_is_no_error(app: SmallApp) -> None:
    socket = await app.session.ws_connect(f"/ws/{CUID}")
    request_id = socket._response.headers["X-Request-ID"]
    socket._conn.transport.abort()  # type: ignore[union-attr]

    async def line() -> dict[str, Any] | None:
        return next((line for line in await app.lines() if line["request_id"] == request_id), None)

    told = await eventually(line)
    assert (told["action"], told["status"], told["error"], told["cuid"]) == ("thing.talk", 101, None, CUID)


async def test_a_body_that_does_not_come_is_408(app: SmallApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "PATIENCE", 0.05)
    told = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield b"{"
        await told.wait()

    headers = {"Content-Type": "application/json"}
    async with app.session.post("/things", data=late(), headers=headers) as response:
        assert response.status == 408
        assert (await response.json())["error"] == "timeout"
        told.set()


@pytest.mark.parametrize("path", ["/odd", "/api/v1/odd"])
async def test_names_that_are_no_unicode_can_be_told(app: SmallApp, path: str) -> None:
    async with app.session.get(path) as response:
        assert response.status == 200
        assert (await response.json())["got"] == {"name": "caf\udce9"}
