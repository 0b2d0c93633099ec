"""A process on a pseudo-terminal."""

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
import tty
from collections.abc import Mapping, Sequence

from container_manager.terminal.channel import Channels, Reader
from container_manager.terminal.child import Child
from container_manager.terminal.process import Output, Size

_EOF = b"\x04"
_SETTLES = 0.1
_SETTLES_AT_MOST = 0.3
"""Seconds that input waits for a new size to reach the terminal inside the container: it takes a longer way."""

_TOLD_AGAIN = (0.3, 1.5)
"""Seconds after which a client is told of a new size again: one that has just started may not listen yet."""

_QUIET = 0.25
"""Seconds without output after which the terminal of an ended process counts as empty, if somebody still holds it."""


class PtyProcess(Channels):
    """A process that leads a session on its own terminal.

    `raw` is for a client that passes bytes on to another terminal (an exec in a container): what is typed before
    it runs must neither be echoed nor changed on the way.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], size: Size, *, raw: bool) -> None:
        super().__init__()
        self._child = Child(argv, environment)
        self._size = size
        self._raw = raw
        self._master = -1
        self._empty = asyncio.Event()
        self._heard = False
        self._quiet: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._settled_by = 0.0
        self._reminders: list[asyncio.TimerHandle] = []

    async def start(self, output: Output) -> None:
        """Start it on a terminal that has its size from the beginning."""
        self._master, slave = os.openpty()
        started_at = self._size
        try:
            if self._raw:
                tty.setraw(slave, termios.TCSANOW)
            self._set_size(self._size)
            name = os.ttyname(slave)
            await self._child.spawn(
                [
                    (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, 0, 2),
                ]
            )
        except BaseException:
            if not self._child.running:
                self._close_master()
            raise
        finally:
            os.close(slave)

        def received(data: bytes) -> None:
            if not self._heard:
                self._heard = True
                if self._size != started_at:
                    # What it runs set up its terminal for the size at the start, perhaps after this one came.
                    self._tell_again()
            if self._quiet is not None:
                self._wait_for_quiet()
            output("stdout", data)

        self._writer.open(os.dup(self._master))
        self._readers = [Reader(os.dup(self._master), received, self._empty.set)]

    def end_input(self) -> None:
        """Type ^D."""
        self.write(_EOF)

    def resize(self, size: Size) -> None:
        """Set the terminal's size; the kernel tells the foreground process."""
        if size != self._size:
            self._size = size
            self._set_size(size)
            if self._raw:
                self._let_settle()
                self._plan_to_tell_again()

    def _let_settle(self) -> None:
        loop = asyncio.get_running_loop()
        if self._settling is None:
            self._settled_by = loop.time() + _SETTLES_AT_MOST
            self._writer.hold()
        else:
            self._settling.cancel()
        self._settling = loop.call_at(min(loop.time() + _SETTLES, self._settled_by), self._settled)

    def _settled(self) -> None:
        self._settling = None
        self._writer.release()

    def _plan_to_tell_again(self) -> None:
        for timer in self._reminders:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._reminders = [loop.call_later(seconds, self._tell_again) for seconds in _TOLD_AGAIN]

    def _tell_again(self) -> None:
        self._child.send_signal(signal.SIGWINCH)

    def _set_size(self, size: Size) -> None:
        if self._master >= 0:
            with contextlib.suppress(OSError):
                packed = struct.pack("HHHH", size.rows, size.cols, 0, 0)
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, packed)

    def resume(self) -> None:
        """Read on."""
        super().resume()
        if self._quiet is not None:
            self._wait_for_quiet()

    async def wait(self) -> int:
        """Its exit code, once the terminal is empty."""
        code = await asyncio.shield(self._child.exited)
        self._wait_for_quiet()
        await self._empty.wait()
        return code

    def _wait_for_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(_QUIET, self._is_quiet)

    def _is_quiet(self) -> None:
        for reader in self._readers:
            if not reader.paused:
                reader.close()

    async def close(self) -> None:
        """Hang up, end it, close the terminal."""
        await self._child.end()
        for timer in (self._quiet, self._settling, *self._reminders):
            if timer is not None:
                timer.cancel()
        self._close_channels()
        self._close_master()

    def _close_master(self) -> None:
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
