"""Linux calls that Python's os module lacks."""

import ctypes
import os
import signal

_NOREPLACE, _EXCHANGE = 1, 2
_PR_SET_PDEATHSIG = 1
_ID = 0xFFFFFFFF
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


def create_as(uid: int, gid: int) -> bool:
    """Have all that this thread creates from now on belong to `uid` and `gid`; whether the kernel lets it."""
    _libc.setfsgid(gid)
    _libc.setfsuid(uid)
    # Neither says whether it worked; what there was before, they do. No user has the number -1.
    return bool(_libc.setfsuid(-1) & _ID == uid and _libc.setfsgid(-1) & _ID == gid)


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
