"""Everything that changes, as one numbered stream that a reader can take up again where it left.

One bounded ring holds the last events; a reader is only a position in it. So readers cost nothing, a slow one
holds nobody up, and one that fell out of the ring is told to read everything anew.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from container_manager.engine.states import StateTable
from container_manager.models import Cuid, EngineState

Kind = Literal["created", "updated", "deleted", "state", "progress", "engine", "reset"]
"""`created`, `updated`, `deleted`: the container as configured; `state`: the engine's view of it; `progress`: how far
the pull of an image is; `engine`: it went away or came back; `reset`: events were missed, read the list again."""

_PROGRESS_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `id` is what a reader gives back to go on after it."""

    id: str
    kind: Kind
    cuid: Cuid | None
    data: Mapping[str, Any]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def state_data(state: EngineState | None) -> dict[str, Any]:
    """What a `state` event says, in the words of GET /containers. Without a container at the engine: never started."""
    if state is None:
        return {
            "status": "created",
            "exit_code": None,
            "started_at": None,
            "finished_at": None,
            "oom_killed": False,
            "bound_ports": [],
        }
    return {
        "status": state.status,
        "exit_code": state.exit_code,
        "started_at": state.started_at.isoformat() if state.started_at else None,
        "finished_at": state.finished_at.isoformat() if state.finished_at else None,
        "oom_killed": state.oom_killed,
        "bound_ports": [
            {"host": port.host, "container": port.container, "protocol": port.protocol, "host_ip": port.host_ip}
            for port in state.ports
        ],
    }


class Events:
    """The stream. Fed by the engine's table of states and by whoever calls `publish` and `pulling`."""

    def __init__(self, states: StateTable, *, kept: int = 2048) -> None:
        self._states = states
        # Numbers start anew with each process; the prefix tells them apart.
        self._epoch = secrets.token_hex(4)
        self._ring: deque[Event] = deque(maxlen=kept)
        self._last = 0
        self._news = asyncio.Event()
        self._closed = False
        self._told: dict[str, float] = {}
        self._relay: asyncio.Task[None] | None = None
        states.tell_of_sight(self._sight)

    async def start(self) -> None:
        """Begin to follow the engine's states."""
        listening = asyncio.Event()
        self._relay = asyncio.create_task(self._follow_states(listening), name="events-relay")
        await listening.wait()

    def end(self) -> None:
        """End every reader's stream, now and from now on."""
        self._closed = True
        self._wake()

    async def close(self) -> None:
        """End every reader's stream and the relay."""
        self.end()
        if self._relay is not None:
            self._relay.cancel()
            await asyncio.gather(self._relay, return_exceptions=True)

    def publish(self, kind: Kind, cuid: Cuid | None, **data: Any) -> None:
        """Add an event; never waits, never fails."""
        self._last += 1
        self._ring.append(Event(f"{self._epoch}-{self._last}", kind, cuid, data))
        self._wake()

    def pulling(self, reference: str, step: Mapping[str, Any]) -> None:
        """Tell how the pull of an image goes on: {layers, layers_done, current, total, text}, or {done}.

        Steps that come faster than a person can read are left out.
        """
        now = time.monotonic()
        if step.get("done"):
            self._told.pop(reference, None)
        elif now - self._told.get(reference, 0.0) < _PROGRESS_EVERY:
            return
        else:
            self._told[reference] = now
        self.publish("progress", None, **{**step, "image": reference})

    async def follow(self, after: str | None = None) -> AsyncGenerator[Event]:
        """Events after the one with id `after` (None: from now on), as they happen, until `close`.

        Yields a `reset` first when what followed `after` is no longer known.
        """
        position = self._last if after is None else self._position(after)
        while not self._closed:
            oldest = self._last - len(self._ring)
            if position is None or position < oldest:
                position = self._last
                yield Event(f"{self._epoch}-{position}", "reset", None, {})
                continue
            if position == self._last:
                news = self._news
                await news.wait()
                continue
            event = self._ring[position - oldest]
            position += 1
            yield event

    @property
    def last_id(self) -> str:
        """The id of the newest event: a reader who has everything until now goes on from here."""
        return f"{self._epoch}-{self._last}"

    def _position(self, after: str) -> int | None:
        epoch, _, number = after.rpartition("-")
        # isdecimal alone would let through other scripts' digits and numbers too long to convert.
        if epoch != self._epoch or not (number.isascii() and number.isdecimal() and len(number) < 19):
            return None
        return int(number) if int(number) <= self._last else None

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _sight(self, available: bool) -> None:
        self.publish("engine", None, available=available, states_age_seconds=round(self._states.age, 3))

    async def _follow_states(self, listening: asyncio.Event) -> None:
        with self._states.subscribe() as changes:
            listening.set()
            missed = 0
            async for change in changes:
                self.publish("state", change.cuid, **state_data(change.state))
                if changes.missed != missed:
                    missed = changes.missed
                    self.publish("reset", None)
