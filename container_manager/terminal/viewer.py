"""One connection to a session: who it is, and whether it keeps up."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from container_manager.errors import AppError
from container_manager.terminal import frames
from container_manager.terminal.process import Size

Role = Literal["owner", "helper", "observer"]
"""An owner types and may end the session, a helper types, an observer watches."""

_MOST_REPLIES = 64
"""Answers to frames of a viewer that reads none of them."""

NORMAL = 1000
GOING_AWAY = 1001
TOO_SLOW = 4008


class Connection(Protocol):
    """What a viewer is connected by. It keeps what was sent until the peer takes it; nothing here waits but `room`."""

    def send(self, frame: bytes) -> bool:
        """Send one text frame. False when so much is on its way that no more should follow, until there is `room`."""

    async def room(self) -> None:
        """Wait until the peer has taken most of what was sent. Raises ConnectionError when it is gone."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after all that was sent before; a peer that does not take it in time is cut off."""

    def describe(self, error: AppError) -> Mapping[str, Any]:
        """The error object for `error`."""


class Viewer:
    """Frames are sent at once. What a slow viewer has not taken is with its connection: no viewer waits for another."""

    def __init__(self, connection: Connection, role: Role, size: Size | None, *, joined: bool) -> None:
        self.role = role
        self.size = size
        """Its window, as far as it has told."""
        self.joined = joined
        """It came to a session that was there: it is told the terminal's size, which others may decide."""
        self.full = False
        """Too much is on its way to it, and it has not caught up since."""
        self.on_room: Callable[[], None] | None = None
        """Called when `full` turns False."""
        self.leaving = False
        """It is being closed, or gone."""
        self._connection = connection
        self._replies = 0
        self._roomy = asyncio.Event()
        self._catching_up: asyncio.Task[None] | None = None

    @property
    def types(self) -> bool:
        """Its role may type."""
        return self.role != "observer"

    def offer(self, frame: bytes) -> None:
        """Send `frame`. The caller heeds `full`."""
        if not (self.leaving or self._connection.send(frame) or self.full):
            self.full = True
            self._roomy.clear()
            self._catching_up = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._connection.room()
        self.full = False
        self._replies = 0
        self._roomy.set()
        if self.on_room is not None:
            self.on_room()

    async def reply(self, frame: bytes) -> None:
        """Send an answer to one of its own frames. Waits while it leaves too many answers unread."""
        if self.full:
            self._replies += 1
            if self._replies > _MOST_REPLIES:
                await self._roomy.wait()
        self.offer(frame)

    async def refuse(self, error: AppError) -> None:
        """Answer one of its frames with an `error` frame."""
        await self.reply(frames.error(self._connection.describe(error)))

    def finish(self, code: int, reason: str, last: bytes | None = None) -> None:
        """Close it, after `last`."""
        if last is not None:
            self.offer(last)
        if not self.leaving:
            self._connection.close(code, reason)
            self.gone()

    def gone(self) -> None:
        """Nothing reaches it any more."""
        self.leaving = True
        self._roomy.set()
        if self._catching_up is not None:
            self._catching_up.cancel()
