"""The HTTP framework with a few routes that need no engine."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp import web
from pydantic import Field

from container_manager.api.application import application
from container_manager.api.context import Services, note
from container_manager.api.metrics import Metrics
from container_manager.api.mutation import Mutations
from container_manager.api.route import Media, Route
from container_manager.api.schemas.base import Answer, Body, Commas, Query
from container_manager.api.server import Runner
from container_manager.api.system import SYSTEM_ROUTES
from container_manager.audit import Audit
from container_manager.errors import ContainerNotFound, NameInUse, NoSpace
from container_manager.models import Cuid, Layout
from harness import make_settings


class Port(Body):
    host: int = Field(ge=1, le=65535)
    protocol: str = "tcp"


class Thing(Body):
    may_hold_nul = frozenset({"content"})

    image: str
    env: dict[str, str] = Field(default_factory=dict)
    password: str | None = None
    content: str = ""
    ports: list[Port] = Field(default_factory=list)
    cpus: float | None = None
    command: str | list[str] | None = None


class Filter(Query):
    status: Commas[str] = ()
    force: bool = False
    limit: int = Field(50, ge=1, le=1000)


class Echo(Answer):
    got: dict[str, Any]


async def make(request: web.Request, *, body: Thing) -> Echo:
    note(request, image=body.image)
    return Echo(got=body.model_dump())


async def find(request: web.Request, *, query: Filter) -> Echo:
    return Echo(got=query.model_dump())


async def show(request: web.Request, *, cuid: Cuid) -> Echo:
    return Echo(got={"cuid": cuid})


async def start(request: web.Request, *, cuid: Cuid) -> Echo:
    return Echo(got={"started": cuid})


async def upload(request: web.Request) -> Echo:
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    return Echo(got={"bytes": size})


async def boom(request: web.Request) -> Echo:
    raise RuntimeError("the secret inside")


async def odd(request: web.Request) -> Echo:
    return Echo(got={"name": "caf\udce9"})


async def full(request: web.Request) -> Echo:
    raise OSError(28, "No space left on device")


async def taken(request: web.Request, *, name: str) -> Echo:
    raise NameInUse(f"{name} is taken", name=name)


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"a beginning")
    raise RuntimeError("half-way")


class Slow:
    """A change and a read that wait until the test lets them go on."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.done = asyncio.Event()


SLOW = web.AppKey("slow", Slow)


async def slow(request: web.Request) -> Echo:
    gate = request.app[SLOW]
    gate.begun.set()
    await gate.go_on.wait()
    gate.done.set()
    return Echo(got={})


async def socket(request: web.Request, *, cuid: Cuid) -> web.StreamResponse:
    response = web.WebSocketResponse(compress=False)
    await response.prepare(request)
    async for message in response:
        await response.send_str(message.data)
    return response


ROUTES = [
    *SYSTEM_ROUTES,
    Route("POST", "/things", make, "thing.make", "Make", body=Thing, returns=Echo, status=201, errors=(NameInUse,)),
    Route("GET", "/things", find, "thing.find", "Find", query=Filter, returns=Echo),
    Route("GET", "/things/{cuid}", show, "thing.show", "Show", returns=Echo, errors=(ContainerNotFound,)),
    Route("POST", "/things/{cuid}/start", start, "thing.start", "Start", returns=Echo),
    Route(
        "POST",
        "/zip",
        upload,
        "thing.upload",
        "Upload",
        returns=Echo,
        consumes=("application/zip", "multipart/form-data"),
    ),
    Route("GET", "/boom", boom, "thing.boom", "Fail", returns=Echo),
    Route("GET", "/odd", odd, "thing.odd", "Tell a name of a file", returns=Echo),
    Route("GET", "/api/v1/odd", odd, "v1.odd", "Tell a name of a file", returns=Echo, surface="v1"),
    Route("POST", "/full", full, "thing.full", "Fill the disk", returns=Echo, errors=(NoSpace,)),
    Route("POST", "/taken/{name}", taken, "thing.take", "Take", returns=Echo, errors=(NameInUse,)),
    Route("GET", "/cut", cut, "thing.cut", "End half-way", returns=Media("text/plain", "Text")),
    Route("POST", "/slow", slow, "thing.slow", "Change slowly", returns=Echo),
    Route("GET", "/slow", slow, "thing.wait", "Read slowly", returns=Echo),
    Route("GET", "/ws/{cuid}", socket, "thing.talk", "Talk", status=101, websocket=True, ticket=True),
    Route("POST", "/api/v1/things", make, "v1.make", "Make", body=Thing, returns=Echo, surface="v1"),
    Route("GET", "/api/v1/boom", boom, "v1.boom", "Fail", returns=Echo, surface="v1"),
    Route("POST", "/api/v1/taken/{name}", taken, "v1.take", "Take", returns=Echo, errors=(NameInUse,), surface="v1"),
]

CUID = "c123e4567-e89b-42d3-a456-426614174000"


@dataclasses.dataclass
class SmallApp:
    """The running server, a client with the right credentials, and its audit log."""

    session: aiohttp.ClientSession
    services: Services
    slow: Slow
    port: int

    async def lines(self) -> list[dict[str, Any]]:
        """The audit log as it is now."""
        await self.services.audit.flush()
        return [json.loads(line) for line in self.services.audit.path.read_bytes().splitlines()]

    async def last_line(self) -> dict[str, Any]:
        """The newest line of the audit log."""
        return (await self.lines())[-1]

    async def raw(self, request: bytes) -> bytes:
        """What the server sends for bytes that no HTTP library would write."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def small_app(directory: Path, **given: Any) -> AsyncIterator[SmallApp]:
    """Serve ROUTES from `directory`."""
    settings = make_settings(directory, **given)
    layout = Layout(settings.data_dir)
    audit = Audit(layout)
    await audit.start()
    required = (field for field in dataclasses.fields(Services) if field.default is dataclasses.MISSING)
    absent = {field.name: cast(Any, None) for field in required}
    tickets = {("good", CUID): "admin"}
    services = Services(
        **{
            **absent,
            "settings": settings,
            "layout": layout,
            "audit": audit,
            "metrics": Metrics(),
            "mutations": Mutations(),
            "redeem_ticket": lambda ticket, cuid: tickets.pop((ticket, cuid), None),
        }
    )
    app = application(services, ROUTES)
    app[SLOW] = gate = Slow()
    runner = Runner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, 0).start()
        port = runner.addresses[0][1]
        headers = {"Authorization": aiohttp.encode_basic_auth(settings.app_user, settings.app_pass)}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            yield SmallApp(session, services, gate, port)
    finally:
        await runner.cleanup()
        await audit.close()
