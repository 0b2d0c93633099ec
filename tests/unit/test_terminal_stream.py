"""An exec that is reached through a socket: its frames, its size, its input and its end; and where the engine is."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.engine.engine_socket import EngineRefused, socket_path
from container_manager.engine.exec_stream import ExecStream
from container_manager.engine.log_stream import LogStream
from container_manager.terminal.process import Size
from container_manager.terminal.stream_process import StreamProcess
from harness import eventually


class Exec:
    """The other end, in this process."""

    def __init__(self, *, tty: bool) -> None:
        self.tty = tty
        self.sizes: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.theirs.setblocking(False)
        self._ours = ours
        self.fails = False

    async def open(self) -> socket.socket:
        if self.fails:
            raise EngineRefused("there is no shell")
        return self._ours

    async def resize(self, cols: int, rows: int) -> None:
        await self.gate.wait()
        self.sizes.append((cols, rows))

    async def exit_code(self) -> int:
        if self.fails:
            raise EngineRefused("no such exec")
        return 5

    async def says(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.theirs, data)

    async def hears(self) -> bytes:
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.theirs, 65536)


class Shown:
    def __init__(self) -> None:
        self.data = {"stdout": b"", "stderr": b""}

    def __call__(self, stream: str, data: bytes) -> None:
        self.data[stream] += data


@pytest.fixture
async def tty() -> AsyncIterator[Exec]:
    other = Exec(tty=True)
    yield other
    other.theirs.close()


async def test_output_then_the_exit_code(tty: Exec) -> None:
    process, shown = StreamProcess(tty, Size(80, 24)), Shown()
    await process.start(shown)
    await tty.says(b"all of it")
    tty.theirs.shutdown(socket.SHUT_WR)
    assert await process.wait() == 5
    assert shown.data["stdout"] == b"all of it"
    await process.close()
    await process.close()


async def test_input_comes_after_the_size_that_came_before_it(tty: Exec) -> None:
    process, shown = StreamProcess(tty, Size(80, 24)), Shown()
    await process.start(shown)
    await tty.says(b"$ ")
    await eventually(lambda: shown.data["stdout"] == b"$ ")
    await eventually(lambda: tty.sizes == [(80, 24)])
    tty.gate.clear()
    process.resize(Size(100, 30))
    process.write(b"stty size\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(tty.hears(), 0.1)
    process.resize(Size(110, 35))
    process.resize(Size(120, 40))
    tty.gate.set()
    assert await tty.hears() == b"stty size\n"
    assert tty.sizes[0] == (80, 24)
    assert tty.sizes[-1] == (120, 40)
    await process.close()


async def test_a_size_that_comes_while_it_starts_is_set_once_it_has_started(tty: Exec) -> None:
    process, shown = StreamProcess(tty, Size(80, 24)), Shown()
    await process.start(shown)
    process.resize(Size(90, 20))
    await eventually(lambda: tty.sizes == [(80, 24)])
    await tty.says(b"$ ")
    await eventually(lambda: tty.sizes == [(80, 24), (90, 20)])
    await process.close()


async def test_what_the_engine_refuses_is_an_os_error(tty: Exec) -> None:
    tty.fails = True
    process = StreamProcess(tty, Size(80, 24))
    with pytest.raises(OSError, match="no shell"):
        await process.start(Shown())
    await process.close()
    tty._ours.close()


async def test_an_exec_that_is_forgotten_with_its_container_was_killed(tty: Exec) -> None:
    process = StreamProcess(tty, Size(80, 24))
    await process.start(Shown())
    tty.fails = True
    tty.theirs.close()
    assert await process.wait() == 137
    await process.close()


async def test_the_end_of_the_input_is_told(tty: Exec) -> None:
    plain = Exec(tty=False)
    process = StreamProcess(plain, Size(80, 24))
    process.write(b"early")
    process.end_input()
    await process.start(Shown())
    assert await plain.hears() == b"early"
    assert await plain.hears() == b""
    await process.close()
    plain.theirs.close()
    process = StreamProcess(tty, Size(80, 24))
    await process.start(Shown())
    process.end_input()
    assert await tty.hears() == b"\x04"
    await process.close()


FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8)


@given(FRAMES, st.integers(1, 20))
def test_streams_are_told_apart_however_the_bytes_come(frames: list[tuple[int, bytes]], step: int) -> None:
    async def run() -> None:
        process, shown = StreamProcess(Exec(tty=False), Size(80, 24)), Shown()
        data = b"".join(bytes([kind, 0, 0, 0]) + len(piece).to_bytes(4) + piece for kind, piece in frames)
        for at in range(0, len(data), step):
            process._unframe(shown, data[at : at + step])
        assert shown.data["stdout"] == b"".join(piece for kind, piece in frames if kind == 1)
        assert shown.data["stderr"] == b"".join(piece for kind, piece in frames if kind == 2)

    asyncio.run(run())


def test_where_the_engines_socket_is(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    path.touch()
    assert socket_path({"DOCKER_HOST": f"unix://{path}"}) == str(path)
    assert socket_path({"DOCKER_HOST": f"unix://{path}-not"}) is None
    assert socket_path({"DOCKER_HOST": "tcp://127.0.0.1:2375"}) is None
    assert socket_path({"DOCKER_HOST": "ssh://somewhere"}) is None
    assert socket_path({"DOCKER_CONTEXT": "other"}) is None
    (tmp_path / "config.json").write_text('{"currentContext": "other"}')
    assert socket_path({"DOCKER_CONFIG": str(tmp_path)}) is None
    for text in ("{", "[]"):
        (tmp_path / "config.json").write_text(text)
        assert socket_path({"DOCKER_CONFIG": str(tmp_path)}) in (None, "/var/run/docker.sock")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"No such container: x"}', "No such container: x"),
        (b"HTTP/1.0 409 Conflict\r\n\r\nplain words", "plain words"),
        (b"HTTP/1.0 500 Oops\r\n\r\n", "the engine refused it"),
        (b"HTTP/1.0 201 Created\r\n\r\n{", "the engine's answer cannot be read"),
        (b"", "the engine refused it"),
    ],
)
async def test_what_an_engine_may_answer(tmp_path: Path, answer: bytes, words: str) -> None:
    asked: list[bytes] = []

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        asked.append(head + await reader.readexactly(length))
        writer.write(answer)
        writer.close()

    path = str(tmp_path / "engine.sock")
    async with await asyncio.start_unix_server(engine, path):
        stream = ExecStream(path, "c/../x", ["sh", "-c", "true"], {"A": "b=c"}, tty=True)
        with pytest.raises(OSError, match=words):
            await stream.open()
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /containers/c%2F..%2Fx/exec HTTP/1.0\r\n")
    assert json.loads(body)["Env"] == ["A=b=c"]
    assert json.loads(body)["Cmd"] == ["sh", "-c", "true"]


async def test_an_engine_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await ExecStream(str(tmp_path / "none"), "c", ["sh"], {}, tty=True).open()


@pytest.mark.parametrize(
    ("tty", "body", "shown"),
    [
        (False, b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n", {"stdout": b"out\n", "stderr": b"err\n"}),
        (True, b"\x1b[1mboth\r\n", {"stdout": b"\x1b[1mboth\r\n", "stderr": b""}),
    ],
    ids=["frames", "an app with a terminal"],
)
async def test_the_log_of_a_container(tmp_path: Path, tty: bool, body: bytes, shown: dict[str, bytes]) -> None:
    asked: list[bytes] = []

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        facts = json.dumps({"Config": {"Tty": tty}}).encode()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + (body if b"/logs" in asked[-1] else facts))
        writer.close()

    path = str(tmp_path / "engine.sock")
    async with await asyncio.start_unix_server(engine, path):
        since = datetime(2026, 1, 1, 0, 0, 1, 500, tzinfo=UTC)
        process, found = StreamProcess(LogStream(path, "cuid", since), Size(80, 24)), Shown()
        await process.start(found)
        assert await process.wait() == 0
        await process.close()
    assert found.data == shown
    assert asked == [
        b"GET /containers/cuid/json HTTP/1.0",
        b"GET /containers/cuid/logs?follow=1&stdout=1&stderr=1&since=1767225601.000500000 HTTP/1.0",
    ]
