"""Removing trees that somebody may still be changing, of any depth, with one descriptor open at a time."""

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator

_PASSES = 100
"""How often a directory is emptied again that somebody keeps filling."""
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(at: int, name: str) -> None:
    """Remove `name`, a file or a tree, from the private directory `at`. Absent is fine.

    Instead of descending, every directory found is moved up into `at` and emptied there: no depth to run out of
    descriptors or stack, no ".." to walk back by, and no path that somebody could change on the way.
    """
    fresh = (f".{os.urandom(6).hex()}-{number}" for number in itertools.count())
    pending = [name]
    while pending:
        current = pending.pop()
        try:
            directory = os.open(current, DIRECTORY, dir_fd=at)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            os.unlink(current, dir_fd=at)
            continue
        try:
            for _ in range(_PASSES):
                _empty(directory, at, fresh, pending)
                try:
                    os.rmdir(current, dir_fd=at)
                    break
                except OSError as error:
                    # A process that still has it open may have put something in.
                    if error.errno != errno.ENOTEMPTY:
                        raise
            else:
                raise OSError(errno.ENOTEMPTY, "it is being filled while it is removed", current)
        finally:
            os.close(directory)


def _empty(directory: int, at: int, fresh: Iterator[str], pending: list[str]) -> None:
    """Unlink what lies in `directory`; move its subdirectories into `at` under names added to `pending`."""
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if not entry.is_dir(follow_symlinks=False):
                    try:
                        os.unlink(entry.name, dir_fd=directory)
                        continue
                    except IsADirectoryError:
                        pass
                moved = next(fresh)
                os.rename(entry.name, moved, src_dir_fd=directory, dst_dir_fd=at)
                pending.append(moved)
