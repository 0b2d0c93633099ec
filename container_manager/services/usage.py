"""What containers use, measured only while somebody looks: one process a container, however many readers."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from container_manager.engine.engine import Engine
from container_manager.engine.process import streaming
from container_manager.engine.stats import Sample, parse
from container_manager.errors import LimitReached
from container_manager.models import Cuid
from container_manager.services.commands import Commands

MOST = 32
"""Containers measured at once; each takes a process of some 25 MB."""


SHORTEST = 0.7
"""Seconds between two samples, at least."""


@dataclass(slots=True)
class _Feed:
    """The measurement of one container. `news` is set, and replaced, with each sample."""

    task: asyncio.Task[None] | None = None
    readers: int = 0
    sample: Sample | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    def tell(self, sample: Sample | None) -> None:
        """A new sample; None: there is none any more."""
        self.sample, self.over = sample, sample is None
        self.news.set()
        self.news = asyncio.Event()


class Usage:
    """Samples of running containers, about one a second."""

    def __init__(self, engine: Engine, commands: Commands) -> None:
        self._engine = engine
        self._commands = commands
        self._feeds: dict[Cuid, _Feed] = {}

    def follow(self, cuid: Cuid) -> AsyncGenerator[Sample]:
        """Samples until the container stops. ContainerNotFound, NotRunning and LimitReached are raised at once."""
        self._commands.require_running(cuid)
        if cuid not in self._feeds and len(self._feeds) >= MOST:
            raise LimitReached(f"{MOST} containers are being measured already; close a page that shows one", limit=MOST)
        return self._read(cuid)

    def end(self) -> None:
        """End every reader's stream."""
        for feed in list(self._feeds.values()):
            feed.tell(None)

    async def _read(self, cuid: Cuid) -> AsyncGenerator[Sample]:
        feed = self._feeds.setdefault(cuid, _Feed())
        feed.readers += 1
        if feed.task is None:
            feed.task = asyncio.create_task(self._measure(cuid, feed), name=f"usage of {cuid}")
        try:
            while not feed.over:
                news = feed.news
                if feed.sample is not None:
                    yield feed.sample
                if news is feed.news:
                    await news.wait()
        finally:
            feed.readers -= 1
            if not feed.readers:
                if self._feeds.get(cuid) is feed:
                    del self._feeds[cuid]
                feed.task.cancel()
                await asyncio.gather(feed.task, return_exceptions=True)

    async def _measure(self, cuid: Cuid, feed: _Feed) -> None:
        try:
            async with streaming(self._engine.stats_argv(cuid), self._engine.environment) as child:
                told = 0.0
                async for line in child.lines():
                    state = self._engine.states.get(cuid)
                    if state is None or state.status not in ("running", "paused"):
                        return
                    sample = parse(line)
                    # The rows are drawn twice as often as the engine measures.
                    if sample is not None and time.monotonic() - told > SHORTEST:
                        told = time.monotonic()
                        feed.tell(sample)
        finally:
            # Whoever comes next starts a new one.
            if self._feeds.get(cuid) is feed:
                del self._feeds[cuid]
            feed.tell(None)
