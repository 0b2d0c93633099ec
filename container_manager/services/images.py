"""Images: pulled once however many ask, and on even when the one who asked has given up waiting."""

import asyncio
from collections.abc import Callable
from typing import Any

from container_manager.engine.engine import Engine
from container_manager.errors import EngineTimeout

Progress = Callable[[str, dict[str, Any]], None]


class Images:
    """Pulls under way, by reference."""

    def __init__(self, engine: Engine, timeout: float) -> None:
        self._engine = engine
        self._timeout = timeout
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._listeners: list[Progress] = []

    def on_progress(self, listener: Progress) -> None:
        """Call `listener(reference, progress)` with each step of every pull, and {"done": True} after its last."""
        self._listeners.append(listener)

    async def pull(self, reference: str) -> None:
        """Have the image here. ImageNotFound; EngineTimeout while it is still coming (the pull goes on)."""
        task = self._pulls.get(reference)
        if task is None:
            task = asyncio.create_task(self._engine.pull(reference, lambda step: self._tell(reference, step)))
            self._pulls[reference] = task
            task.add_done_callback(lambda done: self._ended(reference, done))
        try:
            await asyncio.wait_for(asyncio.shield(task), self._timeout)
        except TimeoutError:
            raise EngineTimeout(
                f"{reference} is still being pulled after {self._timeout:g} s; it goes on: start again in a while",
                image=reference,
                seconds=self._timeout,
            ) from None

    async def close(self) -> None:
        """Give up every pull."""
        tasks = list(self._pulls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, reference: str, step: dict[str, Any]) -> None:
        for listener in self._listeners:
            listener(reference, step)

    def _ended(self, reference: str, task: asyncio.Task[None]) -> None:
        self._pulls.pop(reference, None)
        self._tell(reference, {"done": True})
        if not task.cancelled():
            # Read it, so that a pull nobody waits for any more does not complain of an unseen error.
            task.exception()
