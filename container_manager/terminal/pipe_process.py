"""A process on pipes: stdout and stderr told apart."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import partial

from container_manager.terminal.channel import Channels, Reader
from container_manager.terminal.child import Child
from container_manager.terminal.process import Output, Size


class PipeProcess(Channels):
    """A process without a terminal. With `takes_input` False it reads from /dev/null."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], *, takes_input: bool) -> None:
        super().__init__()
        self._child = Child(argv, environment)
        self._takes_input = takes_input
        self._open_streams = 0
        self._empty = asyncio.Event()

    async def start(self, output: Output) -> None:
        """Start it."""
        stdin = os.pipe() if self._takes_input else (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1)
        stdout, stderr = os.pipe(), os.pipe()
        ours = [fd for fd in (stdin[1], stdout[0], stderr[0]) if fd >= 0]
        try:
            await self._child.spawn(
                [
                    (os.POSIX_SPAWN_DUP2, stdin[0], 0),
                    (os.POSIX_SPAWN_DUP2, stdout[1], 1),
                    (os.POSIX_SPAWN_DUP2, stderr[1], 2),
                ]
            )
        except BaseException:
            for descriptor in ours:
                os.close(descriptor)
            raise
        finally:
            for descriptor in (stdin[0], stdout[1], stderr[1]):
                os.close(descriptor)

        self._open_streams = 2
        self._readers = [
            Reader(stdout[0], partial(output, "stdout"), self._stream_ended),
            Reader(stderr[0], partial(output, "stderr"), self._stream_ended),
        ]
        if self._takes_input:
            self._writer.open(stdin[1])

    def _stream_ended(self) -> None:
        self._open_streams -= 1
        if not self._open_streams:
            self._empty.set()

    def end_input(self) -> None:
        """Close its stdin after what was written."""
        self._writer.finish()

    def resize(self, size: Size) -> None:
        """It has no terminal."""

    async def wait(self) -> int:
        """Its exit code, once both streams have ended."""
        code = await asyncio.shield(self._child.exited)
        await self._empty.wait()
        return code

    async def close(self) -> None:
        """End it and close its pipes."""
        await self._child.end()
        self._close_channels()
