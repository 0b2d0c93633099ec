"""Containers that end by themselves: after a time of running, or when nobody has used them for a while."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from container_manager.audit import Audit, line
from container_manager.engine.engine import Engine
from container_manager.engine.traffic import Mark
from container_manager.errors import AppError
from container_manager.models import Actor, ContainerSpec, Cuid
from container_manager.services.lifecycle import ACTIVE, Lifecycle
from container_manager.services.terminals import Terminals
from container_manager.store.registry import Registry

CHECK_SECONDS = 1.0
LONGEST_WARNING = 60.0
"""Seconds before the end at which it is announced; a tenth of the whole time where that is shorter."""

_log = logging.getLogger(__name__)
_SERVER = Actor("container-manager", "")


type _Key = tuple[str, datetime | None]
"""The container at the engine, and when it started: another run has another one."""


@dataclass(slots=True)
class _Run:
    """One run of a container with bounds, from one start to its end. Times are monotonic seconds."""

    key: _Key
    began: float
    used: float
    traffic: Mark | None = None
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
        self._began: dict[Cuid, tuple[_Key, float]] = {}
        self._runs: dict[Cuid, _Run] = {}
        self._looked = False

    def used(self, cuid: str) -> None:
        """Somebody did something with it."""
        run = self._runs.get(Cuid(cuid))
        if run is not None:
            run.used = self._clock()
            run.warned = False

    async def follow(self) -> None:
        """Look every second, for ever; at once first, so that what starts from now on is seen to start."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Warn and stop what is due now."""
        self._note_starts()
        bounded = [spec for spec in self._registry.after() if (spec.ttl or spec.idle_timeout) and not spec.broken]
        for cuid in self._runs.keys() - {spec.cuid for spec in bounded}:
            self._forget(cuid)
        for spec in bounded:
            state = self._engine.states.get(spec.cuid)
            if state is None or state.status != "running" or spec.cuid not in self._began:
                self._forget(spec.cuid)
            else:
                await self._check(spec, self._run_of(spec.cuid))

    def _note_starts(self) -> None:
        """Since when everything runs, bounded or not: bounds may come later.

        By the clock that nobody sets. What ran before this server came is asked of the calendar, once.
        """
        now = self._clock()
        active = {cuid: state for cuid, state in self._engine.states.all.items() if state.status in ACTIVE}
        for cuid in self._began.keys() - active.keys():
            del self._began[cuid]
        for cuid, state in active.items():
            key = (state.container_id, state.started_at)
            if cuid not in self._began or self._began[cuid][0] != key:
                age = 0.0
                if not self._looked and state.started_at is not None:
                    age = (datetime.now(UTC) - state.started_at).total_seconds()
                self._began[cuid] = key, now - max(age, 0.0)
        self._looked = self._engine.available

    def _forget(self, cuid: Cuid) -> None:
        run = self._runs.pop(cuid, None)
        if run is not None:
            self._engine.traffic.forget(run.key[0])

    def _run_of(self, cuid: Cuid) -> _Run:
        key, began = self._began[cuid]
        run = self._runs.get(cuid)
        if run is None or run.key != key:
            self._forget(cuid)
            run = self._runs[cuid] = _Run(key, began, self._clock())
        return run

    async def _check(self, spec: ContainerSpec, run: _Run) -> None:
        if spec.idle_timeout:
            if self._terminals.used_at(spec.cuid) > run.used:
                self.used(spec.cuid)
            traffic = await self._engine.traffic.mark(run.key[0])
            if traffic is not None and traffic != run.traffic:
                if run.traffic is not None:
                    self.used(spec.cuid)
                run.traffic = traffic
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
