"""All mounts: made, removed, opened, and put in order at start."""

import contextlib
import logging
import os
import secrets
from collections.abc import Collection, Iterator

from container_manager.errors import AppError, ContainerNotFound, IoError
from container_manager.models import Cuid, Layout, parse_cuid
from container_manager.store import journal
from container_manager.store.mount import Mount
from container_manager.store.paths import parse_path
from container_manager.store.staging import DIRECTORY_MODE, Owner, Staging, make_directory, open_work
from container_manager.store.syscalls import rename_new
from container_manager.store.tree import DIRECTORY, remove_tree

REMOVED = "removed-"
"""Marks what was a mount, among the work directories."""

log = logging.getLogger(__name__)


class Mounts:
    """`mounts/<cuid>`, each /app of one container. Every method blocks."""

    def __init__(self, layout: Layout, owner: Owner) -> None:
        self.layout = layout
        self.owner = owner
        self.staging = Staging(layout.staging)

    def create(self, cuid: Cuid, owner: Owner | None = None) -> None:
        """Make the mount of `cuid`, durably, for `owner` (default: DEFAULT_USER_UID). One that exists stays."""
        with self.staging.work() as work, _directory(self.layout) as mounts:
            os.close(make_directory(work.tree, cuid, owner or self.owner, DIRECTORY_MODE))
            with contextlib.suppress(FileExistsError):
                rename_new(cuid, cuid, source_at=work.tree, destination_at=mounts)
                os.fsync(mounts)

    def remove(self, cuid: Cuid) -> None:
        """Remove the mount and all that is in it; absent is fine.

        One rename takes it away, and nothing is made for it: a disk that is full is no hindrance. A kill after that
        leaves litter in staging, which `sweep` removes.
        """
        condemned = f"{REMOVED}{secrets.token_hex(12)}"
        root = self.staging.open()
        try:
            with _directory(self.layout) as mounts:
                try:
                    os.rename(cuid, condemned, src_dir_fd=mounts, dst_dir_fd=root)
                except FileNotFoundError:
                    return
                os.fsync(mounts)
            remove_tree(root, condemned)
        finally:
            os.close(root)

    def open(self, cuid: Cuid) -> Mount:
        """The mount of `cuid`, to be closed (it is a context manager). ContainerNotFound when it has none."""
        with _directory(self.layout) as mounts:
            try:
                return Mount(os.open(cuid, DIRECTORY, dir_fd=mounts))
            except FileNotFoundError:
                raise ContainerNotFound(cuid) from None

    def has_file(self, cuid: Cuid, path: str) -> bool:
        """Whether `path` is a regular file in the mount of `cuid`."""
        try:
            with self.open(cuid) as mount:
                mount.open_file(parse_path(path)).close()
        except AppError:
            return False
        return True

    def sweep(self, known: Collection[Cuid]) -> None:
        """Undo what a killed run had half moved in, and remove its litter. Before anything else is served.

        Containers in `known` that lost their mount get an empty one; empty mounts of no container are removed, others
        were kept on purpose. IoError when staging lies on another disk.
        """
        root = self.staging.open()
        try:
            if os.fstat(root).st_dev != self.layout.mounts.stat().st_dev:
                raise IoError(f"{self.layout.mounts} must be on the same file system as {self.layout.staging}")
            for name in os.listdir(root):
                # What was a mount holds a container's files, and no journal of ours.
                if not name.startswith(REMOVED):
                    self._recover(root, name)
                remove_tree(root, name)
        finally:
            os.close(root)
        self._remove_empty(set(known))
        for cuid in known:
            if not self.layout.mount(cuid).exists():
                log.warning("the mount of %s was missing: made an empty one", cuid)
                self.create(cuid)

    def _remove_empty(self, known: Collection[Cuid]) -> None:
        """A creation that was cut off leaves a mount without a file."""
        with _directory(self.layout) as mounts:
            for name in os.listdir(mounts):
                cuid = parse_cuid(name)
                if cuid is not None and cuid not in known:
                    with contextlib.suppress(OSError):
                        os.rmdir(name, dir_fd=mounts)

    def _recover(self, root: int, name: str) -> None:
        """Undo what the journal in work directory `name` tells, if there is one."""
        opened: list[int] = []
        try:
            work = open_work(root, name, opened)
            written = journal.read(work)
            if written is not None:
                with self.open(written[0]) as mount:
                    journal.recover(mount, work)
                log.warning("undid an upload to %s that the last run was killed in", written[0])
        except (OSError, AppError) as error:
            # No work directory, one that was never finished, or a mount that is gone: there is nothing to undo.
            log.debug("nothing to recover in staging/work/%s: %s", name, error)
        finally:
            for descriptor in opened:
                os.close(descriptor)


@contextlib.contextmanager
def _directory(layout: Layout) -> Iterator[int]:
    descriptor = os.open(layout.mounts, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
