"""Small files that are whole or absent, whatever happens in between."""

import contextlib
import os
import secrets
from pathlib import Path

TEMPORARY = ".tmp-"
"""Marks the files that a kill may leave behind; `sweep_temporaries` removes them at start."""


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data`, durable on return: temp file, fsync, rename, fsync of the directory."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            # Exactly this mode, whatever the umask.
            os.fchmod(descriptor, mode)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    fsync_directory(path.parent)


def fsync_directory(path: Path) -> None:
    """Make renames and unlinks in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_temporaries(directory: Path) -> None:
    """Remove what an earlier run's unfinished writes left in `directory`."""
    for entry in os.scandir(directory):
        if entry.name.startswith(TEMPORARY):
            os.unlink(entry.path)
