"""From created to deleted: which step is possible when, and what each leaves behind."""

import asyncio
import logging
from dataclasses import dataclass, replace

from container_manager.engine.engine import Engine
from container_manager.errors import (
    AppError,
    ComposeError,
    ContainerRunning,
    EngineUnavailable,
    ImageNotFound,
    InvalidTransition,
    PortInUse,
)
from container_manager.models import ContainerSpec, Cuid, EngineState, Layout, Runs
from container_manager.services.boot import BOOT_FILE, Boot, refuse_bare_interpreter
from container_manager.services.images import Images
from container_manager.services.removals import Removals
from container_manager.services.volumes import Volumes
from container_manager.settings import Settings
from container_manager.store.compose_edit import Editor
from container_manager.store.locks import Locks
from container_manager.store.mounts import Mounts
from container_manager.store.registry import Fingerprint, Registry

_log = logging.getLogger(__name__)

ACTIVE = ("running", "restarting", "paused")
"""Statuses of a container that has a process."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended. `changed` is False when the container was there already."""

    state: EngineState | None
    changed: bool


class Lifecycle:
    """Each method takes its turn at the container, and returns when the table of states shows the result."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        registry: Registry,
        locks: Locks,
        mounts: Mounts,
        images: Images,
        volumes: Volumes,
        boot: Boot,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._registry = registry
        self._locks = locks
        self._mounts = mounts
        self._images = images
        self._volumes = volumes
        self._layout = Layout(settings.data_dir)
        self._removals = Removals(engine, registry, mounts, self._layout)
        self._boot = boot
        self._applied: dict[Cuid, Fingerprint | None] = {}
        self._stopped: set[Cuid] | None = set()
        """What was stopped since the server's start; None once recreations that were cut off are finished."""

    async def create(self, spec: ContainerSpec, *, start: bool = False) -> None:
        """Write mount and file; with `start` also start it, and leave nothing behind when that fails."""
        if start and spec.command is not None:
            # Known already: the file need not be written twice.
            spec = replace(spec, runs="command")
        async with self._locks.hold(spec.cuid):
            await asyncio.to_thread(self._mounts.create, spec.cuid)
            try:
                async with self._volumes.admitted(spec.volumes):
                    await self._registry.add(spec)
            except BaseException:
                await asyncio.to_thread(self._mounts.remove, spec.cuid)
                raise
            if start:
                try:
                    await self._start(spec.cuid)
                except BaseException:
                    self._applied.pop(spec.cuid, None)
                    await asyncio.shield(self._removals.discard(spec.cuid))
                    raise

    async def start(self, cuid: Cuid) -> Outcome:
        """Run it. InvalidTransition when paused; BootMissing, ImageNotFound, PortInUse."""
        async with self._locks.hold(cuid):
            return await self._start_once(cuid)

    async def stop(self, cuid: Cuid) -> Outcome:
        """End it: SIGTERM, then SIGKILL after STOP_TIMEOUT."""
        async with self._locks.hold(cuid):
            self._registry.get(cuid)
            if self._stopped is not None:
                self._stopped.add(cuid)
            state = self._engine.states.get(cuid)
            if state is None or state.status not in ACTIVE:
                return Outcome(state, changed=False)
            return Outcome(await self._engine.stop(cuid, self._settings.stop_timeout), changed=True)

    async def restart(self, cuid: Cuid) -> Outcome:
        """Stop it if it runs, start it in any case; what was edited meanwhile is applied."""
        async with self._locks.hold(cuid):
            await self._registry.refresh(cuid)
            self._registry.usable(cuid)
            state = self._engine.states.get(cuid)
            if state is not None and state.status == "paused":
                raise self._impossible("restart", cuid, state, "unpause it first")
            if state is None or state.status not in ACTIVE:
                return Outcome(await self._start(cuid), changed=True)
            await self._write_runs(cuid)
            if self._is_applied(cuid):
                return Outcome(await self._engine.restart(cuid, self._settings.stop_timeout), changed=True)
            await self._engine.stop(cuid, self._settings.stop_timeout)
            return Outcome(await self._start(cuid), changed=True)

    async def pause(self, cuid: Cuid) -> Outcome:
        """Freeze it. InvalidTransition unless it runs."""
        async with self._locks.hold(cuid):
            self._registry.get(cuid)
            state = self._engine.states.get(cuid)
            if state is not None and state.status == "paused":
                return Outcome(state, changed=False)
            if state is None or state.status != "running":
                raise self._impossible("pause", cuid, state, "start it first")
            return Outcome(await self._engine.pause(cuid), changed=True)

    async def unpause(self, cuid: Cuid) -> Outcome:
        """Let a frozen one go on. InvalidTransition unless it is paused or runs."""
        async with self._locks.hold(cuid):
            self._registry.get(cuid)
            state = self._engine.states.get(cuid)
            if state is not None and state.status in ("running", "restarting"):
                return Outcome(state, changed=False)
            if state is None or state.status != "paused":
                raise self._impossible("unpause", cuid, state, "start it first")
            return Outcome(await self._engine.unpause(cuid), changed=True)

    async def delete(self, cuid: Cuid, *, force: bool = False, keep_files: bool = False) -> None:
        """Remove container, file and mount (not with `keep_files`). ContainerRunning unless `force`."""
        async with self._locks.hold(cuid):
            self._registry.get(cuid)
            state = self._engine.states.get(cuid)
            if state is not None and state.status in ACTIVE and not force:
                raise ContainerRunning(
                    f"{cuid} is {state.status}: stop it first, or delete it with ?force=true", status=state.status
                )
            self._applied.pop(cuid, None)
            await self._removals.remove(cuid, keep_files=keep_files)

    async def apply(self, cuid: Cuid) -> EngineState:
        """Make a running container what its file says now. The caller holds the lock."""
        return await self._start(cuid)

    async def follow_up(self, condemned: list[tuple[Cuid, bool]]) -> None:
        """Finish what a kill has cut off, as soon as the engine lets us; from then on, what is put off. For ever."""
        self._removals.put_off(condemned)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._removals.run())
            tasks.create_task(self._finish_recreations())

    async def _finish_recreations(self) -> None:
        """Start containers that were being made anew when the last run was killed, but those stopped meanwhile."""
        await self._engine.connected()
        cut_off: list[Cuid] = []
        try:
            cut_off = await self._engine.mend_recreations([spec.cuid for spec in self._registry.after()])
        except AppError as error:
            _log.warning("recreations that were cut off are not looked for: %s", error.message)
        for cuid in cut_off:
            try:
                async with self._locks.hold(cuid):
                    if self._stopped is None or cuid not in self._stopped:
                        await self._start_once(cuid)
                        _log.warning("finished the recreation of %s that the last run was killed in", cuid)
            except (AppError, OSError) as error:
                _log.warning("the recreation of %s was cut off, and cannot be finished: %s", cuid, error)
        self._stopped = None

    # --- below the lock -------------------------------------------------------------------

    async def _start_once(self, cuid: Cuid) -> Outcome:
        """Start it unless it runs."""
        # Corrected by hand a moment ago, it is usable.
        await self._registry.refresh(cuid)
        self._registry.usable(cuid)
        state = self._engine.states.get(cuid)
        if state is not None and state.status in ("running", "restarting"):
            return Outcome(state, changed=False)
        if state is not None and state.status == "paused":
            raise self._impossible("start", cuid, state, "unpause it instead")
        return Outcome(await self._start(cuid), changed=True)

    async def _start(self, cuid: Cuid) -> EngineState:
        await self._write_runs(cuid)
        spec = self._registry.usable(cuid)
        await self._engine.ensure_network()
        try:
            state = await self._run(cuid)
        except ImageNotFound:
            await self._images.pull(spec.image)
            state = await self._run(cuid)
        self._applied[cuid] = self._registry.fingerprint(cuid)
        self._boot.started(self._registry.get(cuid))
        return state

    async def _run(self, cuid: Cuid) -> EngineState:
        """The cheaper `start` where the container at the engine is what the file says, else `up`."""
        spec = self._registry.get(cuid)
        publishes = bool(spec.ports)
        if self._engine.states.get(cuid) is not None and self._is_applied(cuid):
            try:
                return await self._engine.start_existing(cuid, publishes=publishes)
            except PortInUse:
                raise
            except ComposeError as error:
                if isinstance(error, EngineUnavailable):
                    raise
                _log.info("%s: start failed, making it anew: %s", cuid, error.message)
        return await self._engine.up(
            cuid, self._layout.compose_file(cuid), publishes=publishes, secrets=spec.env.values()
        )

    def _is_applied(self, cuid: Cuid) -> bool:
        return cuid in self._applied and self._applied[cuid] == self._registry.fingerprint(cuid)

    async def _write_runs(self, cuid: Cuid) -> None:
        """Decide what it runs, and write that into the file."""
        await self._registry.refresh(cuid)
        spec = self._registry.usable(cuid)
        runs = await self._decide(spec)
        keys = await asyncio.to_thread(self._boot.keys, spec) if runs == "boot" else {}

        def change(editor: Editor) -> None:
            editor.set_identity(cuid)
            editor.set_runs(runs, keys)
            editor.set_network(self._settings.network)

        await self._registry.edit(cuid, change)

    async def _decide(self, spec: ContainerSpec) -> Runs:
        if spec.command is not None:
            return "command"
        if await asyncio.to_thread(self._mounts.has_file, spec.cuid, BOOT_FILE):
            return "boot"
        facts = await self._engine.image(spec.image)
        if facts is None:
            await self._images.pull(spec.image)
            facts = await self._engine.image(spec.image)
        if facts is None:
            raise ImageNotFound(f"The engine has no image {spec.image}", image=spec.image)
        refuse_bare_interpreter(spec, facts)
        return "image"

    def _impossible(self, verb: str, cuid: Cuid, state: EngineState | None, advice: str) -> InvalidTransition:
        status = "created" if state is None else state.status
        return InvalidTransition(f"Cannot {verb} {cuid}, which is {status}: {advice}", verb=verb, status=status)
