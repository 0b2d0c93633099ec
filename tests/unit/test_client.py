"""The Python client against a small server that answers what each test needs."""

import asyncio
import base64
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from container_manager.client import Address, Client, Exit, Output, Problem, Refused, Unreachable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[Client]]


@pytest.fixture
async def serve():
    """`await serve(handler)`: a client of a server that answers everything with `handler`."""
    opened: list[TestServer | Client] = []

    async def start(handler: Handler) -> Client:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        server = TestServer(application)
        await server.start_server()
        client = Client(Address(str(server.make_url("/base")), "ädmin", "pä:ss"), timeout=20)
        opened.extend((client, server))
        return client

    yield start
    for each in opened:
        await each.close()


async def test_credentials_and_paths_arrive_as_they_are(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        kind, _, told = request.headers["Authorization"].partition(" ")
        return web.json_response({"kind": kind, "told": base64.b64decode(told).decode(), "path": request.raw_path})

    client = await serve(handler)
    answer = await client.call("GET", "a/b", "ü", query={"path": "x y&z%", "no": None, "yes": True})
    assert answer["told"] == "ädmin:pä:ss"
    assert answer["path"] == "/base/a%2Fb/%C3%BC?path=x+y%26z%25&yes=true"


async def test_an_error_answer_becomes_refused(serve: Serve):
    body = {
        "error": "conflict",
        "code": "PORT_IN_USE",
        "message": "Port 80 is taken",
        "details": {"owner": "nginx"},
        "request_id": "r",
    }

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(body, status=409)

    with pytest.raises(Refused) as refused:
        await (await serve(handler)).start("c1")
    error = refused.value
    assert (error.status, error.error, error.code, error.message) == (
        409,
        "conflict",
        "PORT_IN_USE",
        "Port 80 is taken",
    )
    assert (error.details, error.request_id) == ({"owner": "nginx"}, "r")


@pytest.mark.parametrize("text", ["<h1>Bad Gateway</h1>", "[]", "null", ""])
async def test_a_proxys_page_is_an_error_too(serve: Serve, text: str):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, status=502, content_type="text/html")

    with pytest.raises(Refused, match="The server answered 502 Bad Gateway"):
        await (await serve(handler)).health()


async def test_nobody_there():
    async with Client(Address(f"http://127.0.0.1:{unused_port()}", "a", "b")) as client:
        with pytest.raises(Unreachable, match="Connection refused"):
            await client.health()
        with pytest.raises(Unreachable, match="Connection refused"):
            async with client.terminal("c1"):
                pass


async def test_a_connection_that_breaks(serve: Serve):
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    client = await serve(handler)
    with pytest.raises(Unreachable, match="broke"):
        await client.files.download("c1", "x", io.BytesIO())


async def test_an_answer_that_does_not_come(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = await serve(handler)
    async with Client(client.address, timeout=0.05) as hasty:
        with pytest.raises(Unreachable, match="in time"):
            await hasty.health()


async def test_containers_come_from_all_pages(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        assert request.query["status"] == "running,paused"
        start = int(request.query.get("cursor", 0))
        following = str(start + 2) if start < 4 else None
        return web.json_response({"containers": [{"cuid": start}, {"cuid": start + 1}], "next_cursor": following})

    client = await serve(handler)
    assert [each["cuid"] async for each in client.containers(status=["running", "paused"])] == [0, 1, 2, 3, 4, 5]


async def test_create_sends_what_was_given_alone(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=201)

    client = await serve(handler)
    assert await client.create("busybox", env={"A": "1"}, start=True) == {
        "image": "busybox",
        "env": {"A": "1"},
        "start": True,
    }


async def test_an_upload_tells_its_progress(serve: Serve, tmp_path: Path):
    archive, seen = tmp_path / "a.zip", list[tuple[int, int | None]]()
    archive.write_bytes(bytes(600_000))

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        return web.json_response({"bytes": len(body), "type": request.content_type, "mode": request.query["mode"]})

    client = await serve(handler)
    answer = await client.files.upload("c1", archive, mode="replace", progress=lambda done, of: seen.append((done, of)))
    assert answer == {"bytes": 600_000, "type": "application/zip", "mode": "replace"}
    assert seen[-1] == (600_000, 600_000)
    assert len(seen) > 2


async def test_a_download_tells_its_progress(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=bytes(500_000))

    seen, target = list[tuple[int, int | None]](), io.BytesIO()
    client = await serve(handler)
    await client.files.download("c1", "x", target, progress=lambda done, of: seen.append((done, of)))
    assert target.getvalue() == bytes(500_000)
    assert seen[-1] == (500_000, 500_000)


async def test_output_of_a_command_may_be_any_bytes(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        told = {"exit_code": 3, "stdout": base64.b64encode(b"\xff").decode(), "stderr": "", "encoding": "base64"}
        return web.json_response({**told, "duration_ms": 1500})

    ran = await (await serve(handler)).exec("c1", ["x"])
    assert (ran.exit_code, ran.stdout, ran.stderr, ran.duration) == (3, b"\xff", b"", 1.5)


async def test_a_terminal(serve: Serve):
    received: list[dict[str, object]] = []

    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in (
            {"type": "stdout", "data": "hé", "encoding": "utf8"},
            {"type": "stderr", "data": base64.b64encode(b"\xff").decode(), "encoding": "base64"},
            {"type": "error", "error": {"code": "BAD_FRAME", "message": "no"}},
            {"type": "pong"},
            {"type": "of a later version"},
        ):
            await socket.send_json(frame)
        for _ in range(4):
            received.append(json.loads((await socket.receive()).data))
        await socket.send_json({"type": "exit", "code": 130, "reason": "it was stopped"})
        await socket.close()
        return socket

    client = await serve(handler)
    async with client.terminal("c1", mode="shell", cols=80) as terminal:
        await terminal.send(b"\x00\xff")
        await terminal.resize(90, 30)
        await terminal.signal("INT")
        await terminal.end_input()
        events = [event async for event in terminal]
    assert events == [
        Output("hé".encode()),
        Output(b"\xff", "stderr"),
        Problem("no", "BAD_FRAME"),
        Exit(130, "it was stopped"),
    ]
    assert [frame["type"] for frame in received] == ["stdin", "resize", "signal", "stdin"]
    assert base64.b64decode(str(received[0]["data"])) == b"\x00\xff"


async def test_a_terminal_that_is_refused_says_why(serve: Serve):
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"code": "NOT_RUNNING", "message": "It does not run"}, status=422)

    client = await serve(handler)
    with pytest.raises(Refused, match="It does not run"):
        async with client.terminal("c1"):
            pass


async def test_a_terminal_whose_connection_breaks(serve: Serve):
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=1011)
        return socket

    client = await serve(handler)
    async with client.terminal("c1") as terminal:
        with pytest.raises(Unreachable, match="1011"):
            await anext(aiter(terminal))


async def test_a_terminal_that_the_caller_closes_ends_quietly(serve: Serve):
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "close":
                await socket.close()
        return socket

    client = await serve(handler)
    async with client.terminal("c1") as terminal:
        await terminal.close()
        assert [event async for event in terminal] == []
