"""Non-blocking reading and writing of descriptors on the event loop, with a bound on what is kept."""

import asyncio
import os
from collections.abc import Callable

READ_AT_ONCE = 32 << 10
"""Bytes gathered for one piece of output."""

_MOST_OF_A_TERMINAL = 4095
"""Bytes that a read from a PTY returns at most, however many there are."""

INPUT_HIGH = 256 << 10
INPUT_LOW = 64 << 10


class Reader:
    """Hands what a descriptor yields to `data`, and says `ended` once. Owns the descriptor.

    `data` may be exchanged at any time.
    """

    def __init__(self, descriptor: int, data: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self.data = data
        self._ended = ended
        self._paused = False
        self._loop.add_reader(descriptor, self._ready)

    @property
    def paused(self) -> bool:
        """Nothing is read for the time being."""
        return self._paused

    def _ready(self) -> None:
        pieces: list[bytes] = []
        gathered = 0
        ended = False
        while gathered < READ_AT_ONCE:
            try:
                piece = os.read(self._descriptor, READ_AT_ONCE - gathered)
            except BlockingIOError:
                break
            except OSError:  # EIO: a terminal that nobody holds any more
                piece = b""
            if not piece:
                ended = True
                break
            pieces.append(piece)
            gathered += len(piece)
            if len(piece) < _MOST_OF_A_TERMINAL:
                break  # that was all: asking again would only be told so
        if pieces:
            self.data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if ended:
            self.close()

    def pause(self) -> None:
        """Stop reading."""
        if self._descriptor >= 0 and not self._paused:
            self._loop.remove_reader(self._descriptor)
        self._paused = True

    def resume(self) -> None:
        """Read on."""
        if self._descriptor >= 0 and self._paused:
            self._loop.add_reader(self._descriptor, self._ready)
        self._paused = False

    def close(self) -> None:
        """Stop for good; closes the descriptor."""
        if self._descriptor < 0:
            return
        if not self._paused:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self._ended()


class Writer:
    """Writes to a descriptor as fast as it takes it, and owns it. What comes before `open` is kept for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = -1
        self._pending = bytearray()
        self._waiting = False
        self._held = False
        self._finishing = False
        self._finished: Callable[[], None] | None = None
        self._closed = False
        self._roomy = asyncio.Event()
        self._roomy.set()

    def open(self, descriptor: int) -> None:
        """Write to `descriptor` from now on."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._flush()

    def write(self, data: bytes) -> bool:
        """Write `data` as soon as it is taken; False while `drain` would wait. What nobody can read is dropped."""
        if self._closed or self._finishing:
            return True
        if not self._pending and not self._held and self._descriptor >= 0:
            # The usual case: a key, and whoever reads it has taken all that came before.
            try:
                written = os.write(self._descriptor, data)
            except OSError:
                written = 0  # told once more, and heeded, by the flush
            if written == len(data):
                return True
            data = data[written:]
        self._pending += data
        if not self._waiting:
            self._flush()
        return self._roomy.is_set()

    def hold(self) -> None:
        """Write nothing until `release`."""
        self._held = True

    def release(self) -> None:
        """Write on."""
        self._held = False
        self._flush()

    def _flush(self) -> None:
        if self._descriptor >= 0:
            self._write_out()
        if len(self._pending) > INPUT_HIGH:
            self._roomy.clear()
        elif len(self._pending) <= INPUT_LOW:
            self._roomy.set()

    def _write_out(self) -> None:
        try:
            while self._pending and not self._held and (written := os.write(self._descriptor, self._pending)):
                del self._pending[:written]
        except BlockingIOError:
            pass
        except OSError:  # EPIPE, EIO: the other side is gone
            self.close()
            return
        waits = bool(self._pending) and not self._held
        if waits != self._waiting:
            self._waiting = waits
            if self._waiting:
                self._loop.add_writer(self._descriptor, self._flush)
            else:
                self._loop.remove_writer(self._descriptor)
        if self._finishing and not self._pending:
            self.close()
            if self._finished is not None:
                self._finished()

    async def drain(self) -> None:
        """Wait while more than INPUT_HIGH bytes are pending, until INPUT_LOW are."""
        await self._roomy.wait()

    def discard(self) -> None:
        """Forget what is pending."""
        self._pending.clear()
        self._flush()

    def finish(self, finished: Callable[[], None] | None = None) -> None:
        """Close when everything pending is written, then call `finished`."""
        self._finishing, self._finished = True, finished
        self._flush()

    def close(self) -> None:
        """Stop for good; closes the descriptor."""
        if self._waiting:
            self._loop.remove_writer(self._descriptor)
            self._waiting = False
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._closed = True
        self._pending.clear()
        self._roomy.set()


class Channels:
    """What every process does whose input and output are descriptors here."""

    def __init__(self) -> None:
        self._writer = Writer()
        self._readers: list[Reader] = []

    def write(self, data: bytes) -> bool:
        """Give it input; False when no more should follow before `drain` returns."""
        return self._writer.write(data)

    async def drain(self) -> None:
        """Wait until most of the input is on its way."""
        await self._writer.drain()

    def discard_input(self) -> None:
        """Forget what is not on its way yet."""
        self._writer.discard()

    def pause(self) -> None:
        """Stop reading: what it writes to fills up and it waits."""
        for reader in self._readers:
            reader.pause()

    def resume(self) -> None:
        """Read on."""
        for reader in self._readers:
            reader.resume()

    def _close_channels(self) -> None:
        for reader in self._readers:
            reader.close()
        self._writer.close()
