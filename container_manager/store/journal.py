"""Moving a staged tree into a mount: all of it or nothing, whatever ends this process half-way.

The steps are written down and synced before the first is made. Each names the inode that it moves, so that
afterwards anybody can see which were made: those are undone, by a failure here or by the next start.
"""

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from container_manager.errors import AppError, Conflict
from container_manager.models import Cuid
from container_manager.store.mount import Mount
from container_manager.store.paths import Parts
from container_manager.store.staging import FEW, Work
from container_manager.store.syscalls import exchange, rename_new, sync_filesystem

NAME = "journal"


@dataclass(frozen=True, slots=True)
class Step:
    """One rename. "move": staged → free name. "swap": staged ⇄ mount. "take": mount → old/."""

    kind: Literal["move", "swap", "take"]
    path: Parts
    """From the mount down; the same below the staged tree."""
    inode: int
    """Of what moves: the staged entry, or for "take" the one in the mount."""


def move_in(mount: Mount, work: Work, cuid: Cuid, steps: Sequence[Step]) -> None:
    """Make `steps`, durable on return. On any failure all are undone and it is raised; Conflict for a lost race."""
    if not steps:
        return
    # A single rename is atomic by itself.
    journalled = len(steps) > 1
    if journalled:
        _write(work, cuid, steps)
    try:
        for directory, group in _by_directory(steps):
            with _sides(mount, work, directory) as (staged, target):
                for step in group:
                    _make(step, work, staged, target)
        _sync(mount, steps)
    except BaseException as error:
        undo(mount, work, steps)
        if isinstance(error, FileNotFoundError | FileExistsError):
            raise Conflict("The container changed these files at the same moment; nothing was changed here") from error
        raise
    if journalled:
        os.unlink(NAME, dir_fd=work.descriptor)
        # Or else the next start would undo what is about to be acknowledged.
        os.fsync(work.descriptor)


def recover(mount: Mount, work: Work) -> bool:
    """Undo what the journal in a left-over work directory tells; whether there was one."""
    journal = read(work)
    if journal is None:
        return False
    undo(mount, work, journal[1])
    os.unlink(NAME, dir_fd=work.descriptor)
    os.fsync(work.descriptor)
    return True


def read(work: Work) -> tuple[Cuid, list[Step]] | None:
    """The journal of a work directory: whose mount, which steps. None when there is none."""
    try:
        descriptor = os.open(NAME, os.O_RDONLY | os.O_CLOEXEC, dir_fd=work.descriptor)
    except FileNotFoundError:
        return None
    with open(descriptor, encoding="ascii") as file:
        content = json.load(file)
    return Cuid(content["cuid"]), [Step(kind, tuple(path), inode) for kind, path, inode in content["steps"]]


def undo(mount: Mount, work: Work, steps: Sequence[Step]) -> None:
    """Undo those of `steps` that were made, last first. What the container has changed since is left to it."""
    for directory, group in _by_directory(list(reversed(steps))):
        with contextlib.suppress(AppError), _sides(mount, work, directory) as (staged, target):
            for step in group:
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    _unmake(step, work, staged, target)
    _sync(mount, steps)


def _make(step: Step, work: Work, staged: int, target: int) -> None:
    name = step.path[-1]
    match step.kind:
        case "move":
            rename_new(name, name, source_at=staged, destination_at=target)
        case "swap":
            exchange(name, name, one_at=staged, other_at=target)
        case "take":
            rename_new(name, name, source_at=target, destination_at=work.old)


def _unmake(step: Step, work: Work, staged: int, target: int) -> None:
    name = step.path[-1]
    if _inode(work.old if step.kind == "take" else target, name) != step.inode:
        return
    match step.kind:
        case "move":
            rename_new(name, name, source_at=target, destination_at=staged)
        case "swap":
            exchange(name, name, one_at=staged, other_at=target)
        case "take":
            rename_new(name, name, source_at=work.old, destination_at=target)


def _inode(at: int, name: str) -> int:
    return os.stat(name, dir_fd=at, follow_symlinks=False).st_ino


def _by_directory(steps: Iterable[Step]) -> Iterator[tuple[Parts, Iterator[Step]]]:
    return itertools.groupby(steps, key=lambda step: step.path[:-1])


@contextlib.contextmanager
def _sides(mount: Mount, work: Work, directory: Parts) -> Iterator[tuple[int, int]]:
    """`directory` as staged and in the mount, reached through no link."""
    staged = Mount(work.tree).open_directory(directory, follow=False)
    try:
        target = mount.open_directory(directory, follow=False)
        try:
            yield staged, target
        finally:
            os.close(target)
    finally:
        os.close(staged)


def _write(work: Work, cuid: Cuid, steps: Sequence[Step]) -> None:
    content = {"cuid": cuid, "steps": [(step.kind, step.path, step.inode) for step in steps]}
    temporary = f"{NAME}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=work.descriptor)
    with open(descriptor, "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(descriptor)
    os.rename(temporary, NAME, src_dir_fd=work.descriptor, dst_dir_fd=work.descriptor)
    os.fsync(work.descriptor)


def _sync(mount: Mount, steps: Sequence[Step]) -> None:
    """Make the renames durable."""
    directories = {step.path[:-1] for step in steps}
    if len(directories) > FEW:
        sync_filesystem(mount.descriptor)
        return
    for directory in directories:
        with contextlib.suppress(AppError):
            descriptor = mount.open_directory(directory, follow=False)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
