"""How many operations the engine works on at once, first come, first served."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar

from container_manager.errors import EngineUnavailable

_arrivals = itertools.count()
_place: ContextVar[int | None] = ContextVar("place", default=None)


def arrive() -> None:
    """The running task, and what it starts, has its place in the queue from now on, whenever it asks for its turn.

    Files are written before the engine is asked: without this, whoever writes faster would overtake.
    """
    _place.set(next(_arrivals))


class Turns:
    """A semaphore in the order of arrival. `waiting` and `running` are counts, for metrics; `lost` returns once the
    engine is away."""

    def __init__(self, most: int, lost: Callable[[], Awaitable[object]]) -> None:
        self._free = most
        self._queue: list[tuple[int, int, asyncio.Future[object]]] = []
        self._lost = lost
        self.waiting = 0
        self.running = 0

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn, however long the queue is; EngineUnavailable as soon as the engine is known to be away."""
        if self._free:
            self._free -= 1
        else:
            await self._wait()
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._hand_on()

    def _hand_on(self) -> None:
        """Give a turn to who came first, or put it back."""
        while self._queue:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def _wait(self) -> None:
        turn: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        asked, place = next(_arrivals), _place.get()
        heapq.heappush(self._queue, (asked if place is None else place, asked, turn))
        lost = asyncio.ensure_future(self._lost())
        self.waiting += 1
        try:
            await asyncio.wait({turn, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise EngineUnavailable("The engine stopped answering while this waited for its turn")
        except BaseException:
            if not turn.cancel():
                # It was given at this very moment.
                self._hand_on()
            raise
        finally:
            lost.cancel()
            self.waiting -= 1
