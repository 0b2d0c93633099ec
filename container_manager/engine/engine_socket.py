"""The engine's own HTTP on its Unix socket: just enough of it for streams that need no process beside them."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Mapping
from typing import Any

TIMEOUT = 30.0
"""Seconds for each answer of the engine."""

_STANDARD_SOCKET = "/var/run/docker.sock"
_LARGEST_ANSWER = 1 << 20


class EngineRefused(OSError):
    """The engine would not do it; its words are the error's."""


def socket_path(environment: Mapping[str, str]) -> str | None:
    """The engine's Unix socket, as its command line finds it; None when it is reached in another way. Blocks."""
    host = environment.get("DOCKER_HOST", "")
    if not host and "DOCKER_CONTEXT" not in environment and not _context(environment):
        host = f"unix://{_STANDARD_SOCKET}"
    path = host.removeprefix("unix://")
    return path if host.startswith("unix://") and os.path.exists(path) else None


def _context(environment: Mapping[str, str]) -> str:
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", "/"), ".docker")
    try:
        with open(os.path.join(folder, "config.json"), "rb") as file:
            configured = json.load(file)
        return str(configured.get("currentContext", ""))
    except (OSError, ValueError, AttributeError):
        return ""


class EngineSocket:
    """The engine at one path. Everything may raise OSError (EngineRefused) and TimeoutError."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The object that the engine answers."""
        connection = await self._connect()
        with contextlib.closing(connection):
            async with asyncio.timeout(TIMEOUT):
                await self._send(connection, method, path, body)
                answer = await self._rest(connection)
        head, _, content = answer.partition(b"\r\n\r\n")
        if head[9:10] != b"2":
            raise EngineRefused(_words(content))
        try:
            found = json.loads(content) if content.strip() else {}
        except ValueError:
            raise EngineRefused("the engine's answer cannot be read") from None
        return found if isinstance(found, dict) else {}

    async def stream(self, method: str, path: str, body: Any = None, *, upgrade: bool = False) -> socket.socket:
        """A connected socket behind the head of the answer: what follows is the stream, both ways with `upgrade`."""
        connection = await self._connect()
        try:
            async with asyncio.timeout(TIMEOUT):
                head = b"Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else b""
                await self._send(connection, method, path, body, head)
                answer = await self._head(connection)
            if not answer.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200", b"HTTP/1.0 200")):
                raise EngineRefused(await self._refusal(connection, answer))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            async with asyncio.timeout(TIMEOUT):
                await asyncio.get_running_loop().sock_connect(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _send(self, connection: socket.socket, method: str, path: str, body: Any, head: bytes = b"") -> None:
        # An answer to HTTP 1.0 comes in one piece and ends with the connection; only 1.1 can be upgraded.
        version = b"1.1" if head else b"1.0"
        content = b"" if body is None else json.dumps(body).encode()
        request = (
            b"%b %b HTTP/%b\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b"
            % (method.encode(), path.encode(), version, len(content), head, content)
        )
        await asyncio.get_running_loop().sock_sendall(connection, request)

    async def _head(self, connection: socket.socket) -> bytes:
        """The head of an answer, byte by byte: what follows belongs to the stream."""
        loop = asyncio.get_running_loop()
        head = bytearray()
        while not head.endswith(b"\r\n\r\n"):
            byte = await loop.sock_recv(connection, 1)
            if not byte or len(head) > 8192:
                raise EngineRefused("the engine closed the connection")
            head += byte
        return bytes(head)

    async def _rest(self, connection: socket.socket) -> bytes:
        loop = asyncio.get_running_loop()
        answer = bytearray()
        while len(answer) < _LARGEST_ANSWER and (chunk := await loop.sock_recv(connection, 65536)):
            answer += chunk
        return bytes(answer)

    async def _refusal(self, connection: socket.socket, head: bytes) -> str:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.5):
                return _words(await asyncio.get_running_loop().sock_recv(connection, 65536))
        return head.partition(b"\r\n")[0].decode(errors="replace")


def _words(content: bytes) -> str:
    """What the engine says went wrong."""
    start, end = content.find(b"{"), content.rfind(b"}")
    try:
        return str(json.loads(content[start : end + 1])["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()[:500] or "the engine refused it"
