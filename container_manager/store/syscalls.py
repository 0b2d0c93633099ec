"""The two Linux calls that Python's os module lacks and moving files in needs."""

import ctypes
import os

_NOREPLACE, _EXCHANGE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)


def rename_new(source: str, destination: str, *, source_at: int, destination_at: int) -> None:
    """Rename, atomically, onto a name that must be free. FileExistsError when it is not."""
    _renameat2(source, destination, source_at, destination_at, _NOREPLACE)


def exchange(one: str, other: str, *, one_at: int, other_at: int) -> None:
    """Swap two names that both exist, atomically."""
    _renameat2(one, other, one_at, other_at, _EXCHANGE)


def sync_filesystem(descriptor: int) -> None:
    """Bring everything written to the file system of `descriptor` to the disk."""
    if _libc.syncfs(descriptor) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _renameat2(source: str, destination: str, source_at: int, destination_at: int, flags: int) -> None:
    if _libc.renameat2(source_at, os.fsencode(source), destination_at, os.fsencode(destination), flags) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, destination)
