"""One connection to a session: what is to be sent to it, in order and within a bound."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from container_manager.errors import AppError
from container_manager.terminal import frames
from container_manager.terminal.process import Size

Role = Literal["owner", "helper", "observer"]
"""An owner types and may end the session, a helper types, an observer watches."""

BUFFER_HIGH = 256 << 10
BUFFER_LOW = 64 << 10
_MOST_REPLIES = 64
_FAREWELL = 10.0
"""Seconds that a viewer gets to take what was still to be sent when its session ended."""

NORMAL = 1000
GOING_AWAY = 1001
TOO_SLOW = 4008


class Connection(Protocol):
    """What a viewer is connected by."""

    async def send(self, frame: bytes) -> None:
        """Send one text frame; returns when there is room for the next. Raises ConnectionError when it is gone."""

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame and close, without waiting for a slow peer."""

    def describe(self, error: AppError) -> Mapping[str, Any]:
        """The error object for `error`."""


class Viewer:
    """Frames go through a queue, sent by `run`, so that no viewer waits for another."""

    def __init__(self, connection: Connection, role: Role, size: Size | None, *, joined: bool) -> None:
        self.role = role
        self.size = size
        """Its window, as far as it has told."""
        self.joined = joined
        """It came to a session that was there: it is told the terminal's size, which others may decide."""
        self.full = False
        """More than BUFFER_HIGH bytes wait for it, and it has not caught up since."""
        self.on_room: Callable[[], None] | None = None
        """Called when `full` turns False."""
        self._connection = connection
        self._frames: deque[bytes] = deque()
        self._buffered = 0
        self._replies = 0
        self._farewell: tuple[int, str] = (NORMAL, "")
        self._sending: asyncio.Task[None] | None = None
        self._busy = False
        self._taken = asyncio.Event()
        self._leaves = asyncio.Event()
        self._dropped = asyncio.Event()

    @property
    def types(self) -> bool:
        """Its role may type."""
        return self.role != "observer"

    @property
    def leaving(self) -> bool:
        """It is being closed."""
        return self._leaves.is_set()

    def offer(self, frame: bytes) -> None:
        """Queue `frame`. The caller heeds `full`."""
        if not self.leaving:
            self._frames.append(frame)
            self._buffered += len(frame)
            self.full = self.full or self._buffered > BUFFER_HIGH
            if not self._busy:
                # At once, without a turn of the loop: most frames are sent before this returns.
                self._busy = True
                loop = asyncio.get_running_loop()
                self._sending = asyncio.Task(self._send(), loop=loop, eager_start=True)

    async def reply(self, frame: bytes) -> None:
        """Queue an answer to one of its own frames. Waits while it leaves too many answers unread."""
        while self._replies >= _MOST_REPLIES and not self.leaving:
            self._taken.clear()
            await self._taken.wait()
        self._replies += 1
        self.offer(frame)

    async def refuse(self, error: AppError) -> None:
        """Answer one of its frames with an `error` frame."""
        await self.reply(frames.error(self._connection.describe(error)))

    def finish(self, code: int, reason: str, last: bytes | None = None) -> None:
        """Close it once it has taken everything, `last` included."""
        if not self.leaving:
            if last is not None:
                self.offer(last)
            self._leave(code, reason)

    def drop(self, code: int, reason: str) -> None:
        """Close it at once; what it has not taken is lost."""
        if not self._dropped.is_set():
            self._frames.clear()
            self._dropped.set()
            self._leave(code, reason)

    def gone(self) -> None:
        """Its connection is no more."""
        self.drop(NORMAL, "")

    def _leave(self, code: int, reason: str) -> None:
        self._farewell = (code, reason)
        self._leaves.set()
        self._taken.set()

    async def run(self) -> None:
        """Wait until it is finished, dropped or gone; then close the connection."""
        await self._leaves.wait()
        dropped = asyncio.create_task(self._dropped.wait())
        tasks = [dropped] if self._sending is None else [dropped, self._sending]
        try:
            if self._busy:
                await asyncio.wait(tasks, timeout=_FAREWELL, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._connection.close(*self._farewell)

    async def _send(self) -> None:
        try:
            while self._frames:
                frame = self._frames.popleft()
                await self._connection.send(frame)
                self._sent(len(frame))
        except ConnectionError:
            self.gone()
        finally:
            self._busy = False

    def _sent(self, size: int) -> None:
        self._buffered -= size
        if self.full and self._buffered <= BUFFER_LOW:
            self.full = False
            if self.on_room is not None:
                self.on_room()
        if self._replies and not self._frames:
            self._replies = 0
            self._taken.set()
