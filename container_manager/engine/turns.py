"""How many operations the engine works on at once, first come, first served."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from container_manager.errors import EngineTimeout


class Turns:
    """A fair semaphore. `waiting` and `running` are counts, for metrics."""

    def __init__(self, most: int, patience: float, alive: Callable[[], bool]) -> None:
        self._semaphore = asyncio.Semaphore(most)
        self._patience, self._alive = patience, alive
        self.waiting = 0
        self.running = 0

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn for as long as the engine is alive; EngineTimeout after `patience` seconds when it is not."""
        if self._semaphore.locked():
            await self._queue()
        else:
            await self._semaphore.acquire()
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._semaphore.release()

    async def _queue(self) -> None:
        # A task keeps its place in the queue while we look up from time to time.
        turn = asyncio.create_task(self._semaphore.acquire())
        self.waiting += 1
        try:
            while not turn.done():
                await asyncio.wait({turn}, timeout=self._patience)
                if not turn.done() and not self._alive():
                    raise EngineTimeout(
                        f"The engine took longer than {self._patience:g} seconds", seconds=self._patience
                    )
        except BaseException:
            if not turn.cancel() and not turn.cancelled():
                self._semaphore.release()
            raise
        finally:
            self.waiting -= 1
