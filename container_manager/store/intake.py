"""What is uploaded: made ready in a work directory, then delivered into the mount in one go."""

import contextlib
import os
from collections.abc import Callable
from typing import Literal

from container_manager.errors import AppError, Conflict, FileChanged, PathExists
from container_manager.models import Cuid
from container_manager.store.archive_file import ArchiveFile
from container_manager.store.archive_tree import Limits, judge
from container_manager.store.archive_unpack import Progress, Unpacked, check_room, unpack
from container_manager.store.journal import move_in
from container_manager.store.merge import plan_merge, plan_replace
from container_manager.store.mount import Mount
from container_manager.store.paths import Parts, shown
from container_manager.store.staging import FILE_MODE, Owner, Work, give, make_directories
from container_manager.store.unpacking import unpack_aside

Mode = Literal["merge", "replace"]
"""merge: what is not uploaded stays. replace: it goes."""

UPLOAD = "upload"
"""Name of the file in a work directory that a body is written to."""
LARGE = 2 << 20
"""Bytes of an archive from which on it is unpacked by processes of its own."""
_ATTEMPTS = 5
"""How often a delivery is planned anew because the container changed what the plan was made for."""


def open_upload(work: Work) -> int:
    """A new file in `work` for the body of an upload."""
    return os.open(UPLOAD, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=work.descriptor)


def write_part(descriptor: int, data: bytes | bytearray, offset: int, free: int) -> None:
    """Write part of a body. NoSpace when less than `free` bytes of the disk would be left."""
    check_room(descriptor, len(data), free)
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.pwrite(descriptor, view[written:], offset + written)


def stage_archive(
    descriptor: int,
    work: Work,
    where: Parts,
    owner: Owner,
    limits: Limits,
    judged: Callable[[int], None],
    progress: Progress,
    *,
    discard: bool,
) -> Unpacked:
    """Judge the archive in the file `descriptor`, and unpack what is to be directory `where`. BadZip, NoSpace.

    `judged` is called with the bytes that it will come to, `progress` with those unpacked since. With `discard` the
    archive may be empty afterwards.
    """
    target = make_directories(work.tree, where, owner)
    try:
        if os.fstat(descriptor).st_size >= LARGE:
            return unpack_aside(descriptor, target, owner, limits, judged, progress, discard=discard)
        archive = judge(ArchiveFile(descriptor), limits)
        judged(archive.size)
        return unpack(archive, target, owner, limits, progress)
    finally:
        os.close(target)


def stage_file(work: Work, source: int, name: str, where: Parts, owner: Owner, mode: int | None) -> None:
    """Make the file `name` in directory `source` the one that is to be `where`, durable."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        give(descriptor, owner, FILE_MODE if mode is None else mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    directory = make_directories(work.tree, where[:-1], owner)
    try:
        # A link, so that a delivery that fails leaves the upload as it was.
        os.link(name, where[-1], src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
        os.fsync(directory)
    finally:
        os.close(directory)


def stage_directories(work: Work, where: Parts, owner: Owner) -> None:
    """Make the directories of `where` ready."""
    directory = make_directories(work.tree, where, owner)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def mode_of(mount: Mount, where: Parts) -> int | None:
    """The permissions of the file that stands at `where`: its new content keeps them."""
    with contextlib.suppress(AppError):
        entry = mount.stat(where)
        if entry.kind == "file":
            return entry.mode & 0o777
    return None


def deliver(mount: Mount, work: Work, cuid: Cuid, where: Parts, mode: Mode) -> bool:
    """Move everything staged into the mount: all of it or, on any failure, nothing. Whether anything was new."""
    for attempt in range(_ATTEMPTS):
        steps = plan_replace(mount, work, where) if mode == "replace" else plan_merge(mount, work)
        try:
            move_in(mount, work, cuid, steps)
        except PathExists:
            raise
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return any(step.kind == "move" for step in steps)
    raise AssertionError("every attempt returns or raises")


def check_tag(mount: Mount, where: Parts, expected: str) -> None:
    """FileChanged unless the file at `where` still has the tag `expected`; "*": any, "": there must be none."""
    tag = ""
    with contextlib.suppress(AppError), contextlib.closing(mount.open_file(where)) as file:
        tag = file.tag
    if tag != expected and not (expected == "*" and tag):
        raise FileChanged(f"{shown(where)} is not what you last saw: read it again", path=shown(where), etag=tag)
