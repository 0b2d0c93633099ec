"""Opening files below a directory's descriptor, by the kernel's word that nothing leads out of it.

`openat2` decides inside the kernel, in one call, whatever is renamed meanwhile. Where it is missing, a walk opens
one name after the other from the descriptor of the one before and follows no link at all.
"""

import ctypes
import errno
import functools
import os
import stat
from collections.abc import Callable

from container_manager.store.paths import Parts

Resolve = Callable[[int, Parts, int, bool], int]
"""(root descriptor, names, open flags, follow links inside) → descriptor. Raises OSError; ELOOP or EXDEV: it left."""

_OPENAT2 = 437
"""The same number on every architecture."""
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_CHUNK_BYTES = 3500
"""A longer path is opened in several steps, each beneath the one before."""

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def by_kernel(root: int, parts: Parts, flags: int, follow: bool = False) -> int:
    """Open with openat2. With `follow`, relative links are followed while they stay beneath `root`."""
    resolve = _BENEATH | _NO_MAGICLINKS | (0 if follow else _NO_SYMLINKS)
    paths = _chunks(parts)
    at, opened = root, -1
    try:
        for path in paths[:-1]:
            below = _openat2(at, path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, resolve)
            if opened >= 0:
                os.close(opened)
            at = opened = below
        return _openat2(at, paths[-1], flags | os.O_CLOEXEC, resolve)
    finally:
        if opened >= 0:
            os.close(opened)


def _openat2(at: int, path: bytes, flags: int, resolve: int) -> int:
    how = _OpenHow(flags, 0, resolve)
    while True:
        opened: int = _libc.syscall(_OPENAT2, at, path, ctypes.byref(how), ctypes.sizeof(how))
        if opened >= 0:
            return opened
        number = ctypes.get_errno()
        # EAGAIN: something was renamed while the kernel looked at a "..", so it could not be sure.
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), os.fsdecode(path))


def by_walk(root: int, parts: Parts, flags: int, follow: bool = False) -> int:
    """Open name by name. Follows no link, `follow` or not: safe comes first where the kernel is old."""
    at, opened = root, -1
    try:
        for name in parts[:-1]:
            below = _open_name(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, at)
            if opened >= 0:
                os.close(opened)
            at = opened = below
        return _open_name(parts[-1] if parts else ".", flags | os.O_NOFOLLOW, at)
    finally:
        if opened >= 0:
            os.close(opened)


def _open_name(name: str, flags: int, at: int) -> int:
    try:
        descriptor = os.open(name, flags | os.O_CLOEXEC, dir_fd=at)
    except NotADirectoryError as error:
        # With O_DIRECTORY a link is "not a directory": tell it from a file, as the kernel's way does.
        if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from error
        raise
    # With O_PATH a link opens as the link itself.
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return descriptor


def _chunks(parts: Parts) -> list[bytes]:
    """The path in pieces that openat2 takes."""
    chunks: list[bytes] = []
    names: list[bytes] = []
    size = 0
    for part in parts:
        name = os.fsencode(part)
        if size + len(name) > _CHUNK_BYTES:
            chunks.append(b"/".join(names))
            names, size = [], 0
        names.append(name)
        size += len(name) + 1
    return [*chunks, b"/".join(names) or b"."]


@functools.cache
def best() -> Resolve:
    """The kernel's way where there is one, else the walk."""
    probe = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(by_kernel(probe, (), os.O_PATH | os.O_DIRECTORY))
    except OSError:
        # Kernels before 5.6 lack the call (ENOSYS), some sandboxes refuse it (EPERM).
        return by_walk
    finally:
        os.close(probe)
    return by_kernel
