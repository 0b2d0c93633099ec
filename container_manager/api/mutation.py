"""Changes that run to their end: a client that leaves half-way cuts no engine operation."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Mutations:
    """Owns every running change and waits for them when the server ends.

    The server runs with `handler_cancellation=True` (see `api/server.py`): reads and streams end with
    their client, changes are run here and do not.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, change: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `change` as a task of its own; await it through `asyncio.shield`."""
        task = asyncio.create_task(change, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    @property
    def count(self) -> int:
        """How many run now."""
        return len(self._running)

    async def close(self, seconds: float) -> None:
        """Let the running changes end within `seconds`, then cancel those that have not."""
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=seconds)
        for task in late:
            task.cancel()
        for task in late:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
