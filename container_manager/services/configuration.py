"""Changes to a container's file, applied at once where it runs."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from container_manager.engine.engine import Engine
from container_manager.errors import AppError
from container_manager.models import Cuid, PortMapping, Resources
from container_manager.services.images import Images
from container_manager.services.lifecycle import Lifecycle
from container_manager.settings import Settings
from container_manager.store.compose_edit import Editor
from container_manager.store.locks import Locks
from container_manager.store.registry import Registry

Applied = Literal["recreated", "at_once", "next_start", "unchanged"]
"""When a change takes effect: it has, with a new container or without; at the next start; or nothing differed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change; None leaves a thing as it is. A variable whose value is None is removed."""

    image: str | None = None
    env: Mapping[str, str | None] | None = None
    tags: tuple[str, ...] | None = None
    resources: Resources | None = None
    ports: tuple[PortMapping, ...] | None = None
    ttl: int | None = None
    idle_timeout: int | None = None

    @property
    def of_the_engine(self) -> bool:
        """Whether a running container must be made anew for it."""
        engine = (self.image, self.env, self.tags, self.resources, self.ports)
        return any(value is not None for value in engine)


class Configuration:
    """Edits the file, recreates what runs, and puts both back when that fails."""

    def __init__(
        self, settings: Settings, engine: Engine, registry: Registry, locks: Locks, lifecycle: Lifecycle, images: Images
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._registry = registry
        self._locks = locks
        self._lifecycle = lifecycle
        self._images = images

    async def update(self, cuid: Cuid, changes: Changes) -> Applied:
        """Apply `changes` all or nothing. ImageNotFound, PortInUse … leave the container as it was."""
        async with self._locks.hold(cuid):
            state = self._engine.states.get(cuid)
            running = state is not None and state.status in ("running", "restarting")
            if running and changes.image is not None and await self._engine.image(changes.image) is None:
                # Before the old container goes: a pull may fail, or take its time.
                await self._images.pull(changes.image)
            before = await self._registry.edit(cuid, lambda editor: self._change(editor, changes))
            if before == await self._registry.read(cuid):
                return "unchanged"
            if not changes.of_the_engine:
                return "at_once"
            if not running:
                return "next_start"
            try:
                await self._lifecycle.apply(cuid)
            except BaseException:
                await asyncio.shield(self._put_back(cuid, before))
                raise
            return "recreated"

    def _change(self, editor: Editor, changes: Changes) -> None:
        if changes.image is not None:
            editor.set_image(changes.image)
        if changes.env is not None:
            editor.merge_env(changes.env)
        if changes.tags is not None:
            editor.set_tags(changes.tags)
        if changes.resources is not None:
            editor.merge_resources(changes.resources)
        if changes.ports is not None:
            editor.set_ports(changes.ports, self._settings.publish_address)
        editor.set_lifetimes(changes.ttl, changes.idle_timeout)

    async def _put_back(self, cuid: Cuid, text: bytes) -> None:
        await self._registry.restore(cuid, text)
        try:
            await self._lifecycle.apply(cuid)
        except AppError as error:
            _log.error("%s runs no longer: its change failed, and so did going back: %s", cuid, error.message)
