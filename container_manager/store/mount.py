"""One container's mount: the only way to its files.

The container writes there at any moment whatever it likes. So nothing here gives the kernel a path from the root:
everything is resolved beneath the mount's own descriptor (see `beneath`), and everything new is made in staging
and renamed in.
"""

import contextlib
import errno
import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

from container_manager.errors import (
    AppError,
    Conflict,
    FileNotFound,
    NoSpace,
    PathExists,
    PathOutsideMount,
    ValidationError,
)
from container_manager.store import beneath
from container_manager.store.paths import Parts, shown
from container_manager.store.staging import Staging
from container_manager.store.syscalls import rename_new
from container_manager.store.tree import remove_tree

Kind = Literal["file", "directory", "link", "other"]

_SEARCH = os.O_PATH | os.O_DIRECTORY
_LIST = os.O_RDONLY | os.O_DIRECTORY


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a mount. `size` in bytes, `mode` the permission bits, `mtime` in nanoseconds."""

    name: str
    kind: Kind
    size: int
    mode: int
    mtime: int
    target: str | None = None
    """Where a link points, as its text says."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file, open for reading. Whoever gets it closes `descriptor`."""

    descriptor: int
    status: os.stat_result

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        return self.status.st_size

    @property
    def tag(self) -> str:
        """Changes whenever the file does."""
        status = self.status
        return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


class Mount:
    """An open mount. Every method blocks; every path is parsed (`paths.parse_path`)."""

    def __init__(self, descriptor: int, resolve: beneath.Resolve | None = None) -> None:
        self.descriptor = descriptor
        self._resolve = resolve or beneath.best()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the mount's descriptor."""
        os.close(self.descriptor)

    # --- reading ------------------------------------------------------------------------------

    def open_file(self, parts: Parts) -> OpenFile:
        """Open a regular file for reading, through links that stay inside. FileNotFound, PathOutsideMount."""
        with told(parts):
            opened = open_regular(self._resolve(self.descriptor, parts, os.O_PATH, True))
        if opened is None:
            raise FileNotFound(f"{shown(parts)} is not a file", path=shown(parts))
        return opened

    def open_directory(self, parts: Parts, *, follow: bool = True) -> int:
        """Open a directory for listing: a descriptor that the caller closes."""
        with told(parts):
            return self._resolve(self.descriptor, parts, _LIST, follow)

    def search(self, parts: Parts) -> int | None:
        """Open a directory to work in, through no link; None when it does not exist. The caller closes it."""
        try:
            with told(parts):
                return self._resolve(self.descriptor, parts, _SEARCH, False)
        except FileNotFound:
            return None

    def stat(self, parts: Parts) -> Entry:
        """What stands at `parts`; a link is told as a link. FileNotFound."""
        if not parts:
            return _entry(".", os.fstat(self.descriptor), None)
        with self._parent(parts, follow=True) as (parent, name):
            return _examine(parent, name)

    def list(self, parts: Parts, *, after: str = "", limit: int = 1000) -> tuple[list[Entry], bool]:
        """Entries of a directory by name, at most `limit` of those that sort after `after`; whether more follow."""
        directory = self.open_directory(parts)
        try:
            with os.scandir(directory) as found:
                names = heapq.nsmallest(limit + 1, (entry.name for entry in found if entry.name > after))
            entries = []
            for name in names[:limit]:
                with contextlib.suppress(FileNotFoundError):
                    entries.append(_examine(directory, name))
            return entries, len(names) > limit
        finally:
            os.close(directory)

    # --- changing -----------------------------------------------------------------------------

    def move(self, source: Parts, target: Parts, *, overwrite: bool) -> None:
        """Rename within the mount, links themselves and not what they point at. PathExists, Conflict."""
        if not source or not target:
            raise ValidationError.field("path", "The mount itself cannot be moved", shown(source))
        with self._parent(source) as (at, name), self._parent(target) as (target_at, target_name):
            try:
                if overwrite:
                    os.rename(name, target_name, src_dir_fd=at, dst_dir_fd=target_at)
                else:
                    rename_new(name, target_name, source_at=at, destination_at=target_at)
            except FileNotFoundError:
                raise FileNotFound(f"No {shown(source)}", path=shown(source)) from None
            except NotADirectoryError:
                raise PathExists(f"{shown(target)} is a file", path=shown(target)) from None
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                raise ValidationError.field("to", "A directory cannot be moved into itself", shown(target)) from None
            os.fsync(target_at)
            os.fsync(at)

    def remove(self, parts: Parts, staging: Staging, *, recursive: bool) -> None:
        """Remove a file, a link, or a directory (one that is not empty only with `recursive`)."""
        if not parts:
            raise ValidationError.field("path", "The mount itself cannot be removed", ".")
        with self._parent(parts) as (at, name):
            with told(parts):
                if not recursive and stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                    os.rmdir(name, dir_fd=at)
                    os.fsync(at)
                    return
            with staging.work() as work:
                # One rename takes it out of the container's sight; what happens to it then is nobody's race.
                with told(parts):
                    os.rename(name, "removed", src_dir_fd=at, dst_dir_fd=work.descriptor)
                os.fsync(at)
                remove_tree(work.descriptor, "removed")

    @contextlib.contextmanager
    def _parent(self, parts: Parts, *, follow: bool = False) -> Iterator[tuple[int, str]]:
        """The directory that holds `parts`, and the name there."""
        with told(parts):
            parent = self._resolve(self.descriptor, parts[:-1], _LIST, follow)
        try:
            with told(parts):
                yield parent, parts[-1]
        finally:
            os.close(parent)


def open_regular(found: int) -> OpenFile | None:
    """What the O_PATH descriptor `found` stands for, opened for reading if it is a regular file; `found` is closed.

    Opening a FIFO blocks and opening a device may do anything: so nothing is opened before it is known.
    """
    try:
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode):
            return None
        descriptor = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(found)
    return OpenFile(descriptor, status)


def _examine(at: int, name: str) -> Entry:
    status = os.stat(name, dir_fd=at, follow_symlinks=False)
    target = os.readlink(name, dir_fd=at) if stat.S_ISLNK(status.st_mode) else None
    return _entry(name, status, target)


def _entry(name: str, status: os.stat_result, target: str | None) -> Entry:
    kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), "other")
    return Entry(name, kind, status.st_size, stat.S_IMODE(status.st_mode), status.st_mtime_ns, target)


@contextlib.contextmanager
def told(parts: Parts) -> Iterator[None]:
    """Tell what the kernel refused at `parts` as an error of ours; what is none of the path's fault stays."""
    try:
        yield
    except OSError as error:
        translated = _translated(error, shown(parts))
        if translated is None:
            raise
        raise translated from error


def _translated(error: OSError, path: str) -> AppError | None:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return FileNotFound(f"No {path}", path=path)
        case errno.ELOOP | errno.EXDEV:
            return PathOutsideMount(f"{path} passes through a link that may lead out of the mount", path=path)
        case errno.EEXIST:
            return PathExists(f"{path} exists already", path=path)
        case errno.EISDIR:
            return PathExists(f"{path} is a directory", code="IS_A_DIRECTORY", path=path)
        case errno.ENOTEMPTY:
            return Conflict(f"{path} is not empty", code="DIRECTORY_NOT_EMPTY", path=path)
        case errno.ENOSPC | errno.EDQUOT:
            return NoSpace("The disk is full", path=path)
        case errno.ENAMETOOLONG:
            return ValidationError.field("path", "A name in the path is too long", path)
    return None
