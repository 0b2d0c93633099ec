"""One lock a container: requests on one take turns, requests on different ones do not wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from container_manager.errors import LimitReached
from container_manager.models import Cuid

MAX_WAITING = 64
"""Requests that may wait for one container; one more is refused instead of queued without end."""


class Locks:
    """Fair locks by cuid, kept only while somebody holds or awaits them."""

    def __init__(self) -> None:
        self._locks: dict[Cuid, asyncio.Lock] = {}
        self._users: dict[Cuid, int] = {}

    @asynccontextmanager
    async def hold(self, cuid: Cuid) -> AsyncIterator[None]:
        """Wait for one's turn at `cuid`. LimitReached when MAX_WAITING others wait already."""
        users = self._users.get(cuid, 0)
        if users > MAX_WAITING:
            raise LimitReached(
                f"{MAX_WAITING} requests wait for {cuid} already; try again when they are done", limit=MAX_WAITING
            )
        lock = self._locks.setdefault(cuid, asyncio.Lock())
        self._users[cuid] = users + 1
        try:
            async with lock:
                yield
        finally:
            self._users[cuid] -= 1
            if not self._users[cuid]:
                del self._users[cuid], self._locks[cuid]
