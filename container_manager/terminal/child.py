"""A child process in a session of its own: spawned, watched through a pidfd, ended by a ladder of signals."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
from collections.abc import Mapping, Sequence

FileAction = tuple[int, int, str, int, int] | tuple[int, int, int] | tuple[int, int]

_LADDER = ((signal.SIGHUP, 0.3), (signal.SIGTERM, 0.5), (signal.SIGKILL, 5.0))
"""Signals that end a process, and the seconds that each gets."""

# Python ignores SIGPIPE, nohup SIGHUP, a shell that runs this server in the background SIGINT: none is inherited.
_DEFAULT_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


class Child:
    """One child process. `exited` resolves to its exit code; 128 + n when signal n ended it."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._argv = list(argv)
        self._environment = dict(environment)
        self._pid = 0
        self._pidfd = -1
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def spawn(self, actions: Sequence[FileAction]) -> None:
        """Start it as the leader of a new session, its descriptors set up by `actions`. Raises OSError.

        A terminal that `actions` opens becomes its controlling one: it leads a session and has none.
        """
        spawning = asyncio.ensure_future(asyncio.to_thread(self._spawn, actions))
        try:
            await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # The thread cannot be stopped: what it starts is taken on, so that close() can end it.
            with contextlib.suppress(OSError):
                await spawning
                self._watch()
            raise
        self._watch()

    def _spawn(self, actions: Sequence[FileAction]) -> None:
        program = shutil.which(self._argv[0], path=self._environment.get("PATH"))
        if program is None:
            raise FileNotFoundError(errno.ENOENT, f"{self._argv[0]} is not on the PATH")
        self._pid = os.posix_spawn(
            program,
            self._argv,
            self._environment,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULT_SIGNALS,
        )

    def _watch(self) -> None:
        # While it is not reaped its pid cannot be anybody else's.
        self._pidfd = os.pidfd_open(self._pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        # Helpers that it left behind go with it, before its id can be given to another group.
        self._signal_group(signal.SIGKILL)
        _, status = os.waitpid(self._pid, 0)
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        code = os.waitstatus_to_exitcode(status)
        if not self.exited.done():
            self.exited.set_result(128 - code if code < 0 else code)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it and what it started, if it runs."""
        if self.running:
            self._signal_group(number)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)

    @property
    def running(self) -> bool:
        """It was started and has not been reaped."""
        return self._pidfd >= 0

    async def end(self) -> None:
        """Walk down the ladder until it has ended."""
        for number, seconds in _LADDER:
            if not self.running:
                return
            self._signal_group(number)
            await asyncio.wait([self.exited], timeout=seconds)
