"""Containers that end by themselves: after a time of running, or when nobody has used them for a while."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from container_manager.audit import Audit, line
from container_manager.engine.engine import Engine
from container_manager.errors import AppError
from container_manager.models import Actor, ContainerSpec, Cuid, EngineState
from container_manager.services.lifecycle import Lifecycle
from container_manager.services.terminals import Terminals
from container_manager.store.registry import Registry

CHECK_SECONDS = 1.0
LONGEST_WARNING = 60.0
"""Seconds before the end at which it is announced; a tenth of the whole time where that is shorter."""

_log = logging.getLogger(__name__)
_SERVER = Actor("container-manager", "")


@dataclass(slots=True)
class _Run:
    """One run of a container, from one start to its end. Times are monotonic seconds."""

    state_key: tuple[str, datetime | None]
    began: float
    used: float
    received: int | None = None
    warned: bool = False


class Lifetimes:
    """Stops what has reached its `ttl` or `idle_timeout`, and says so beforehand."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        lifecycle: Lifecycle,
        audit: Audit,
        terminals: Terminals,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._lifecycle = lifecycle
        self._audit = audit
        self._terminals = terminals
        self._clock = clock
        self._runs: dict[Cuid, _Run] = {}

    def used(self, cuid: str) -> None:
        """Somebody did something with it."""
        run = self._runs.get(Cuid(cuid))
        if run is not None:
            run.used = self._clock()
            run.warned = False

    async def follow(self) -> None:
        """Look every second, for ever."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Warn and stop what is due now."""
        bounded = [spec for spec in self._registry.after() if (spec.ttl or spec.idle_timeout) and not spec.broken]
        for cuid in self._runs.keys() - {spec.cuid for spec in bounded}:
            self._forget(cuid)
        for spec in bounded:
            state = self._engine.states.get(spec.cuid)
            if state is None or state.status != "running":
                self._forget(spec.cuid)
            else:
                await self._check(spec, self._run_of(spec.cuid, state))

    def _forget(self, cuid: Cuid) -> None:
        run = self._runs.pop(cuid, None)
        if run is not None:
            self._engine.traffic.forget(run.state_key[0])

    def _run_of(self, cuid: Cuid, state: EngineState) -> _Run:
        key = (state.container_id, state.started_at)
        run = self._runs.get(cuid)
        if run is None or run.state_key != key:
            self._forget(cuid)
            now = self._clock()
            # How long it has run already, when this server came later than its start. Asked of the calendar
            # once; from then on the clock that nobody sets counts.
            age = (datetime.now(UTC) - state.started_at).total_seconds() if state.started_at else 0.0
            run = _Run(key, now - max(age, 0.0), now)
            self._runs[cuid] = run
        return run

    async def _check(self, spec: ContainerSpec, run: _Run) -> None:
        if spec.idle_timeout:
            if self._terminals.used_at(spec.cuid) > run.used:
                self.used(spec.cuid)
            received = await self._engine.traffic.received(run.state_key[0])
            if received is not None and received != run.received:
                if run.received is not None:
                    self.used(spec.cuid)
                run.received = received
        now = self._clock()
        ends = [(run.began + spec.ttl, spec.ttl, "its time is over")] if spec.ttl else []
        ends += [(run.used + spec.idle_timeout, spec.idle_timeout, "nobody used it")] if spec.idle_timeout else []
        end, span, why = min(ends)
        if now >= end:
            await self._stop(spec.cuid, why)
        elif now >= end - min(LONGEST_WARNING, span / 10) and not run.warned:
            run.warned = True
            self._terminals.announce(spec.cuid, f"This container stops in {end - now:.0f} s: {why}")

    async def _stop(self, cuid: Cuid, why: str) -> None:
        began = self._clock()
        self._terminals.announce(cuid, f"This container stops now: {why}")
        error: AppError | None = None
        try:
            await self._lifecycle.stop(cuid)
        except AppError as failure:
            # It is still due at the next look.
            error = failure
            _log.warning("%s is due to stop, but: %s", cuid, failure.message)
        self._audit.record(
            line(
                action="container.expire",
                actor=_SERVER,
                cuid=cuid,
                seconds=self._clock() - began,
                error=None if error is None else {"error": error.family, "code": error.code, "message": error.message},
                details={"reason": why},
            )
        )
