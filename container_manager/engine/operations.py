"""The verbs of a container's life: each runs in its turn, and returns once the table of states shows its result."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from container_manager.engine import compose, recreation
from container_manager.engine.docker import Docker
from container_manager.engine.failures import NetworkMissing, failure
from container_manager.engine.follower import Follower
from container_manager.engine.network import SharedNetwork
from container_manager.engine.orphans import mark
from container_manager.engine.process import Finished, clean_environment, run
from container_manager.engine.states import Predicate, StateTable
from container_manager.engine.turns import Turns
from container_manager.errors import AppError, ComposeError, EngineTimeout, EngineUnavailable, PortInUse
from container_manager.models import Cuid, EngineInfo, EngineState
from container_manager.settings import Settings

SETTLE_TIMEOUT = 5.0
"""Seconds that a start waits for the ports really bound, once the container is known to have started."""

RETRY_INTERVAL = 0.05
"""Seconds until the engine is asked again for what it did not see."""

RETURN_TIMEOUT = 1.0
"""Seconds from the loss of the engine in which operations wait for its return instead of failing."""

SLOW = 1 / 3
"""Part of REQUEST_TIMEOUT after which an operation makes us look whether the engine still answers: whoever waits
behind it is told before the time is over."""

Observer = Callable[[str, str, float], None]
"""Told of each operation that has ended: its verb, "ok" or the code of its error, and its seconds."""


class Operations:
    """What may be done to a container as a whole, on one engine that is followed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.environment: Mapping[str, str] = {**clean_environment(settings.docker_host), **mark(settings.data_dir)}
        self.states = StateTable()
        self._timeout = settings.request_timeout
        self._docker = Docker("docker", self.environment, self._timeout)
        self._follower = Follower(self._docker, self.states)
        self._network = SharedNetwork(self._docker, settings.network)
        self.turns = Turns(settings.max_workers, self._follower.lost)
        self._compose: compose.Compose | None = None
        self._info: tuple[int, EngineInfo] | None = None
        self._cut_off: set[Cuid] = set()
        self.observer: Observer = lambda verb, result, seconds: None

    @property
    def available(self) -> bool:
        """It is followed: the table is true."""
        return self._follower.available

    @property
    def event_lag(self) -> float:
        """Seconds from the newest event at the engine to its being read here, by the engine's clock and ours."""
        return self._follower.lag

    async def connected(self) -> None:
        """Return once it is followed."""
        await self._follower.connected()

    async def info(self) -> EngineInfo:
        """Which engine answers; asked once per connection."""
        if not self.available:
            raise EngineUnavailable("The engine does not answer")
        connection = self._follower.connections
        if self._info is None or self._info[0] != connection:
            name, version = await self._docker.versions()
            self._info = connection, EngineInfo(name, version, self._verbs.version)
        return self._info[1]

    async def ensure_network(self) -> str | None:
        """The name of the network that containers share, made if need be; None when they get none."""
        if self.settings.network == "none":
            return None
        info = await self.info()
        return await self._network.ensure(self._follower.connections, info.name)

    async def up(
        self, cuid: Cuid, file: Path, *, publishes: bool = False, secrets: Collection[str] = ()
    ) -> EngineState:
        """Create, or recreate as `file` says, and start; with `publishes` wait for the ports really bound too.

        `secrets` never appear in an error.
        """
        if cuid in self._cut_off:
            await self.mend_recreations([cuid])
        before = self.states.get(cuid)
        # Compose killed half-way, for whatever reason, may leave a container under a wrong name.
        self._cut_off.add(cuid)
        grace = self.settings.stop_timeout
        argv = self._verbs.up(cuid, file, grace)
        try:
            started = await self._run_start("up", cuid, argv, grace=grace, secrets=secrets)
        except NetworkMissing:
            self._network.forget()
            await self.ensure_network()
            started = await self._run_start("up", cuid, argv, grace=grace, secrets=secrets)
        self._cut_off.discard(cuid)
        return await self._started(cuid, before if started else None, publishes)

    async def mend_recreations(self, known: Collection[Cuid]) -> list[Cuid]:
        """Bring in order what a recreation left that was cut off; those of `known` that are still to be started."""
        await self._in_sight()
        unfinished = await recreation.mend(self._docker, known)
        self._cut_off.difference_update(known)
        return unfinished

    async def start_existing(self, cuid: Cuid, *, publishes: bool = False) -> EngineState:
        """Start the container as it was made; with `publishes` wait for the ports really bound too."""
        before = self.states.get(cuid)
        started = await self._run_start("start", cuid, self._verbs.start(cuid))
        return await self._started(cuid, before if started else None, publishes)

    async def stop(self, cuid: Cuid, timeout: float) -> EngineState:
        """Stop, paused or not; killed after `timeout` seconds."""
        await self._thaw(cuid)
        await self._run("stop", self._verbs.stop(cuid, timeout), grace=timeout)
        return await self._shows(
            cuid, lambda state: state is not None and state.status in ("exited", "dead", "created")
        )

    async def restart(self, cuid: Cuid, timeout: float) -> EngineState:
        """Stop, killed after `timeout` seconds, and start."""
        await self._thaw(cuid)
        before = self.states.get(cuid)
        await self._run("restart", self._verbs.restart(cuid, timeout), grace=timeout)
        return await self._started(cuid, before)

    async def pause(self, cuid: Cuid) -> EngineState:
        """Freeze every process of the container."""
        await self._run("pause", self._verbs.pause(cuid))
        return await self._shows(cuid, lambda state: state is not None and state.status != "running")

    async def unpause(self, cuid: Cuid) -> EngineState:
        """Thaw."""
        # Not Compose's own: at Podman it finds no paused container.
        await self._run("unpause", [self._docker.binary, "unpause", cuid])
        return await self._shows(cuid, lambda state: state is not None and state.status != "paused")

    async def remove(self, cuid: Cuid, file: Path) -> None:
        """Stop and remove the container and what Compose made for it; returns once it is gone."""
        await self._thaw(cuid)
        timeout = self.settings.stop_timeout
        await self._run("remove", self._verbs.down(cuid, timeout), grace=timeout)
        await self.states.wait(cuid, lambda state: state is None, self._timeout)
        self._cut_off.discard(cuid)

    async def _thaw(self, cuid: Cuid) -> None:
        state = self.states.get(cuid)
        if state is not None and state.status == "paused":
            await self.unpause(cuid)

    async def _run_start(
        self, verb: str, cuid: Cuid, argv: Sequence[str], *, grace: float = 0, secrets: Collection[str] = ()
    ) -> bool:
        """Run an up or a start; whether that started the container, which may run already."""
        deadline = time.monotonic() + self._timeout
        while True:
            finished = await self._run(verb, argv, grace=grace, secrets=secrets)
            if b'"Started"' in finished.stderr:
                return True
            state = self.states.get(cuid)
            if state is not None and state.status in ("running", "paused", "restarting"):
                return False
            # The engine tells of an end before its own list shows it: Compose saw a container that still runs.
            if time.monotonic() > deadline:
                raise EngineTimeout(f"The container did not start within {self._timeout:g} seconds")
            await asyncio.sleep(RETRY_INTERVAL)

    async def _started(self, cuid: Cuid, before: EngineState | None, publishes: bool = False) -> EngineState:
        """Wait until a start later than `before` (None: any) shows; it may have ended again already.

        Where it `publishes` ports, or is known to, until the ports really bound show too.
        """

        def later(state: EngineState | None) -> bool:
            if state is None or state.started_at is None:
                return False
            return before is None or (state.container_id, state.started_at) != (before.container_id, before.started_at)

        state = await self._shows(cuid, later)
        if publishes or self._follower.publishes(cuid):
            settled = await self.states.wait(cuid, lambda _: self._follower.settled(cuid), SETTLE_TIMEOUT)
            return settled or state
        return state

    async def _shows(self, cuid: Cuid, predicate: Predicate) -> EngineState:
        try:
            state = await self.states.wait(cuid, predicate, self._timeout)
        except EngineTimeout:
            self._follower.doubt()
            raise
        assert state is not None  # noqa: S101 - no predicate here takes None
        return state

    async def _run(
        self, verb: str, argv: Sequence[str], *, grace: float = 0, secrets: Collection[str] = ()
    ) -> Finished:
        """Run one verb in its turn. Its time is REQUEST_TIMEOUT and the `grace` that containers get to end."""
        await self._in_sight()
        async with self.turns.take():
            with self._observed(verb):
                finished = await run(argv, self.environment, timeout=self._timeout + grace)
                if finished.code == 0:
                    return finished
                error = failure(argv, finished.code, finished.stderr, secrets=secrets)
                raise self._with_owner(error) if isinstance(error, PortInUse) else error

    @contextlib.contextmanager
    def _observed(self, verb: str) -> Iterator[None]:
        """What is done here is told to the observer; an engine that seems to be gone is looked at."""
        began, result = time.monotonic(), "cancelled"
        slow = asyncio.get_running_loop().call_later(self._timeout * SLOW, self._follower.doubt)
        try:
            yield
            result = "ok"
        except AppError as error:
            result = error.code
            if isinstance(error, EngineTimeout | EngineUnavailable):
                self._follower.doubt()
            raise
        finally:
            slow.cancel()
            self.observer(verb, result, time.monotonic() - began)

    async def _in_sight(self) -> None:
        """Nothing is asked of an engine that is known not to answer; one that may be back in a moment is waited for."""
        patience = RETURN_TIMEOUT - self._follower.away
        if not self.available and patience > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.connected()
        if not self.available:
            raise EngineUnavailable("The engine does not answer", states_age_seconds=round(self.states.age, 3))

    def _with_owner(self, error: PortInUse) -> PortInUse:
        port = error.details["port"]
        owners = (state.cuid for state in self.states.all.values() if any(bound.host == port for bound in state.ports))
        owner: str | None = next(owners, "this server" if port == self.settings.port else None)
        told = f"{error.message} by {owner or 'another program'}; choose another port, or free that one"
        return PortInUse(told, **{**error.details, "owner": owner})

    @property
    def _verbs(self) -> compose.Compose:
        if self._compose is None:
            raise ComposeError("The engine is not started")
        return self._compose
