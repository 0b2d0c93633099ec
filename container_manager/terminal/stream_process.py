"""A process that is reached through a socket: an exec, by the engine's own stream."""

import asyncio
import contextlib
import os
import socket
from functools import partial
from typing import Protocol

from container_manager.terminal.channel import Channels, Reader
from container_manager.terminal.process import Output, Size, Stream

_EOF = b"\x04"
_HEADER = 8
_KILLED = 137


class Exec(Protocol):
    """What runs at the other end. Everything may raise OSError."""

    tty: bool

    async def open(self) -> socket.socket:
        """Start it: a non-blocking socket for its input and output."""

    async def resize(self, cols: int, rows: int) -> None:
        """Set its terminal's size, and return when that is done."""

    async def exit_code(self) -> int:
        """Its exit code, after its stream has ended."""


class StreamProcess(Channels):
    """An exec with a terminal, or with stdout and stderr told apart by the frames that its stream has."""

    def __init__(self, executed: Exec, size: Size) -> None:
        super().__init__()
        self._exec = executed
        self._size = size
        self._told = size
        """The size that the terminal has, or is about to have."""
        self._heard = False
        self._socket: socket.socket | None = None
        self._frames = bytearray()
        self._resizing: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    async def start(self, output: Output) -> None:
        """Start it. Raises OSError with the engine's words."""
        try:
            self._socket = await self._exec.open()
        except TimeoutError:
            raise OSError("the engine did not start it in time") from None
        received = partial(self._first_received if self._exec.tty else self._unframe, output)
        self._writer.open(os.dup(self._socket.fileno()))
        self._readers = [Reader(os.dup(self._socket.fileno()), received, self._empty.set)]
        if self._exec.tty:
            self._follow_size(first=True)

    def _first_received(self, output: Output, data: bytes) -> None:
        # It has set up its terminal for the size at its start: one that came since must be set after that.
        self._heard = True
        self._readers[0].data = partial(output, "stdout")
        self._follow_size()
        output("stdout", data)

    def _unframe(self, output: Output, data: bytes) -> None:
        self._frames += data
        while len(self._frames) >= _HEADER:
            length = int.from_bytes(self._frames[4:_HEADER])
            # Only what is there is kept: a frame need not be whole to be passed on.
            piece = bytes(self._frames[_HEADER : _HEADER + length])
            stream: Stream = "stderr" if self._frames[0] == 2 else "stdout"
            if len(piece) < length:
                if piece:
                    self._frames[4:_HEADER] = (length - len(piece)).to_bytes(4)
                    del self._frames[_HEADER:]
                    output(stream, piece)
                return
            del self._frames[: _HEADER + length]
            if piece:
                output(stream, piece)

    def end_input(self) -> None:
        """Type ^D, or close its stdin."""
        if self._exec.tty:
            self.write(_EOF)
        else:
            self._writer.finish(self._half_close)

    def _half_close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def resize(self, size: Size) -> None:
        """Set the terminal's size. Input that comes after it arrives after it."""
        self._size = size
        if self._exec.tty and self._heard:
            self._follow_size()

    def _follow_size(self, *, first: bool = False) -> None:
        idle = self._resizing is None or self._resizing.done()
        if idle and (first or self._told != self._size):
            self._writer.hold()
            self._resizing = asyncio.create_task(self._resize())

    async def _resize(self) -> None:
        try:
            while True:
                self._told = size = self._size if self._heard else self._told
                await self._exec.resize(size.cols, size.rows)
                if not self._heard or self._size == size:
                    return
        except (OSError, TimeoutError):
            pass  # it has just ended, or its size stays as it is
        finally:
            self._writer.release()

    async def wait(self) -> int:
        """Its exit code, once its stream has ended."""
        await self._empty.wait()
        try:
            return await self._exec.exit_code()
        except (OSError, TimeoutError):
            return _KILLED  # the engine has forgotten it, with its container

    async def close(self) -> None:
        """Let go of it. What runs in the container is ended by its mark."""
        if self._resizing is not None:
            self._resizing.cancel()
            await asyncio.gather(self._resizing, return_exceptions=True)
        self._close_channels()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
