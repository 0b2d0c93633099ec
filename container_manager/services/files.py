"""What clients do with a container's files. Paths are as clients write them; every one is resolved by the mount."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from container_manager.errors import FileNotFound, ValidationError
from container_manager.models import Cuid, Layout
from container_manager.services.intake import Body, Intake, Transfer, to_the_end
from container_manager.services.uploads import ResumableUploads
from container_manager.settings import Settings
from container_manager.store import intake
from container_manager.store.archive_unpack import Unpacked
from container_manager.store.archive_write import zip_directory
from container_manager.store.intake import Mode
from container_manager.store.locks import Locks
from container_manager.store.mount import Entry, Mount, OpenFile
from container_manager.store.mounts import Mounts
from container_manager.store.paths import Parts, parse_path
from container_manager.store.registry import Registry

PACKERS = 2
"""Threads that pack the archives of all downloads."""
_SWEEP_SECONDS = 3600.0
_log = logging.getLogger(__name__)


class Files:
    """Reads go ahead at any time; changes take their turn at the container, uploads only for the last step."""

    def __init__(self, settings: Settings, layout: Layout, mounts: Mounts, registry: Registry, locks: Locks) -> None:
        self._mounts = mounts
        self._registry = registry
        self._locks = locks
        self._intake = Intake(settings, mounts, registry, locks)
        self._packers = ThreadPoolExecutor(PACKERS, thread_name_prefix="pack")
        self._running: dict[str, Transfer] = {}
        self.uploads = ResumableUploads(layout, self._intake, registry)
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Remove what is left of old uploads, now and every hour."""
        await self.uploads.sweep()
        self._sweeper = asyncio.create_task(self._sweep_hourly(), name="uploads-sweeper")

    async def close(self) -> None:
        """End the threads and the sweeper."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        self._intake.close()
        self._packers.shutdown(wait=False, cancel_futures=True)

    # --- reading ------------------------------------------------------------------------------

    async def entries(self, cuid: Cuid, path: str, *, after: str, limit: int) -> tuple[list[Entry], bool]:
        """Entries of a directory in the order of their names, and whether more follow. FileNotFound."""
        where = parse_path(path)
        return await self._read(cuid, lambda mount: mount.list(where, after=after, limit=limit))

    async def open(self, cuid: Cuid, path: str) -> OpenFile:
        """A file, open for reading; the caller closes it. FileNotFound, PathOutsideMount."""
        where = parse_path(path)
        return await self._read(cuid, lambda mount: mount.open_file(where))

    async def archive(self, cuid: Cuid, path: str) -> AsyncGenerator[bytes]:
        """A directory as a zip, in chunks made while they are taken. FileNotFound comes before the first."""
        where = parse_path(path)
        start = Mount(await self._read(cuid, lambda mount: mount.open_directory(where)))
        return _ahead(zip_directory(start, self._packers), start.close)

    # --- changing -----------------------------------------------------------------------------

    async def upload_zip(
        self, cuid: Cuid, path: str, body: Body, *, mode: Mode, size: int | None, transfer_id: str
    ) -> Unpacked:
        """Unpack an archive at `path`: all of it, or nothing is changed. BadZip, TooLarge, NoSpace, PathExists."""
        where = parse_path(path)
        self._registry.get(cuid)
        await self._intake.check_size(size)
        transfer = Transfer(transfer_id, cuid, "zip", path, mode, size)
        self._running[transfer_id] = transfer
        try:
            async with self._intake.work() as work:
                descriptor = await asyncio.to_thread(intake.open_upload, work)
                with _closing(descriptor):
                    await self._intake.receive(body, descriptor, transfer)
                    return await self._intake.take_zip(descriptor, work, where, transfer, discard=True)
        finally:
            del self._running[transfer_id]

    async def write(
        self, cuid: Cuid, path: str, body: Body, *, size: int | None, expected: str | None
    ) -> tuple[Entry, bool]:
        """Make `body` the content of a file, at once; the file, and whether it is new. FileChanged, PathExists.

        With `expected` it must still have that tag; "*": exist, "": not exist.
        """
        where = _of_file(path)
        owner = self._intake.owner(cuid)
        await self._intake.check_size(size)
        transfer = Transfer("", cuid, "file", path, "merge", size)
        async with self._intake.work() as work:
            descriptor = await asyncio.to_thread(intake.open_upload, work)
            with _closing(descriptor):
                await self._intake.receive(body, descriptor, transfer)
            mode = await self._read(cuid, lambda mount: intake.mode_of(mount, where))
            await asyncio.to_thread(intake.stage_file, work, work.descriptor, intake.UPLOAD, where, owner, mode)
            created = await self._intake.deliver(work, cuid, where, expected=expected)
        return await self._read(cuid, lambda mount: mount.stat(where)), created

    async def make_directory(self, cuid: Cuid, path: str) -> bool:
        """Make a directory and those above it; whether it is new. PathExists where a file stands."""
        where = parse_path(path)
        owner = self._intake.owner(cuid)
        async with self._intake.work() as work:
            await asyncio.to_thread(intake.stage_directories, work, where, owner)
            return await self._intake.deliver(work, cuid, where)

    async def move(self, cuid: Cuid, source: str, target: str, *, overwrite: bool) -> None:
        """Rename a file or directory within the mount. FileNotFound, PathExists, Conflict."""
        old, new = parse_path(source, "from"), parse_path(target, "to")
        await self._change(cuid, lambda mount: mount.move(old, new, overwrite=overwrite))

    async def remove(self, cuid: Cuid, path: str, *, recursive: bool) -> None:
        """Remove a file or directory, a full one only with `recursive`. FileNotFound, Conflict."""
        where = parse_path(path)
        await self._change(cuid, lambda mount: mount.remove(where, self._mounts.staging, recursive=recursive))

    def running(self, cuid: Cuid) -> list[Transfer]:
        """The plain uploads to `cuid` that are under way; their id is their request's."""
        return [transfer for transfer in self._running.values() if transfer.cuid == cuid]

    # --- inside -------------------------------------------------------------------------------

    async def _read[T](self, cuid: Cuid, action: Callable[[Mount], T]) -> T:
        self._registry.get(cuid)

        def act() -> T:
            with self._mounts.open(cuid) as mount:
                return action(mount)

        return await asyncio.to_thread(act)

    async def _change[T](self, cuid: Cuid, action: Callable[[Mount], T]) -> T:
        async with self._locks.hold(cuid):
            return await to_the_end(self._read(cuid, action))

    async def _sweep_hourly(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.uploads.sweep()
            except OSError as error:
                _log.warning("old uploads could not be removed: %s", error)


async def _ahead(chunks: Iterator[bytes], close: Callable[[], None]) -> AsyncGenerator[bytes]:
    """`chunks`, each made in a thread while the one before is sent. Closing it early waits for that thread."""
    making = asyncio.ensure_future(asyncio.to_thread(next, chunks, b""))
    try:
        while chunk := await asyncio.shield(making):
            making = asyncio.ensure_future(asyncio.to_thread(next, chunks, b""))
            yield chunk
    finally:
        await to_the_end(_ended(making, chunks, close))


async def _ended(making: "asyncio.Future[bytes]", chunks: Iterator[bytes], close: Callable[[], None]) -> None:
    with contextlib.suppress(Exception):
        await making
    await asyncio.to_thread(chunks.close)  # type: ignore[attr-defined]
    close()


def _of_file(path: str) -> Parts:
    where = parse_path(path)
    if not where:
        raise ValidationError.field("path", "A path to a file is needed", path)
    if path.endswith("/"):
        raise FileNotFound(f"{path} is the name of a directory", path=path)
    return where


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)
