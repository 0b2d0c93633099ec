"""Walking a mount's tree that may change meanwhile and be of any depth, with one directory open at a time."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from container_manager.errors import AppError
from container_manager.store.mount import Mount, OpenFile, open_regular
from container_manager.store.paths import Parts


@dataclass(frozen=True, slots=True)
class Node:
    """A directory on the way: its name below its parent. A chain of these takes no more memory than the names."""

    parent: "Node | None"
    name: str

    def parts(self) -> Parts:
        """The names from the start of the walk down to this one."""
        names: list[str] = []
        node: Node | None = self
        while node is not None:
            names.append(node.name)
            node = node.parent
        return tuple(reversed(names))


@dataclass(frozen=True, slots=True)
class Found:
    """One thing met on the way: a file (open, to be closed by whoever takes it), a link (its text) or a directory."""

    directory: Parts
    name: str
    status: os.stat_result
    file: OpenFile | None = None
    link: str | None = None


def walk(start: Mount) -> Iterator[Found]:
    """Everything below the directory that `start` is open at, through no link.

    What vanishes meanwhile is left out, as are devices, pipes and sockets.
    """
    pending: list[Node | None] = [None]
    while pending:
        node = pending.pop()
        here = node.parts() if node else ()
        try:
            directory = start.open_directory(here, follow=False)
        except AppError:
            continue
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    found = _look(directory, here, entry)
                    if found is None:
                        continue
                    if stat.S_ISDIR(found.status.st_mode):
                        pending.append(Node(node, entry.name))
                    yield found
        finally:
            os.close(directory)


def _look(at: int, here: Parts, entry: os.DirEntry[str]) -> Found | None:
    with contextlib.suppress(FileNotFoundError, OSError):
        if entry.is_file(follow_symlinks=False):
            opened = open_regular(os.open(entry.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at))
            return None if opened is None else Found(here, entry.name, opened.status, file=opened)
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return Found(here, entry.name, status)
        if stat.S_ISLNK(status.st_mode):
            return Found(here, entry.name, status, link=os.readlink(entry.name, dir_fd=at))
    return None
