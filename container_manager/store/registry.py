"""All containers that have a Compose file: an index in memory that follows the files on disk."""

import asyncio
import contextlib
import logging
import os
import stat
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from container_manager.errors import ComposeFileBroken, ContainerNotFound, NameInUse
from container_manager.models import ContainerSpec, Cuid, Layout, parse_cuid
from container_manager.settings import Settings
from container_manager.store.atomic import fsync_directory, sweep_temporaries, write_atomically
from container_manager.store.compose_edit import Change, edited
from container_manager.store.compose_file import render
from container_manager.store.compose_read import parse

POLL_SECONDS = 1.0
"""How soon a change made by hand is seen."""

DELETING, LEAVING = ".deleting", ".leaving"
"""A file that ends so marks a deletion that has begun, of all or of all but the container's files. What a kill cuts off
is finished at the next start."""

_log = logging.getLogger(__name__)

type Fingerprint = tuple[int, int, int]
UNREADABLE: Fingerprint = (0, 0, 0)
"""Of what is there and cannot even be looked at."""

type Position = tuple[datetime, Cuid]


class Registry:
    """Specs by cuid, oldest first. Reads are lookups in memory; writes are durable when they return."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        self._settings = settings
        self._specs: dict[Cuid, ContainerSpec] = {}
        self._seen: dict[Cuid, Fingerprint] = {}
        self._names: dict[str, Cuid] = {}
        self._order: list[Position] = []
        self._listeners: list[Callable[[Cuid], None]] = []
        self.version = 0
        """Another number after each change of any spec."""

    # --- reading --------------------------------------------------------------------------

    def __contains__(self, cuid: Cuid) -> bool:
        return cuid in self._specs

    def __len__(self) -> int:
        return len(self._specs)

    def get(self, cuid: Cuid) -> ContainerSpec:
        """The spec; ContainerNotFound."""
        spec = self._specs.get(cuid)
        if spec is None:
            raise ContainerNotFound(cuid)
        return spec

    def usable(self, cuid: Cuid) -> ContainerSpec:
        """The spec of a file that can be read; ContainerNotFound, ComposeFileBroken."""
        spec = self.get(cuid)
        if spec.broken is not None:
            raise ComposeFileBroken(
                f"The Compose file of {cuid} cannot be used: {spec.broken}. Correct it and try again",
                file=f"compose/{cuid}.yml",
                reason=spec.broken,
            )
        return spec

    def by_name(self, name: str) -> ContainerSpec:
        """The container with this name; ContainerNotFound."""
        cuid = self._names.get(name)
        if cuid is None:
            raise ContainerNotFound(name)
        return self._specs[cuid]

    def after(self, position: Position | None = None) -> Iterator[ContainerSpec]:
        """Specs oldest first, from the one behind `position` on. Do not await while iterating."""
        start = 0 if position is None else bisect_right(self._order, position)
        specs = self._specs
        for _, cuid in islice(self._order, start, None):
            yield specs[cuid]

    def fingerprint(self, cuid: Cuid) -> Fingerprint | None:
        """Changes whenever the file does."""
        return self._seen.get(cuid)

    def on_change(self, listener: Callable[[Cuid], None]) -> None:
        """Call `listener` with each cuid whose spec came, changed or went."""
        self._listeners.append(listener)

    # --- writing --------------------------------------------------------------------------

    async def add(self, spec: ContainerSpec) -> None:
        """Write a new container's file. NameInUse when its name is taken."""
        if spec.name is not None:
            if spec.name in self._names:
                owner = self._names[spec.name]
                raise NameInUse(f"The name {spec.name} belongs to {owner}; choose another", name=spec.name, owner=owner)
            self._names[spec.name] = spec.cuid
        try:
            text = await asyncio.to_thread(render, spec, self._layout, self._settings)
            await self._write(spec.cuid, text)
        except BaseException:
            if spec.name is not None and spec.cuid not in self._specs:
                self._names.pop(spec.name, None)
            raise

    async def edit(self, cuid: Cuid, change: Change) -> bytes:
        """Change the file as it stands on disk now; returns what it was before. The caller holds the lock."""
        path = self._layout.compose_file(cuid)
        await self.refresh(cuid)
        self.usable(cuid)
        before = await asyncio.to_thread(path.read_bytes)
        after = await asyncio.to_thread(edited, cuid, before, change)
        if after is not before:
            await self._write(cuid, after)
        return before

    async def restore(self, cuid: Cuid, text: bytes) -> None:
        """Put back what `edit` returned."""
        await self._write(cuid, text)

    async def read(self, cuid: Cuid) -> bytes:
        """The file's text as it stands on disk; ContainerNotFound."""
        self.get(cuid)
        try:
            return await asyncio.to_thread(self._layout.compose_file(cuid).read_bytes)
        except FileNotFoundError:
            raise ContainerNotFound(cuid) from None

    async def doom(self, cuid: Cuid, *, keep_files: bool = False) -> None:
        """The container's removal begins: from now on a kill does not undo it, but `spare` does."""
        mark = self._mark(cuid, keep_files)
        # Not synced: a kill leaves it, and it takes no time. A full disk hinders no removal.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(mark.touch, 0o600)

    async def spare(self, cuid: Cuid) -> None:
        """Its removal failed: it stays."""
        await self.finish_removal(cuid)

    async def condemn(self, cuid: Cuid, *, keep_files: bool = False) -> None:
        """Take the container off the list for good; what belonged to it may be removed now, or after a crash."""
        path, mark = self._layout.compose_file(cuid), self._mark(cuid, keep_files)

        def condemn() -> None:
            # Removed by hand at this moment: then the mark alone is missing.
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, mark)
                fsync_directory(path.parent)

        await asyncio.to_thread(condemn)
        self._forget(cuid)

    async def finish_removal(self, cuid: Cuid) -> None:
        """The end of what `condemn` began, once what belonged to the container is gone."""
        for keep_files in (False, True):
            await asyncio.to_thread(self._mark(cuid, keep_files).unlink, missing_ok=True)

    def _mark(self, cuid: Cuid, keep_files: bool) -> Path:
        return self._layout.compose_file(cuid).with_suffix(LEAVING if keep_files else DELETING)

    async def _write(self, cuid: Cuid, text: bytes) -> None:
        named = self._layout.compose_file(cuid)

        def write() -> tuple[ContainerSpec, Fingerprint]:
            # Where somebody keeps it elsewhere and a link here, the link stays.
            path = named.resolve()
            write_atomically(path, text)
            return parse(cuid, text), _fingerprint(os.stat(path))

        self._remember(*await asyncio.to_thread(write))

    # --- following the disk ---------------------------------------------------------------

    async def load(self) -> list[tuple[Cuid, bool]]:
        """Read all files at start. Returns the containers whose removal was cut off, and whether their files stay."""
        condemned = await asyncio.to_thread(self._recover)
        await self._scan()
        return condemned

    def _recover(self) -> list[tuple[Cuid, bool]]:
        sweep_temporaries(self._layout.compose)
        condemned: list[tuple[Cuid, bool]] = []
        for name in os.listdir(self._layout.compose):
            stem, suffix = os.path.splitext(name)
            cuid = parse_cuid(stem)
            if cuid is not None and suffix in (DELETING, LEAVING):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(self._layout.compose_file(cuid), self._layout.compose / name)
                condemned.append((cuid, suffix == LEAVING))
        return condemned

    async def follow(self) -> None:
        """Look for changes made by hand, for ever."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._scan()
            except OSError as error:
                _log.warning("compose/ cannot be read: %s", error)

    async def refresh(self, cuid: Cuid) -> None:
        """See a change of this one file now."""
        path = self._layout.compose_file(cuid)
        try:
            found = await asyncio.to_thread(_read_if_changed, path, cuid, self._seen.get(cuid))
        except FileNotFoundError:
            self._forget(cuid)
            return
        if found is not None:
            self._remember(*found)

    async def _scan(self) -> None:
        before = dict(self._seen)
        changed, gone = await asyncio.to_thread(_scan, self._layout.compose, before)
        for spec, fingerprint in changed:
            # What was written through the API meanwhile is newer than what the scan saw.
            if self._seen.get(spec.cuid) == before.get(spec.cuid):
                self._remember(spec, fingerprint)
        for cuid in gone:
            if self._seen.get(cuid) == before.get(cuid):
                self._forget(cuid)

    def _remember(self, spec: ContainerSpec, fingerprint: Fingerprint) -> None:
        cuid = spec.cuid
        before = self._specs.get(cuid)
        if before is not None:
            if spec.broken is not None:
                # Keep its place in the list and its name while the file is broken.
                spec = ContainerSpec(cuid, before.created_at, image=before.image, name=before.name, broken=spec.broken)
            self._drop(before)
        if spec.name is not None and self._names.setdefault(spec.name, cuid) != cuid:
            _log.warning("%s has the name %s, which belongs to %s", cuid, spec.name, self._names[spec.name])
        self._specs[cuid] = spec
        self._seen[cuid] = fingerprint
        insort(self._order, (spec.created_at, cuid))
        self._tell(cuid)

    def _forget(self, cuid: Cuid) -> None:
        spec = self._specs.pop(cuid, None)
        self._seen.pop(cuid, None)
        if spec is not None:
            self._drop(spec)
            self._tell(cuid)

    def _drop(self, spec: ContainerSpec) -> None:
        self._order.remove((spec.created_at, spec.cuid))
        if spec.name is not None and self._names.get(spec.name) == spec.cuid:
            del self._names[spec.name]

    def _tell(self, cuid: Cuid) -> None:
        self.version += 1
        for listener in self._listeners:
            listener(cuid)


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _scan(directory: Path, seen: dict[Cuid, Fingerprint]) -> tuple[list[tuple[ContainerSpec, Fingerprint]], list[Cuid]]:
    """What changed against `seen`, and what is gone."""
    changed: list[tuple[ContainerSpec, Fingerprint]] = []
    present: set[Cuid] = set()
    with os.scandir(directory) as entries:
        for entry in entries:
            cuid = parse_cuid(entry.name[:-4]) if entry.name.endswith(".yml") else None
            if cuid is None:
                continue
            try:
                found = _read_if_changed(entry.path, cuid, seen.get(cuid))
            except FileNotFoundError:
                continue
            present.add(cuid)
            if found is not None:
                changed.append(found)
    return changed, [cuid for cuid in seen if cuid not in present]


def _read_if_changed(
    path: str | Path, cuid: Cuid, seen: Fingerprint | None
) -> tuple[ContainerSpec, Fingerprint] | None:
    """The file when it differs from what was `seen`, None when not. FileNotFoundError when there is none."""
    fingerprint = UNREADABLE
    try:
        status = os.stat(path)
        fingerprint = _fingerprint(status)
        if fingerprint == seen:
            return None
        if not stat.S_ISREG(status.st_mode):
            return _unreadable(cuid, "it is not a regular file"), fingerprint
        return parse(cuid, Path(path).read_bytes()), fingerprint
    except FileNotFoundError:
        raise
    except OSError as error:
        return None if seen == fingerprint else (_unreadable(cuid, f"it cannot be read: {error.strerror}"), fingerprint)


def _unreadable(cuid: Cuid, reason: str) -> ContainerSpec:
    return ContainerSpec(cuid, datetime.fromtimestamp(0, UTC), image="", broken=reason)
