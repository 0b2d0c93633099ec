"""A websocket to a terminal, as tests use it."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from harness import Client, eventually

PATIENCE = 15.0
PROMPT = re.compile(r"[$#] (\x1b\[6n|\x1b\[J)*$")


class Screen:
    """One connection: everything it was sent, and steps that wait for more."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    async def _receive(self) -> bool:
        message = await self.socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            self.frames.append(json.loads(message.data))
            return True
        self.closed = (message.data or 0, message.extra or "")
        return False

    async def until(self, predicate: Callable[["Screen"], Any]) -> "Screen":
        """Read until `predicate` holds; an AssertionError that shows what came when it never does."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not predicate(self):
                    assert await self._receive(), f"closed: {self.closed} {self.text[-2000:]!r} {self.frames[-3:]}"
        except TimeoutError:
            raise AssertionError(f"never came: {self.text[-2000:]!r} {self.frames[-3:]}") from None
        return self

    async def shows(self, text: str) -> "Screen":
        """Read until `text` was shown."""
        return await self.until(lambda screen: text in screen.text)

    async def prompt(self) -> "Screen":
        """Read until the shell's first prompt."""
        return await self.until(lambda screen: PROMPT.search(screen.text))

    async def exit(self) -> dict[str, Any]:
        """Read to the end: the `exit` frame, which must be the last."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while await self._receive():
                    pass
        assert self.frames, f"no frame at all: {self.closed}"
        assert self.frames[-1]["type"] == "exit", (self.frames[-3:], self.closed)
        return self.frames[-1]

    async def end(self) -> tuple[int, str]:
        """Read to the close frame: its code and reason."""
        async with asyncio.timeout(PATIENCE):
            while await self._receive():
                pass
        assert self.closed is not None
        return self.closed

    async def send(self, **frame: Any) -> None:
        await self.socket.send_str(json.dumps(frame))

    async def type(self, text: str) -> None:
        await self.send(type="stdin", data=text, encoding="utf8")

    async def has_size(self, cols: int, rows: int) -> None:
        """Wait until the terminal in the container has this size."""
        await self.type(f"until [ \"$(stty size)\" = '{rows} {cols}' ]; do sleep 0.05; done; echo fi''ts {cols}\n")
        await self.shows(f"fits {cols}")

    def bytes(self, stream: str) -> bytes:
        """Everything that was sent of one stream."""
        return b"".join(
            base64.b64decode(frame["data"]) if frame["encoding"] == "base64" else frame["data"].encode()
            for frame in self.frames
            if frame["type"] == stream
        )

    @property
    def text(self) -> str:
        """All output, as text."""
        return (self.bytes("stdout") + self.bytes("stderr")).decode(errors="replace")

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error objects that were sent."""
        return [frame["error"] for frame in self.frames if frame["type"] == "error"]

    @property
    def sid(self) -> str:
        """The session's id, from the answer's headers."""
        return str(self.socket._response.headers["X-Session-ID"])


@contextlib.asynccontextmanager
async def connected(client: Client, cuid: str, **query: Any) -> AsyncIterator[Screen]:
    """A connection to `/ws/{cuid}`."""
    async with client.websocket(cuid, **{key: str(value) for key, value in query.items()}) as socket:
        yield Screen(socket)


async def processes(client: Client, cuid: str) -> list[str]:
    """The command lines in the container, but for the app's own and that which looks."""
    look = 'for p in /proc/[0-9]*; do tr "\\0\\n" "  " < $p/cmdline 2>/dev/null; echo; done'
    answer = await client.exec(cuid, "sh", "-c", look)
    lines = [line.strip() for line in answer["stdout"].splitlines()]
    ours = ("/sbin/docker-init", "/run/podman-init", "boot.py", "sleep 1000000", "/proc/[0-9]*", "tr \\0")
    return [line for line in lines if line and not any(word in line for word in ours)]


async def nothing_left(client: Client, cuid: str) -> None:
    """Wait until no process of a session is left in the container."""
    seen: list[str] = []

    async def empty() -> bool:
        seen[:] = await processes(client, cuid)
        return not seen

    await eventually(empty, what=f"nothing left, but {seen}")
