"""How many operations the engine works on at once, first come, first served."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from container_manager.errors import EngineUnavailable


class Turns:
    """A fair semaphore. `waiting` and `running` are counts, for metrics; `lost` returns once the engine is away."""

    def __init__(self, most: int, lost: Callable[[], Awaitable[object]]) -> None:
        self._semaphore = asyncio.Semaphore(most)
        self._lost = lost
        self.waiting = 0
        self.running = 0

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn, however long the queue is; EngineUnavailable as soon as the engine is known to be away."""
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
        turn = asyncio.ensure_future(self._semaphore.acquire())
        lost = asyncio.ensure_future(self._lost())
        self.waiting += 1
        try:
            await asyncio.wait({turn, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise EngineUnavailable("The engine stopped answering while this waited for its turn")
        except BaseException:
            if not turn.cancel() and not turn.cancelled():
                self._semaphore.release()
            raise
        finally:
            lost.cancel()
            self.waiting -= 1
