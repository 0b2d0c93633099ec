"""Taking in what clients send: received to disk, staged beside the mount, moved in under the container's lock."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from container_manager.errors import TooLarge
from container_manager.models import Cuid
from container_manager.settings import Settings
from container_manager.store import intake
from container_manager.store.archive_tree import Limits
from container_manager.store.archive_unpack import Unpacked, check_room
from container_manager.store.intake import Mode
from container_manager.store.locks import Locks
from container_manager.store.mounts import Mounts
from container_manager.store.paths import Parts
from container_manager.store.registry import Registry
from container_manager.store.staging import Owner, Work

Body = AsyncIterator[bytes]

_PART = 1 << 20
"""Bytes gathered before they are written: a thread for every network packet would cost more than the disk."""
THREADS = 4
"""Archives unpacked at once; more wait their turn."""


class _Stopped(Exception):
    """Raised in the thread that unpacks for somebody who no longer waits."""


@dataclass(slots=True)
class Transfer:
    """How far an upload is: bytes received of `size`, then bytes unpacked of `total`."""

    id: str
    cuid: Cuid
    kind: Literal["zip", "file"]
    path: str
    mode: Mode
    size: int | None
    received: int = 0
    total: int | None = None
    unpacked: int = 0
    state: Literal["receiving", "unpacking"] = "receiving"
    stopped: bool = False

    def advance(self, count: int) -> None:
        """Count what was unpacked. Ends the work, by raising, once nobody waits for it."""
        self.unpacked += count
        if self.stopped:
            raise _Stopped


class Intake:
    """Shared by plain and resumable uploads."""

    def __init__(self, settings: Settings, mounts: Mounts, registry: Registry, locks: Locks) -> None:
        self._settings = settings
        self._mounts = mounts
        self._registry = registry
        self._locks = locks
        self._limits = Limits(settings.max_unpacked_bytes, settings.max_unpacked_files, settings.min_free_bytes)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="unpack")

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """A work directory that is gone at the end, cancelled or not."""
        manager = self._mounts.staging.work()
        work = await asyncio.to_thread(manager.__enter__)
        try:
            yield work
        finally:
            await to_the_end(asyncio.to_thread(manager.__exit__, None, None, None))

    async def check_size(self, size: int | None) -> None:
        """Refuse a body by its announced size, before it is sent. TooLarge, NoSpace."""
        self._check_limit(size or 0)
        if size:
            await asyncio.to_thread(self._check_room, size)

    async def receive(self, body: Body, descriptor: int, transfer: Transfer) -> None:
        """Write `body` to `descriptor` from `transfer.received` on. TooLarge, NoSpace; raises what `body` does."""
        part = bytearray()
        try:
            async for chunk in body:
                part += chunk
                if len(part) >= _PART:
                    await self._write(descriptor, part, transfer)
                    part = bytearray()
        finally:
            # What came before the client left counts: it need not be sent again.
            if part:
                await to_the_end(self._write(descriptor, part, transfer))

    async def take_zip(
        self, descriptor: int, work: Work, where: Parts, transfer: Transfer, *, discard: bool
    ) -> Unpacked:
        """Judge, unpack and move in the archive in the file `descriptor`. BadZip, NoSpace, PathExists …

        With `discard` nobody wants the archive afterwards: it may be emptied.
        """
        transfer.state = "unpacking"
        owner = self.owner(transfer.cuid)

        def judged(size: int) -> None:
            transfer.total = size

        def stage() -> Unpacked:
            return intake.stage_archive(
                descriptor, work, where, owner, self._limits, judged, transfer.advance, discard=discard
            )

        unpacked = await self._in_pool(stage, transfer)
        await self.deliver(work, transfer.cuid, where, transfer.mode)
        return unpacked

    async def deliver(
        self,
        work: Work,
        cuid: Cuid,
        where: Parts,
        mode: Mode = "merge",
        *,
        expected: str | None = None,
    ) -> bool:
        """Move in what is staged, while nobody else changes the container; whether it is new there. FileChanged."""

        def move() -> bool:
            with self._mounts.open(cuid) as mount:
                if expected is not None:
                    intake.check_tag(mount, where, expected)
                return intake.deliver(mount, work, cuid, where, mode)

        async with self._locks.hold(cuid):
            # It may have been deleted while the body came.
            self._registry.get(cuid)
            return await to_the_end(asyncio.to_thread(move))

    def owner(self, cuid: Cuid) -> Owner:
        """Whom uploads to `cuid` belong to: the user it runs as where that is a number, else DEFAULT_USER_UID."""
        numeric = re.fullmatch(r"(\d+)(?::(\d+))?", self._registry.get(cuid).user or "")
        if numeric is None:
            return self._settings.default_user_uid
        return int(numeric[1]), int(numeric[2] or numeric[1])

    async def _write(self, descriptor: int, part: bytearray, transfer: Transfer) -> None:
        self._check_limit(transfer.received + len(part))
        if transfer.size is not None and transfer.received + len(part) > transfer.size:
            raise TooLarge(f"There came more than the {transfer.size} bytes that were announced", limit=transfer.size)
        free = self._settings.min_free_bytes
        await asyncio.to_thread(intake.write_part, descriptor, part, transfer.received, free)
        transfer.received += len(part)

    def _check_limit(self, size: int) -> None:
        limit = self._settings.max_upload_bytes
        if limit and size > limit:
            raise TooLarge(f"The upload is larger than {limit} bytes (MAX_UPLOAD_BYTES)", limit=limit)

    def _check_room(self, size: int) -> None:
        root = self._mounts.staging.open()
        try:
            check_room(root, size, self._settings.min_free_bytes)
        finally:
            os.close(root)

    async def _in_pool[T](self, function: Callable[[], T], transfer: Transfer) -> T:
        """Run in the pool. When the waiting task is cancelled, the thread is stopped and waited for."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, function)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            transfer.stopped = True
            await asyncio.wait([future])
            raise


async def to_the_end[R](work: Awaitable[R]) -> R:
    """Await `work` to its end even if the waiting task is cancelled; the cancellation is raised then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
