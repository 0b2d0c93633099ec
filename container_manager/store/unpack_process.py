"""The program that unpacks one archive in processes of its own: the server's loop stays free, every core is used.

Its job comes as one line of JSON on stdin; how far it is and how it ends goes out as lines on stdout. The other side
is `unpacking`.
"""

import _thread
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from container_manager.errors import BadZip, NoSpace
from container_manager.store.archive_file import ArchiveFile
from container_manager.store.archive_tree import Archive, Limits, Placed, judge
from container_manager.store.archive_unpack import Unpacked, outcome, prepare, unpack_files
from container_manager.store.staging import Owner
from container_manager.store.syscalls import create_as, end_with_parent, sync_filesystem

_SHARES = 32
"""Parts that the files are cut into: whoever is done with one takes the next."""
_FILE_COST = 16 << 10
"""Making a file takes as long as unpacking so many bytes."""
_TELL_BYTES = 2 << 20
_PAUSE_SECONDS = 0.05


def main() -> None:
    """Do the job; the exit code is 0 when it was told how that ended."""
    # Nothing here goes in circles, and this process does not live long.
    gc.disable()
    end_with_parent()
    line = sys.stdin.readline()
    if line and os.getppid() == (job := json.loads(line))["server"]:
        sys.exit(_told(lambda: tell(done=_unpack(job)._asdict())))


def tell(**values: Any) -> None:
    """One line for the server, short enough to be written whole whoever else writes."""
    os.write(1, json.dumps(values, ensure_ascii=False).encode() + b"\n")


def _told(work: Callable[[], None]) -> int:
    """Exit code of `work`; how it failed is told."""
    try:
        work()
    except (BadZip, NoSpace) as error:
        tell(refused=type(error).__name__, message=error.message, details=error.details)
        return 1
    except OSError as error:
        tell(errno=error.errno, strerror=error.strerror)
        return 1
    return 0


def _unpack(job: dict[str, Any]) -> Unpacked:
    source, into, limits = job["archive"], job["into"], Limits(*job["limits"])
    owner: Owner = (job["owner"][0], job["owner"][1])
    archive = judge(ArchiveFile(source), limits)
    tell(total=archive.size)
    prepare(archive, into, owner, limits)
    to_give: Owner | None = owner
    if os.geteuid() == 0:
        os.fchown(into, *owner)
        if create_as(*owner):
            # What is created is right at once, which spares two calls for every file.
            os.umask(0)
            to_give = None
    _share_out(archive, into, to_give, job["processes"])
    if job["discard"]:
        # It has been read for the last time: what is not on the disk yet need not get there.
        os.ftruncate(source, 0)
    sync_filesystem(into)
    return outcome(archive)


def _share_out(archive: Archive, into: int, to_give: Owner | None, processes: int) -> None:
    """Unpack all files in `processes` processes, of which this one is the first."""
    shares = _shares(archive.files)
    queue, end = os.pipe()
    os.write(end, bytes(range(len(shares))))
    os.close(end)

    def take() -> None:
        file, progress = ArchiveFile(archive.file.descriptor), _Progress()
        while number := os.read(queue, 1):
            unpack_files(file, shares[number[0]], into, to_give, progress, sync=False)
        progress.tell()

    helpers = [_fork(take) for _ in range(processes - 1)]
    _thread.start_new_thread(_keep_syncing, (into,))
    take()
    codes = [os.waitpid(helper, 0)[1] for helper in helpers]
    if any(codes):
        # It has told why, or was killed: that the server sees by the end of its line.
        sys.exit(1)


def _shares(files: list[Placed]) -> list[list[Placed]]:
    """The files in parts that take about as long as each other, none out of its order."""
    costs = [_FILE_COST + placed.entry.packed + placed.entry.size for placed in files]
    most = sum(costs) // _SHARES + 1
    shares: list[list[Placed]] = [[]]
    left = most
    for placed, cost in zip(files, costs, strict=True):
        if left <= 0 and len(shares) < _SHARES:
            shares.append([])
            left += most
        shares[-1].append(placed)
        left -= cost
    return shares


class _Progress:
    """Counts what is unpacked and tells it now and then."""

    def __init__(self) -> None:
        self._bytes = 0

    def __call__(self, count: int) -> None:
        self._bytes += count
        if self._bytes >= _TELL_BYTES:
            self.tell()

    def tell(self) -> None:
        tell(unpacked=self._bytes)
        self._bytes = 0


def _keep_syncing(into: int) -> NoReturn:
    """Have the disk work while there is more to unpack: less is left to wait for at the end. In a thread of its own."""
    while True:
        time.sleep(_PAUSE_SECONDS)
        sync_filesystem(into)


def _fork(work: Callable[[], None]) -> int:
    """The id of a process that does `work` and ends with this one."""
    this = os.getpid()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        end_with_parent()
        if os.getppid() == this:
            code = _told(work)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
