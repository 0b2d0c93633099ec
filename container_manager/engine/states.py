"""The table of states: what the engine last said of each container. Pure, read without waiting."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from container_manager.errors import EngineTimeout
from container_manager.models import Cuid, EngineState

SUBSCRIPTION_LIMIT = 1024
SAME_MOMENT = timedelta(seconds=1)

Predicate = Callable[[EngineState | None], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """A container's new state; None once it is gone from the engine."""

    cuid: Cuid
    state: EngineState | None


class Subscription:
    """Changes in their order, for one reader. A slow one loses the oldest: `missed` counts them."""

    def __init__(self, limit: int = SUBSCRIPTION_LIMIT) -> None:
        self._changes: deque[Change] = deque(maxlen=limit)
        self._ready = asyncio.Event()
        self.missed = 0

    def push(self, change: Change) -> None:
        """Add one change; never waits."""
        if len(self._changes) == self._changes.maxlen:
            self.missed += 1
        self._changes.append(change)
        self._ready.set()

    async def get(self) -> Change:
        """The next change, when there is one."""
        while not self._changes:
            self._ready.clear()
            await self._ready.wait()
        return self._changes.popleft()

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            yield await self.get()


class StateTable:
    """State by cuid. Written by the follower alone; everyone else reads, waits and subscribes."""

    def __init__(self) -> None:
        self._states: dict[Cuid, EngineState] = {}
        self._waiting: dict[Cuid, list[tuple[Predicate, asyncio.Future[EngineState | None]]]] = {}
        self._subscriptions: set[Subscription] = set()
        self._true_until: float | None = time.monotonic()
        self.version = 0
        """Another number after each change of any state."""
        self._told_of_sight: Callable[[bool], None] = lambda available: None

    def get(self, cuid: Cuid) -> EngineState | None:
        """The state of `cuid`; None when the engine has no such container."""
        return self._states.get(cuid)

    @property
    def all(self) -> Mapping[Cuid, EngineState]:
        """Every state, as a live read-only view."""
        return MappingProxyType(self._states)

    @property
    def age(self) -> float:
        """Seconds since the table was last known to be true; 0 while it follows the engine live."""
        return 0.0 if self._true_until is None else time.monotonic() - self._true_until

    def live(self) -> None:
        """From now on the table follows the engine."""
        if self._true_until is not None:
            self._true_until = None
            self._told_of_sight(True)

    def stale(self, since: float | None = None) -> None:
        """The engine is out of sight, `since` this monotonic time (default now)."""
        if self._true_until is None:
            self._true_until = time.monotonic() if since is None else since
            self._told_of_sight(False)

    def tell_of_sight(self, told: Callable[[bool], None]) -> None:
        """Call `told` whenever the engine comes into sight (True) or goes out of it."""
        self._told_of_sight = told

    def put(self, cuid: Cuid, state: EngineState | None) -> None:
        """Set what is known of `cuid`, wake who waits for it; subscribers hear of it only when it differs."""
        if self._states.get(cuid) != state:
            if state is None:
                del self._states[cuid]
            else:
                self._states[cuid] = state
            self.version += 1
            change = Change(cuid, state)
            for subscription in self._subscriptions:
                subscription.push(change)
        for predicate, future in self._waiting.get(cuid, ()):
            if not future.done() and predicate(state):
                future.set_result(state)

    async def wait(self, cuid: Cuid, predicate: Predicate, timeout: float) -> EngineState | None:
        """The first state of `cuid` that `predicate` accepts, the present one included.

        EngineTimeout after `timeout` seconds.
        """
        state = self._states.get(cuid)
        if predicate(state):
            return state
        future: asyncio.Future[EngineState | None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(cuid, [])
        entry = (predicate, future)
        waiting.append(entry)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise EngineTimeout(
                f"The engine did not show the result within {timeout:.3g} seconds", seconds=timeout
            ) from None
        finally:
            waiting.remove(entry)
            if not waiting and self._waiting.get(cuid) is waiting:
                del self._waiting[cuid]

    @contextlib.contextmanager
    def subscribe(self, limit: int = SUBSCRIPTION_LIMIT) -> Iterator[Subscription]:
        """Every change from now until the block is left, at most `limit` of them held back."""
        subscription = Subscription(limit)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)


def with_times_of(told: EngineState, asked: EngineState) -> EngineState:
    """`asked`, with the times that events told where they mean the same moment: one start has one time for good."""
    return replace(
        asked,
        started_at=_settle(told.started_at, asked.started_at),
        finished_at=_settle(told.finished_at, asked.finished_at),
    )


def _settle(told: datetime | None, asked: datetime | None) -> datetime | None:
    return told if told and asked and abs(told - asked) < SAME_MOMENT else asked
