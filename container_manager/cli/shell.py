"""A terminal of a container in the terminal that this runs in: `shell`, and `exec --terminal`."""

import asyncio
import os
import shutil
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from container_manager.cli import exits
from container_manager.client import Client, Exit, Output, Problem, Terminal

_CHUNK = 1 << 16
_END = b"~."


class EscapeKeys:
    """Finds Enter ~ . among the keys, as in ssh: the way out of a program that answers to nothing."""

    def __init__(self) -> None:
        self._at_line_start = True
        self._held = b""

    def feed(self, keys: bytes) -> tuple[bytes, bool]:
        """The keys to pass on, and whether the way out was typed after them. Enter ~ ~ types one ~."""
        passed = bytearray()
        for key in (keys[i : i + 1] for i in range(len(keys))):
            if self._held:
                if self._held + key == _END:
                    return bytes(passed), True
                passed += b"" if key == self._held else self._held
                passed += key
                self._held = b""
                self._at_line_start = key in b"\r\n"
            elif self._at_line_start and key == _END[:1]:
                self._held = key
            else:
                passed += key
                self._at_line_start = key in b"\r\n"
        return bytes(passed), False


async def attach(client: Client, cuid: str, *, watch: bool = False, **query: str | int | None) -> int:
    """Be the terminal of a process in the container until it ends; its exit code. With `watch` nothing is typed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise exits.Stop(
            "This needs a terminal, and its input or output is none. 'container-manager exec' needs none",
            exits.WRONG_USE,
        )
    columns, rows = shutil.get_terminal_size()
    async with client.terminal(cuid, cols=columns, rows=rows, **query) as terminal:
        with _raw(sys.stdin.fileno()):
            typing = asyncio.create_task(_type(terminal, watch=watch))
            showing = asyncio.create_task(_show(terminal))
            try:
                with _on_signals(terminal, showing.cancel):
                    return await showing
            finally:
                typing.cancel()
                showing.cancel()


async def _show(terminal: Terminal) -> int:
    async for event in terminal:
        match event:
            case Output(data):
                await asyncio.to_thread(_write, data)
            case Problem(message):
                _write(f"\r\n[{message}]\r\n".encode())
            case Exit(code, reason):
                if reason:
                    _write(f"\r\n[{reason}]\r\n".encode())
                return code
    return exits.DONE


async def _type(terminal: Terminal, *, watch: bool) -> None:
    escape = EscapeKeys()
    async for keys in _keys(sys.stdin.fileno()):
        passed, ended = escape.feed(keys)
        if passed and not watch:
            await terminal.send(passed)
        if ended:
            await terminal.close()
            return


async def _keys(descriptor: int) -> AsyncIterator[bytes]:
    """What is typed, read only as fast as it is taken."""
    loop = asyncio.get_running_loop()
    while True:
        ready = asyncio.Event()
        loop.add_reader(descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(descriptor)
        keys = os.read(descriptor, _CHUNK)
        if not keys:
            return
        yield keys


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """The terminal passes every key on as it is; put back at the end."""
    before = termios.tcgetattr(descriptor)
    try:
        # Not the default, which throws away what was typed ahead.
        tty.setraw(descriptor, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _on_signals(terminal: Terminal, leave: Callable[[], object]) -> Iterator[None]:
    """Pass on the window's size, and leave cleanly when told to end: a raw terminal must be put back."""
    loop = asyncio.get_running_loop()
    sizes: set[asyncio.Task[None]] = set()

    def resized() -> None:
        columns, rows = os.get_terminal_size()
        change = asyncio.create_task(terminal.resize(columns, rows))
        sizes.add(change)
        change.add_done_callback(sizes.discard)

    loop.add_signal_handler(signal.SIGWINCH, resized)
    for name in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, leave)
    try:
        yield
    finally:
        for name in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(name)
        for change in sizes:
            change.cancel()
