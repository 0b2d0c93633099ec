"""Clients of `/ws/{cuid}` that send anything: each gets an `error` frame or a close code with a reason."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from terminal_client import Screen, connected

from container_manager.api.context import SERVICES
from container_manager.api.rfc6455 import CLOSE, PING, PONG, TEXT
from harness import Client, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTED = {"BAD_FRAME", "UNKNOWN_SIGNAL"}
"""Error codes that docs/terminal.md knows for frames of somebody who may type into a running shell."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(server: Client) -> str:
    return await server.run()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def screen(server: Client, app: str) -> AsyncIterator[Screen]:
    """One connection for all examples: what one does to the session is seen by the next."""
    async with connected(server, app, cmd="stty raw -echo; echo rea''dy; exec cat > /dev/null", cols=80) as screen:
        await screen.shows("ready")
        yield screen
        assert not screen.closed


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = {"data": VALUES, "encoding": st.sampled_from(["utf8", "base64", "latin1", 7]), "eof": VALUES}
FRAMES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"type": st.sampled_from(["stdin", "resize", "ping", "pong", "exit", 3])}, optional=FIELDS),
    st.fixed_dictionaries({"type": st.just("resize")}, optional={"cols": VALUES, "rows": VALUES}),
    st.fixed_dictionaries(
        {"type": st.just("signal")}, optional={"name": st.integers() | st.text("XYZ_9é", max_size=30)}
    ),
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(frame=FRAMES.map(json.dumps) | st.text(max_size=50) | st.binary(max_size=50))
async def test_any_frame_is_obeyed_or_answered_and_the_session_lives(screen: Screen, frame: str | bytes) -> None:
    seen = len(screen.frames)
    await (screen.socket.send_bytes(frame) if isinstance(frame, bytes) else screen.socket.send_str(frame))
    await screen.send(type="ping", last=True)
    await screen.until(lambda screen: {"type": "pong"} in screen.frames[seen:])
    for answer in screen.frames[seen:-1]:
        assert answer["type"] in ("error", "pong"), answer
        assert answer["type"] == "pong" or answer["error"]["code"] in DOCUMENTED, answer
    if frame in ('{"type": "ping"}', '{"type":"ping"}'):
        await screen.until(lambda screen: len(screen.frames) == seen + 2)


