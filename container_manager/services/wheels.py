"""The wheel cache that containers share and none of them can write to: who may use which part, and how it is filled.

Wheels are fetched in a container of the server's own, of the same image, that runs pip and nothing of a tenant's.
What it fetches serves only those that have the same image and the same index settings.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path

from container_manager.engine.aside import Aside
from container_manager.engine.engine import Engine
from container_manager.errors import AppError, FileNotFound, NoSpace
from container_manager.models import LAUNCHER, ContainerSpec, Cuid, Layout
from container_manager.settings import Settings
from container_manager.store.mounts import Mounts
from container_manager.store.paths import parse_path
from container_manager.store.requirements import LARGEST, plain_requirements
from container_manager.store.wheels import WheelCache, free_bytes, size_below

REQUIREMENTS_FILE = "requirements.txt"
DOWNLOADS = "/wheels"
_MOST_WAITING = 32
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 3600.0
_MOST_FAILURES = 1000

_URLS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_PASSED_ON = (*_URLS, "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_NO_CACHE_DIR")
_WEB = re.compile(r"(?:https?://\S+\s*)+")

_log = logging.getLogger(__name__)

Part = tuple[str, str]
"""Image with index settings, and a requirements.txt: their sums."""


def index_variables(env: Mapping[str, str]) -> dict[str, str] | None:
    """What `env` says of pip's index; None when pip's settings in it cannot be the same outside of the container."""
    chosen = {name: value for name, value in env.items() if name.startswith("PIP_")}
    known = all(name in _PASSED_ON for name in chosen)
    web = all(_WEB.fullmatch(chosen[name]) for name in _URLS if name in chosen)
    return chosen if known and web else None


class Wheels:
    """Filling happens in the background, one requirements.txt at a time; no start waits for it or fails by it."""

    def __init__(self, settings: Settings, layout: Layout, engine: Engine, mounts: Mounts) -> None:
        self._settings, self._layout, self._engine, self._mounts = settings, layout, engine, mounts
        self._cache = WheelCache(layout, settings.wheel_cache_bytes)
        self._on = settings.wheel_cache_bytes > 0 and settings.network != "none"
        self._turn = asyncio.Lock()
        self._fills: dict[Cuid, asyncio.Task[None]] = {}
        self._failed: dict[Part, float] = {}

    async def start(self) -> None:
        """Put the cache on disk in order."""
        await asyncio.to_thread(self._cache.prepare)

    async def close(self) -> None:
        """Give up what is being fetched."""
        tasks = list(self._fills.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def directory(self, spec: ContainerSpec) -> Path | None:
        """The part of the cache that this container may read; None when none is for it. Blocks."""
        key = self._key(spec)
        return self._cache.directory(key) if key and self._requirements(spec.cuid) is not None else None

    def want(self, spec: ContainerSpec) -> None:
        """Have what its requirements.txt asks for in the cache some time from now, for the next one that asks."""
        if not self._on or spec.cuid in self._fills or len(self._fills) >= _MOST_WAITING:
            return
        task = asyncio.create_task(self._fill(spec), name=f"wheels-{spec.cuid}")
        self._fills[spec.cuid] = task
        task.add_done_callback(lambda _: self._fills.pop(spec.cuid))

    def _key(self, spec: ContainerSpec) -> str | None:
        variables = index_variables(spec.env)
        if not self._on or variables is None:
            return None
        return "c" + hashlib.sha256(repr((spec.image, sorted(variables.items()))).encode()).hexdigest()[:40]

    def _requirements(self, cuid: Cuid) -> bytes | None:
        """At most one byte more than is looked at."""
        try:
            with self._mounts.open(cuid) as mount:
                file = mount.open_file(parse_path(REQUIREMENTS_FILE))
        except FileNotFound:
            return None
        with open(file.descriptor, "rb") as stream:
            return stream.read(LARGEST + 1)

    async def _fill(self, spec: ContainerSpec) -> None:
        try:
            content = await asyncio.to_thread(self._requirements, spec.cuid)
            key, lines = self._key(spec), plain_requirements(content or b"")
            if content is None or key is None or lines is None:
                return
            part = key, hashlib.sha256(content).hexdigest()
            async with self._turn:
                failed = self._failed.pop(part, -_RETRY_SECONDS)
                if failed + _RETRY_SECONDS > time.monotonic():
                    self._failed[part] = failed
                elif not await asyncio.to_thread(self._cache.serves, *part):
                    await self._fetch(spec, part, lines)
        except (AppError, OSError) as error:
            # The app installs from the index, as it would without a cache.
            _log.warning("no wheels in the cache for %s: %s", spec.cuid, error)

    async def _fetch(self, spec: ContainerSpec, part: Part, lines: list[str]) -> None:
        # Taken back on success: whatever fails, an index or this server, is not tried again for a while.
        self._failed[part] = time.monotonic()
        while len(self._failed) > _MOST_FAILURES:
            self._failed.pop(next(iter(self._failed)))
        most = await asyncio.to_thread(self._most_bytes)
        incoming = await asyncio.to_thread(self._cache.incoming, lines, self._settings.default_user_uid)
        try:
            if not await self._run(spec, incoming, most):
                return
            count = await asyncio.to_thread(self._cache.take_in, *part, incoming)
        finally:
            await asyncio.shield(asyncio.to_thread(self._cache.discard, incoming))
        self._failed.pop(part, None)
        _log.info("%d wheels in the cache for %s", count, spec.cuid)

    def _most_bytes(self) -> int:
        free = free_bytes(self._layout.wheels) - self._settings.min_free_bytes
        most = min(self._cache.limit // 2, free)
        if most <= 0:
            raise NoSpace("the disk has no room for them")
        return most

    async def _run(self, spec: ContainerSpec, directory: Path, most: int) -> bool:
        """Whether all wheels were fetched, in REQUIREMENTS_TIMEOUT seconds and `most` bytes."""
        seconds = self._settings.requirements_timeout
        aside = Aside(
            image=spec.image,
            command=["sh", f"{LAUNCHER}/start.sh", f"{seconds:g}", "--download"],
            network=await self._engine.ensure_network() or "none",
            mounts=[(directory, DOWNLOADS, False), (self._layout.launcher, LAUNCHER, True)],
            largest_file=most,
            home=DOWNLOADS,
            env=index_variables(spec.env) or {},
        )
        work = asyncio.create_task(self._engine.asides.run(aside, seconds + self._settings.request_timeout))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=_LOOK_SECONDS)
                if await asyncio.to_thread(size_below, directory) > most:
                    raise NoSpace(f"they are larger than {most} bytes")
            finished = await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if finished.code != 0:
            _log.info("no wheels for %s: %s", spec.cuid, finished.stderr.decode(errors="replace").strip()[-500:])
        return finished.code == 0
