"""A session as a live stream of events, for programs that follow it."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from container_manager.terminal.audience import Kind

WAITING = 1 << 20
"""Characters that may wait for a slow reader; it is told how many events it missed."""

_NAMES: dict[Kind, Literal["output", "input", "resize"]] = {"o": "output", "i": "input", "r": "resize"}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: output, input, resize, missed or exit. `offset` is seconds since the stream began."""

    kind: str
    offset: float
    at: datetime
    data: dict[str, Any]


class Watch:
    """A witness with one reader, who takes one event after the other until the session ends."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._events: deque[tuple[Event, int]] = deque()
        self._waiting = 0
        self._missed = 0
        self._over = False
        self._ready = asyncio.Event()

    def saw(self, kind: Kind, text: str) -> None:
        """Queue one event, unless the reader is too slow."""
        if self._waiting + len(text) > WAITING:
            self._missed += 1
            return
        if self._missed:
            self._add("missed", {"events": self._missed}, 0)
            self._missed = 0
        data: dict[str, Any] = {"data": text}
        if kind == "r":
            cols, _, rows = text.partition("x")
            data = {"cols": int(cols), "rows": int(rows)}
        self._add(_NAMES[kind], data, len(text))

    def ended(self, code: int, reason: str | None) -> None:
        """The last event."""
        self._add("exit", {"code": code, "reason": reason}, 0)
        self._over = True

    def _add(self, kind: str, data: dict[str, Any], size: int) -> None:
        moment = round(time.monotonic() - self._started, 6)
        self._events.append((Event(kind, moment, datetime.now(UTC), data), size))
        self._waiting += size
        self._ready.set()

    async def get(self) -> Event | None:
        """The next event; None when the session has ended and all were read."""
        while not self._events:
            if self._over:
                return None
            self._ready.clear()
            await self._ready.wait()
        event, size = self._events.popleft()
        self._waiting -= size
        return event