class Raw:
    """A client that speaks the websocket protocol as badly as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, opcode: int, payload: bytes = b"") -> None:
        """A whole frame, masked with zeros."""
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.writer.write(bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload)

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        async with asyncio.timeout(15):
            first, size = await self.reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def until(self, opcode: int) -> bytes:
        """The payload of the next frame of this kind."""
        while True:
            kind, payload = await self.receive()
            if kind == opcode:
                return payload

    async def ended(self) -> None:
        """Read to the end of the connection."""
        async with asyncio.timeout(15):
            with contextlib.suppress(ConnectionError):
                await self.reader.read()


@contextlib.asynccontextmanager
async def raw(client: Client, cuid: str, query: str = "mode=shell", first: bytes = b"") -> AsyncIterator[Raw]:
    """A connection after its handshake; `first` is sent before the server has answered that."""
    host, _, port = client.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    token = base64.b64encode(f"{client.settings.app_user}:{client.settings.app_pass}".encode()).decode()
    writer.write(
        f"GET /ws/{cuid}?{query} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(b'x' * 16).decode()}\r\n"
        f"Authorization: Basic {token}\r\n\r\n".encode()
        + first
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()


def typed(text: str) -> bytes:
    return json.dumps({"type": "stdin", "data": text}).encode()


BAD = {
    "no mask": (b"\x81\x01x", 1002),
    "a reserved bit": (b"\xc1\x80\0\0\0\0", 1002),
    "an unknown opcode": (b"\x83\x80\0\0\0\0", 1002),
    "a continuation of nothing": (b"\x80\x80\0\0\0\0", 1002),
    "a long ping": (b"\x89\xfe\0\x7e\0\0\0\0", 1002),
    "too large": (b"\x81\xff" + (1 << 40).to_bytes(8), 1009),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD)
async def test_what_is_no_websockets_is_closed_with_a_code_and_a_reason(
    client: Client, app: str, data: bytes, code: int
) -> None:
    async with raw(client, app) as bad:
        bad.writer.write(data + b"x" * 1000)
        payload = await bad.until(CLOSE)
        assert int.from_bytes(payload[:2]) == code
        assert payload[2:].decode()
        await bad.ended()
    await end_all(client, app)


async def test_frames_before_the_handshakes_answer_are_kept(client: Client, app: str) -> None:
    frame = typed("echo ear''ly; exit 3\n")
    async with raw(client, app, first=bytes([0x81, 0x80 | len(frame)]) + b"\0\0\0\0" + frame) as early:
        shown = b""
        while b'"exit"' not in shown:
            shown += await early.until(TEXT)
        assert b"early" in shown
        assert b'"code":3' in shown


async def test_pings_are_answered_and_a_close_is_returned(client: Client, app: str) -> None:
    async with raw(client, app) as polite:
        polite.send(PING, b"are you there")
        assert await polite.until(PONG) == b"are you there"
        polite.send(CLOSE, (1000).to_bytes(2) + b"bye")
        assert await polite.until(CLOSE) == (1000).to_bytes(2)
        await polite.ended()
    await eventually(lambda: none_left(client, app))


async def test_the_server_closes_without_waiting_for_the_client(client: Client, app: str) -> None:
    async with raw(client, app) as rude:
        rude.send(TEXT, b'{"type":"close"}')
        assert await rude.until(CLOSE) == (1000).to_bytes(2) + b"closed"
        # Its own close frame never comes.
        await rude.ended()


async def test_who_is_silent_is_asked_and_then_lost(client: Client, app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("container_manager.api.websocket.HEARTBEAT", 0.2)
    async with raw(client, app) as there, raw(client, app) as away:

        async def answer() -> None:
            for _ in range(3):
                there.send(PONG, await there.until(PING))

        await asyncio.gather(away.ended(), answer())
        there.send(TEXT, typed("echo st''ill here\n"))
        shown = b""
        while b"still here" not in shown:
            shown += await there.until(TEXT)
    sessions = (await client.call("GET", f"/containers/{app}/sessions"))["sessions"]
    assert sessions, "a lost connection keeps its session"
    await end_all(client, app)


async def test_who_types_faster_than_it_is_read_waits(client: Client, app: str) -> None:
    async with raw(client, app, "cmd=stty+raw+-echo;+echo+ready;+read+x;+sleep+1000&cols=80") as fast:
        await fast.until(TEXT)

        async def type_for_ever() -> None:
            while True:
                fast.send(TEXT, typed("x" * 60_000))
                await fast.writer.drain()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(type_for_ever(), 1)
        async with connected(client, app, mode="shell") as other:
            await other.prompt()
    await end_all(client, app)


async def test_a_slow_reader_stops_its_own_process_and_misses_nothing(client: Client, app: str) -> None:
    last = 2_000_000
    async with raw(client, app, f"cmd=seq+1+{last}&tty=0") as slow:
        terminals = client.app[SERVICES].terminals
        session = next(
            session for session in terminals.of(app) if session.plan.mode == "command" and not session.plan.tty
        )
        await eventually(lambda: session.audience.paused)
        async with connected(client, app, mode="shell") as other:
            await other.prompt()
        assert session.audience.paused
        shown = bytearray()
        frame: dict[str, Any] = {"type": "stdout", "data": ""}
        while frame["type"] != "exit":
            shown += frame["data"].encode()
            frame = json.loads(await slow.until(TEXT))
        assert frame["code"] == 0
        assert shown == b"".join(b"%d\n" % number for number in range(1, last + 1))
        assert int.from_bytes((await slow.until(CLOSE))[:2]) == 1000
    await end_all(client, app)


async def end_all(client: Client, cuid: str) -> None:
    for session in (await client.call("GET", f"/containers/{cuid}/sessions"))["sessions"]:
        if session["mode"] == "shell":
            await client.call("DELETE", f"/containers/{cuid}/sessions/{session['sid']}")


async def none_left(client: Client, cuid: str) -> bool:
    sessions: list[Any] = (await client.call("GET", f"/containers/{cuid}/sessions"))["sessions"]
    return not [session for session in sessions if session["mode"] == "shell"]
