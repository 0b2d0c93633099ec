"""The directory beside the mounts where everything is made ready, out of every container's reach.

It lies on the mounts' file system, so that what is ready gets into a mount by a rename.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from container_manager.store.paths import Parts
from container_manager.store.tree import DIRECTORY, remove_tree

Owner = tuple[int, int]
"""UID and GID."""

FEW = 16
"""Up to so many directories or files are synced one by one; more, by syncing their file system once."""
DIRECTORY_MODE = 0o755
FILE_MODE = 0o644


class Work(NamedTuple):
    """One private directory, gone when its `with` block ends."""

    descriptor: int
    tree: int
    """Its `tree/`: what is made ready to be moved in, and what it was swapped for."""
    old: int
    """Its `old/`: what was taken out of the mount without anything in its place."""


class Staging:
    """Hands out work directories. Those of a run that was killed are left for `Mounts.sweep`."""

    def __init__(self, path: Path) -> None:
        self.path = path / "work"

    def open(self) -> int:
        """A descriptor of the directory that holds the work directories, made when it is missing."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.path, DIRECTORY)

    @contextmanager
    def work(self) -> Iterator[Work]:
        """A fresh work directory."""
        name = os.urandom(12).hex()
        root = self.open()
        opened: list[int] = [root]
        try:
            os.mkdir(name, 0o700, dir_fd=root)
            try:
                yield open_work(root, name, opened, make=True)
            finally:
                remove_tree(root, name)
        finally:
            for descriptor in reversed(opened):
                os.close(descriptor)


def open_work(root: int, name: str, opened: list[int], *, make: bool = False) -> Work:
    """Open work directory `name` in `root`; its descriptors are added to `opened`, which the caller closes."""
    descriptor = os.open(name, DIRECTORY, dir_fd=root)
    opened.append(descriptor)
    below = []
    for part in ("tree", "old"):
        if make:
            os.mkdir(part, 0o700, dir_fd=descriptor)
        below.append(os.open(part, DIRECTORY, dir_fd=descriptor))
        opened.append(below[-1])
    return Work(descriptor, *below)


def give(descriptor: int, owner: Owner, mode: int) -> None:
    """Set owner and permissions of what was just made. Only root can give files away."""
    if os.geteuid() == 0:
        os.fchown(descriptor, *owner)
    os.fchmod(descriptor, mode)


def make_directories(root: int, parts: Parts, owner: Owner) -> int:
    """Make every directory of `parts` below `root`, a staged tree, and open the last one."""
    at = os.dup(root)
    try:
        for name in parts:
            below = make_directory(at, name, owner)
            os.close(at)
            at = below
    except BaseException:
        os.close(at)
        raise
    return at


def make_directory(at: int, name: str, owner: Owner, mode: int = DIRECTORY_MODE) -> int:
    """Make directory `name` in `at`, a staged tree, and open it."""
    os.mkdir(name, 0o700, dir_fd=at)
    descriptor = os.open(name, DIRECTORY, dir_fd=at)
    give(descriptor, owner, mode)
    return descriptor
