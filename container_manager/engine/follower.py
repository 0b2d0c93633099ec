"""Keeps the table of states true: one `docker events` child, a snapshot at each connection, a look now and then.

What the engine answers to a question may be older than an event that was read meanwhile. So an answer is taken
only when no event of that container came between question and answer; otherwise the question is asked again.
"""

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from container_manager.engine.docker import Docker, Inspected, Listed, ours
from container_manager.engine.inventory import Container, Inventory
from container_manager.engine.process import Child, streaming
from container_manager.engine.states import StateTable, with_times_of
from container_manager.errors import AppError, EngineUnavailable
from container_manager.models import Cuid, EngineState

RECONCILE_INTERVAL = 10.0
"""Seconds: an engine that freezes while nobody asks anything is noticed this much and ANSWER_TIMEOUT later."""
BACKOFF = (0.05, 0.1, 0.2, 0.5, 1.0)
STABLE = 5.0
"""A connection that held this many seconds was a good one: the next is tried at once."""
ANSWER_TIMEOUT = 5.0
"""An engine that takes longer than this, or than two thirds of REQUEST_TIMEOUT, for its clock or its list is away."""
NONE_LISTED: Mapping[str, Listed] = {}

log = logging.getLogger(__name__)


class Follower:
    """Owns the events child and the tasks around it; the only writer of the table."""

    def __init__(self, docker: Docker, states: StateTable, reconcile_interval: float = RECONCILE_INTERVAL) -> None:
        self._docker, self._states = docker, states
        self._interval = reconcile_interval
        self._seen = Inventory()
        self._questions: list[set[str]] = []
        self._dirty: set[str] = set()
        self._asking: set[str] = set()
        self._wake, self._doubt = asyncio.Event(), asyncio.Event()
        self._connected, self._lost, self._tried = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._lost_at = -math.inf
        self._patience = min(ANSWER_TIMEOUT, docker.timeout * 2 / 3)
        self._proven = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self.connections = 0
        self.lag = 0.0
        """Seconds that the newest event was old when it was read; what the engine told again does not count."""

    @property
    def available(self) -> bool:
        """The events are attached and the table is true."""
        return self._connected.is_set()

    @property
    def away(self) -> float:
        """Seconds since the engine was lost; for ever when it was never found."""
        return 0.0 if self.available else time.monotonic() - self._lost_at

    async def lost(self) -> None:
        """Return once the engine is away."""
        await self._lost.wait()

    def start(self) -> None:
        """Begin following; goes on until `close`, whatever the engine does."""
        self._task = asyncio.create_task(self._follow(), name="engine-follower")

    async def close(self) -> None:
        """Stop following, the child included."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def connected(self) -> None:
        """Return once the table is true."""
        await self._connected.wait()

    async def first_try(self) -> None:
        """Return once it follows, or once the first attempt failed."""
        await self._tried.wait()

    def doubt(self) -> None:
        """Something took too long: look at once whether the engine still answers."""
        self._doubt.set()

    def settled(self, cuid: Cuid) -> bool:
        """Nothing of `cuid` waits to be looked at."""
        return not any(key in self._dirty or key in self._asking for key in self._seen.ids(cuid))

    def publishes(self, cuid: Cuid) -> bool:
        """It has published ports, as far as is known."""
        return any(self._seen[key].publishes for key in self._seen.ids(cuid))

    # --- the connection -------------------------------------------------------------------------

    async def _follow(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._connection()
            except AppError as error:
                log.debug("the engine is out of sight: %s", error.message)
            except Exception:
                log.exception("following the engine failed")
            if self.available:
                self._lost_at = time.monotonic()
                failures = 0 if self._lost_at - began > STABLE else failures
                log.warning("the connection to the engine is lost; trying again")
            self._connected.clear()
            self._lost.set()
            self._tried.set()
            self._states.stale(self._proven)
            await asyncio.sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1

    async def _connection(self) -> None:
        """From attaching the events to losing them. Events since before the snapshot are told again: none is lost."""
        self._dirty.clear()
        since = await self._docker.clock(timeout=self._patience)
        async with streaming(self._docker.events_argv(since), self._docker.environment) as child:
            read = asyncio.create_task(self._read(child))
            asked = asyncio.create_task(self._answer_questions())
            try:
                snapshot = asyncio.create_task(self._snapshot_and_watch())
                tasks = {read, asked, snapshot}
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in (read, asked, snapshot):
                    task.cancel()
                await asyncio.gather(read, asked, snapshot, return_exceptions=True)

    async def _snapshot_and_watch(self) -> None:
        await self._reconcile(everything=True)
        self.connections += 1
        self._states.live()
        self._lost.clear()
        self._connected.set()
        self._tried.set()
        while True:
            self._doubt.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._doubt.wait()
            await self._reconcile(everything=False)

    async def _read(self, child: Child) -> None:
        """Always drained: a reader that stops stalls the engine."""
        async for line in child.lines():
            self._proven = time.monotonic()
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                log.warning("an event of the engine cannot be read: %.200r", line)
        code = await child.process.wait()
        raise EngineUnavailable(f"docker events ended with {code}: {child.stderr.decode(errors='replace').strip()}")

    # --- questions ------------------------------------------------------------------------------

    def _ask(self, container_id: str) -> None:
        self._dirty.add(container_id)
        self._wake.set()

    async def _answer_questions(self) -> None:
        """Look at what is dirty: at once, and together what gathers meanwhile."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._dirty:
                await self._look(self._dirty)

    @contextlib.contextmanager
    def _question(self) -> Iterator[set[str]]:
        """The ids of which an event came while the question was asked."""
        overtaken: set[str] = set()
        self._questions.append(overtaken)
        try:
            yield overtaken
        finally:
            # By identity: two questions with equal sets are still two.
            self._questions = [question for question in self._questions if question is not overtaken]

    async def _look(self, ids: Iterable[str], listed: Mapping[str, Listed] = NONE_LISTED) -> None:
        """Inspect `ids` and take the answers that no event has overtaken; for what it is stuck on, `listed` must do."""
        in_order, wanted = list(ids), set(ids)
        self._dirty -= wanted
        self._asking |= wanted
        touched = {self._seen[key].state.cuid for key in wanted if key in self._seen}
        try:
            with self._question() as overtaken:
                answers, stuck = await self._docker.inspect(in_order)
            self._proven = time.monotonic()
            for answer in answers:
                touched.add(answer.state.cuid)
                self._take(answer, current=answer.state.container_id not in overtaken)
            if stuck:
                # On these alone, or on everything? The next look tells.
                self.doubt()
            for key in (stuck & listed.keys()) - set(self._seen):
                touched.add(cuid := listed[key].cuid)
                log.warning("the engine is stuck on container %s", cuid)
                self._seen.remember(key, Container(EngineState(cuid, key, listed[key].status)))
        finally:
            self._asking -= wanted
        for cuid in touched:
            self._show(cuid)

    def _take(self, answer: Inspected, *, current: bool) -> None:
        key = answer.state.container_id
        known = self._seen.get(key)
        if known is None:
            if current:
                self._seen.remember(key, Container(answer.state, answer.publishes, answer.restarts))
            return
        known.publishes, known.restarts = answer.publishes, answer.restarts
        if current:
            known.state = with_times_of(known.state, answer.state)
        else:
            self._ask(key)

    async def _reconcile(self, *, everything: bool) -> None:
        """Compare with the engine's list; look closely at what differs, or at everything."""
        with self._question() as overtaken:
            listed = {entry.container_id: entry for entry in await self._docker.listed(timeout=self._patience)}
        self._proven = time.monotonic()
        for key in [key for key in self._seen if key not in listed and key not in overtaken]:
            self._forget(key)
        different: list[str] = []
        # Oldest first, as events would have told them; the list begins with the newest.
        for key, entry in reversed(listed.items()):
            known = self._seen.get(key)
            if everything or known is None or known.state.status != entry.status or known.listed_ports != entry.ports:
                different.append(key)
        if different:
            await self._look(different, listed)
            for key in different:
                if known := self._seen.get(key):
                    known.listed_ports = listed[key].ports

    # --- events ---------------------------------------------------------------------------------

    def _apply(self, event: dict[str, Any]) -> None:
        attributes = event["Actor"].get("Attributes") or {}
        cuid = ours(attributes)
        if cuid is None:
            return
        key = event["Actor"]["ID"]
        action = event["Action"]
        for overtaken in self._questions:
            overtaken.add(key)
        if action in ("destroy", "remove"):
            self._forget(key)
            return
        known = self._seen.get(key)
        if known is None:
            if action not in ("create", "init", "start", "die", "died"):
                self._ask(key)
                return
            known = self._seen.remember(key, Container(EngineState(cuid, key, "created")))
        when = datetime.fromtimestamp(event["timeNano"] / 1e9, UTC)
        if self.available:
            self.lag = max(0.0, time.time() - when.timestamp())
        match action:
            case "create" | "init":
                pass
            case "start":
                known.state = replace(
                    known.state,
                    status="running",
                    started_at=when,
                    finished_at=None,
                    exit_code=None,
                    ports=(),
                    oom_killed=False,
                )
                if known.publishes is not False:
                    self._ask(key)
            case "die" | "died":
                code = attributes.get("exitCode", attributes.get("containerExitCode", "0"))
                known.state = replace(known.state, status="exited", exit_code=int(code), finished_at=when, ports=())
                # Whether the engine starts it again by itself is told by no event.
                if known.restarts is not False:
                    self._ask(key)
            case "pause":
                known.state = replace(known.state, status="paused")
            case "unpause":
                known.state = replace(known.state, status="running")
            case "oom":
                known.state = replace(known.state, oom_killed=True)
            case "update":
                self._ask(key)
            case "stop" if known.state.status == "restarting":
                self._ask(key)
            case _:
                return
        self._show(cuid)

    def _forget(self, key: str) -> None:
        self._dirty.discard(key)
        if (cuid := self._seen.forget(key)) is not None:
            self._show(cuid)

    def _show(self, cuid: Cuid) -> None:
        self._states.put(cuid, self._seen.state(cuid))
