"""Unpacking beside the server: a large archive is work for processes of its own (`unpack_process`)."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from container_manager.errors import BadZip, IoError, NoSpace
from container_manager.store.archive_tree import Limits
from container_manager.store.archive_unpack import Progress, Unpacked
from container_manager.store.staging import Owner

MOST_PROCESSES = 4
"""For one archive, however many cores there are: others want some too."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from container_manager.store.unpack_process import main; main()"
_KEPT = ("LD_LIBRARY_PATH", "TZ")
_LOOK_MILLISECONDS = 200
_REFUSALS = {"BadZip": BadZip, "NoSpace": NoSpace}


def unpack_aside(
    descriptor: int,
    into: int,
    owner: Owner,
    limits: Limits,
    judged: Callable[[int], None],
    progress: Progress,
    *,
    discard: bool,
) -> Unpacked:
    """Judge the archive in the file `descriptor` and unpack it into directory `into`, durably. BadZip, NoSpace.

    `judged` is called with the bytes that will be unpacked. With `discard` the archive is empty afterwards.
    """
    here = str(Path(__file__).parents[2])
    path = [here, *(entry for entry in sys.path if os.path.isabs(entry))]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, *path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(descriptor, into),
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 - both are pipes, as asked for above
    assert process.stdout is not None  # noqa: S101
    job = {
        "server": os.getpid(),
        "archive": descriptor,
        "into": into,
        "owner": owner,
        "limits": limits,
        "processes": min(len(os.sched_getaffinity(0)), MOST_PROCESSES),
        "discard": discard,
    }
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(json.dumps(job).encode() + b"\n")
        for told in _lines(process.stdout.fileno(), progress):
            match told:
                case {"total": total}:
                    judged(total)
                case {"unpacked": count}:
                    progress(count)
                case {"refused": kind, "message": message, "details": details}:
                    raise _REFUSALS[kind](message, **details)
                case {"errno": number, "strerror": text}:
                    raise OSError(number, text)
                case {"done": done}:
                    return Unpacked(**{**done, "skipped": tuple(done["skipped"])})
        raise IoError("The process that unpacked the archive was ended from outside. Nothing was changed")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # The pipe ends with the last of them: nothing writes to `into` any more.
        while os.read(process.stdout.fileno(), 1 << 16):
            pass
        process.stdout.close()
        process.wait()
        # Its helpers fall to the first process of this machine or container, which may be this one.
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-process.pid, 0)


def _lines(pipe: int, progress: Progress) -> Iterator[dict[str, Any]]:
    """What is told, line by line. While nothing is, `progress` is called all the same: it may want to end this."""
    rest = b""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        while not poll.poll(_LOOK_MILLISECONDS):
            progress(0)
        data = os.read(pipe, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from map(json.loads, lines)
