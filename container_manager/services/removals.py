"""Containers that are condemned: off the list for good, and removed for certain, however often the engine is away."""

import asyncio
import logging
from collections.abc import Iterable

from container_manager.engine.engine import Engine
from container_manager.errors import AppError
from container_manager.models import Cuid, Layout
from container_manager.store.mounts import Mounts
from container_manager.store.registry import Registry

RETRY_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Removals:
    """What is to be removed is marked on disk first, so that a kill or a sick engine only puts it off."""

    def __init__(self, engine: Engine, registry: Registry, mounts: Mounts, layout: Layout) -> None:
        self._engine = engine
        self._registry = registry
        self._mounts = mounts
        self._layout = layout
        self._waiting: dict[Cuid, bool] = {}
        self._more = asyncio.Event()

    async def remove(self, cuid: Cuid, *, keep_files: bool) -> None:
        """Remove container, file and mount (not with `keep_files`). The engine's errors leave everything as it was."""
        if self._engine.states.get(cuid) is not None or not self._engine.available:
            await self._registry.doom(cuid, keep_files=keep_files)
            try:
                await self._engine.remove(cuid, self._layout.compose_file(cuid))
            except AppError:
                await self._registry.spare(cuid)
                raise
        await self._registry.condemn(cuid, keep_files=keep_files)
        await self._forget(cuid, keep_files=keep_files)

    async def discard(self, cuid: Cuid) -> None:
        """Remove all of it, now or once the engine lets us. Never fails for the engine's sake."""
        await self._registry.condemn(cuid)
        try:
            await self._finish(cuid, keep_files=False)
        except AppError as error:
            _log.warning("%s is still to be removed from the engine: %s", cuid, error.message)
            self.put_off([(cuid, False)])

    def put_off(self, condemned: Iterable[tuple[Cuid, bool]]) -> None:
        """Leave these, condemned already, to `run`; the flag says whether their files stay."""
        self._waiting.update(condemned)
        self._more.set()

    async def run(self) -> None:
        """Finish, for ever, what was put off."""
        while True:
            await self._more.wait()
            await self._engine.connected()
            for cuid, keep_files in list(self._waiting.items()):
                try:
                    await self._finish(cuid, keep_files=keep_files)
                    del self._waiting[cuid]
                except (AppError, OSError) as error:
                    _log.warning("%s is still to be removed: %s", cuid, error)
            if self._waiting:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._more.clear()

    async def _finish(self, cuid: Cuid, *, keep_files: bool) -> None:
        await self._engine.remove(cuid, self._layout.compose_file(cuid))
        await self._forget(cuid, keep_files=keep_files)

    async def _forget(self, cuid: Cuid, *, keep_files: bool) -> None:
        if not keep_files:
            await asyncio.to_thread(self._mounts.remove, cuid)
        await self._registry.finish_removal(cuid)
