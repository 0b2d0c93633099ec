"""Which renames bring a staged tree into a mount: planned before the first one is made."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from container_manager.errors import FileNotFound, PathExists, PathOutsideMount
from container_manager.store.journal import Step
from container_manager.store.mount import Mount
from container_manager.store.paths import Parts, shown
from container_manager.store.staging import Work


def plan_merge(mount: Mount, work: Work) -> list[Step]:
    """Steps that put every staged file in, over files of the same path, and keep everything else.

    Raises PathExists where a file and a directory stand against each other, PathOutsideMount where a link does.
    """
    steps: list[Step] = []
    pending: list[Parts] = [()]
    while pending:
        directory = pending.pop()
        with _both(mount, work, directory) as (staged, target), os.scandir(staged) as entries:
            for entry in entries:
                path = (*directory, entry.name)
                inode = entry.inode()
                there = _kind(target, entry.name)
                if there is None:
                    steps.append(Step("move", path, inode))
                elif entry.is_dir(follow_symlinks=False):
                    if there != stat.S_IFDIR:
                        raise _in_the_way(path, there)
                    pending.append(path)
                elif there == stat.S_IFDIR:
                    raise PathExists(f"{shown(path)} is a directory, the upload has a file there", path=shown(path))
                else:
                    steps.append(Step("swap", path, inode))
    return steps


def plan_replace(mount: Mount, work: Work, where: Parts) -> list[Step]:
    """Steps after which directory `where` holds what is staged for it and nothing else.

    A directory below the mount is swapped whole, in one switch. The mount's own directory cannot be: a running
    container would keep the old one. So its entries are swapped one by one, under the journal.
    """
    for depth in range(1, len(where) + 1):
        path = where[:depth]
        with _both(mount, work, path[:-1]) as (staged, target):
            there = _kind(target, path[-1])
            inode = os.stat(path[-1], dir_fd=staged, follow_symlinks=False).st_ino
            if there is None:
                return [Step("move", path, inode)]
            if there != stat.S_IFDIR:
                raise _in_the_way(path, there)
            if depth == len(where):
                _keep_owner(staged, target, path[-1])
                return [Step("swap", path, inode)]
    steps = []
    with _both(mount, work, ()) as (staged, target):
        fresh = {entry.name: entry.inode() for entry in os.scandir(staged)}
        listing = mount.open_directory((), follow=False)
        try:
            with os.scandir(listing) as entries:
                old = {entry.name: entry.inode() for entry in entries}
        finally:
            os.close(listing)
    steps += [Step("swap" if name in old else "move", (name,), inode) for name, inode in fresh.items()]
    steps += [Step("take", (name,), inode) for name, inode in old.items() if name not in fresh]
    return steps


@contextmanager
def _both(mount: Mount, work: Work, path: Parts) -> Iterator[tuple[int, int]]:
    """Directory `path` as staged, and as it is in the mount."""
    staged = Mount(work.tree).open_directory(path, follow=False)
    try:
        target = mount.search(path)
        if target is None:
            raise FileNotFound(f"{shown(path)} vanished", path=shown(path))
        try:
            yield staged, target
        finally:
            os.close(target)
    finally:
        os.close(staged)


def _kind(at: int, name: str) -> int | None:
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


def _keep_owner(staged: int, target: int, name: str) -> None:
    """Give a staged directory the owner and mode of the one that it replaces."""
    status = os.stat(name, dir_fd=target, follow_symlinks=False)
    if os.geteuid() == 0:
        os.chown(name, status.st_uid, status.st_gid, dir_fd=staged, follow_symlinks=False)
    os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=staged)


def _in_the_way(path: Parts, there: int) -> PathExists | PathOutsideMount:
    if there == stat.S_IFLNK:
        return PathOutsideMount(f"{shown(path)} is a link: nothing is written through links", path=shown(path))
    return PathExists(f"{shown(path)} is a file, the upload has a directory there", path=shown(path))
