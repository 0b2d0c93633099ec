"""Programs that outlived the server that started them: told by a mark in their environment, and ended."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

VARIABLE = "CONTAINER_MANAGER_CHILD_OF"
_PATIENCE_MS = 2000


def mark(data_dir: Path) -> Mapping[str, str]:
    """What the environment of every child has: whose it is. Only one server at a time owns a data directory."""
    return {VARIABLE: str(data_dir)}


def end_orphans(data_dir: Path) -> int:
    """Kill what an earlier server on `data_dir` left running, and wait until it is gone; how many. Blocks.

    Such a program would go on working on containers that this server works on too.
    """
    ended = 0
    for descriptor in _orphans(f"{VARIABLE}={data_dir}".encode()):
        try:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                ended += 1
                gone = select.poll()
                gone.register(descriptor, select.POLLIN)
                gone.poll(_PATIENCE_MS)
        finally:
            os.close(descriptor)
    return ended


def _orphans(wanted: bytes) -> Iterator[int]:
    """A pidfd of each process with the mark; opened before the look, so that it cannot come to mean another."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(int(name))
            try:
                found = wanted in Path("/proc", name, "environ").read_bytes().split(b"\0")
            except OSError:
                found = False
            if found:
                yield descriptor
            else:
                os.close(descriptor)
