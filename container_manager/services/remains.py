"""What sessions leave in a container, and its certain end: after each session, at shutdown, after a crash."""

import asyncio
import logging
from pathlib import Path

from container_manager.engine.engine import Engine
from container_manager.errors import AppError
from container_manager.models import Cuid
from container_manager.terminal.leftovers import Leftovers

log = logging.getLogger(__name__)

LATE_START = 5.0
"""A session younger than this (seconds) may have had an exec on its way that starts only now."""

_AT_ONCE = 4
_TRIES = 3
_PAUSE = 1.0


class Remains:
    """Ends processes in containers by their marks: the id of this run of the server, then that of the session."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._noted = Leftovers(path)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._earlier: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to end what earlier runs of the server have left."""
        earlier = await self._noted.load()
        if earlier:
            self._earlier = asyncio.create_task(self._end_earlier(earlier), name="remains of earlier runs")

    async def close(self) -> None:
        """End what this run has started, wherever it is; what earlier ones left waits for the next."""
        if self._earlier is not None:
            self._earlier.cancel()
            await asyncio.gather(self._earlier, return_exceptions=True)
        await asyncio.gather(*(self._end_run(self._noted.run, cuid) for cuid in self._noted.containers))

    def mark(self, sid: str) -> str:
        """The mark of everything that session `sid` starts."""
        return self._noted.run + sid

    async def expect(self, cuid: Cuid) -> None:
        """A session is about to start in `cuid`: after a crash the next run must look there."""
        await self._noted.note(cuid)

    async def end(self, cuid: Cuid, sid: str, *, age: float) -> bool:
        """End what session `sid` left, `age` seconds after it began. False when that failed."""
        ended = await self._kill(cuid, self.mark(sid))
        if age < LATE_START:
            await asyncio.sleep(_PAUSE)
            ended = await self._kill(cuid, self.mark(sid))
        return ended

    async def forget(self, cuid: Cuid) -> None:
        """Nothing of this run is left in `cuid`."""
        await self._noted.done(self._noted.run, cuid)

    async def _end_earlier(self, earlier: list[tuple[str, Cuid]]) -> None:
        await asyncio.gather(*(self._end_run(run, cuid) for run, cuid in earlier))

    async def _end_run(self, run: str, cuid: Cuid) -> None:
        if await self._kill(cuid, run):
            await self._noted.done(run, cuid)

    async def _kill(self, cuid: Cuid, mark: str) -> bool:
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            state = self._engine.states.get(cuid)
            if self._engine.available and (state is None or state.status not in ("running", "paused")):
                return True  # its processes went with it
            try:
                async with self._turns:
                    await self._engine.kill_marked(cuid, mark, user=None)
                return True
            except AppError as error:
                problem = error.message
        log.warning("processes of a session may be left in %s: %s", cuid, problem)
        return False
