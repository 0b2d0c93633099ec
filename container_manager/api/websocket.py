"""A viewer of a session behind a websocket: frames in, frames out, and a close that waits for nobody.

aiohttp answers the handshake and owns the connection; the bytes after that go straight to `feed_data`, and a key is
written to its process before that returns. aiohttp's own websocket would queue it and wake a task for it, which costs
a fifth of the whole way to the screen and back.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from aiohttp import web

from container_manager.api import rfc6455
from container_manager.api.errors import main_body
from container_manager.api.rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, Message
from container_manager.errors import AppError, ValidationError
from container_manager.terminal import frames
from container_manager.terminal.session import Session
from container_manager.terminal.viewer import Viewer

log = logging.getLogger(__name__)

MAX_FRAME = 1 << 20
"""Bytes of a message from a client; a larger one closes the connection with 1009."""

HEARTBEAT = 25.0
"""Seconds of silence after which a client is pinged. One that stays silent for half of that again is lost."""

BUFFER_HIGH = 256 << 10
BUFFER_LOW = 64 << 10
"""Bytes on their way to a client: above the one it is full, until they are no more than the other."""

FAREWELL = 10.0
"""Seconds that a client gets to take what was sent to it before the close frame."""

CLOSES_WITHIN = 0.1
"""Seconds for the client's own close frame, so that a prompt one ends in good order."""

_FAILED = 1011
_LEFT_IN_ORDER = (rfc6455.NO_CODE, 1000)


class Socket:
    """One client's connection, from the handshake to the close: what a Viewer sends through."""

    def __init__(self, request: web.Request, request_id: str) -> None:
        self.lost = True
        """It ended, or will end, without the client's leave: its session may be come back to."""
        self._request = request
        self._request_id = request_id
        self._accept = rfc6455.accepted(request.headers)
        if self._accept is None or request.transport is None:
            raise ValidationError("This is a websocket: ask for an upgrade", code="UPGRADE_REQUIRED")
        self._transport: asyncio.Transport = request.transport
        self._loop = asyncio.get_running_loop()
        self._messages = rfc6455.Messages(MAX_FRAME)
        self._take: Callable[[Message], Awaitable[None] | None]
        self._waiting: deque[Message] = deque()
        self._taking: asyncio.Task[None] | None = None
        self._over = False
        """It is closed, or lost."""
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._broken = False
        self._heard = True
        self._beat: asyncio.TimerHandle | None = None

    # --- its life ---------------------------------------------------------------------------------

    async def open(self, session: Session) -> web.StreamResponse:
        """Answer the handshake."""
        response = web.StreamResponse(
            status=101,
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Accept": self._accept or "",
                "X-Session-ID": session.plan.sid,
            },
        )
        response.force_close()
        await response.prepare(self._request)
        self._transport.set_write_buffer_limits(BUFFER_HIGH, BUFFER_LOW)
        return response

    async def listen(self, take: Callable[[Message], Awaitable[None] | None]) -> None:
        """Give every text or binary message to `take`, in order, until either side closes or the connection is lost.

        `take` returns None, or what to wait for before the next.
        """
        self._take = take
        self._expect_sign()
        try:
            self._request.protocol.set_parser(cast(Any, self))
            await self._ending.wait()
        finally:
            if self._beat is not None:
                self._beat.cancel()
            if self._taking is not None:
                self._taking.cancel()
                await asyncio.gather(self._taking, return_exceptions=True)

    async def shut(self) -> None:
        """Wait until the client has taken everything and closes too, both within their time."""
        self._transport.resume_reading()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(FAREWELL):
                self._transport.set_write_buffer_limits(0)
                await self.room()
            async with asyncio.timeout(CLOSES_WITHIN):
                await self._ended.wait()
        self._transport.abort() if self._transport.get_write_buffer_size() else self._transport.close()

    # --- out --------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> bool:
        """Send one text frame. Whether there is room for another."""
        if self._over:
            return True
        self._transport.write(rfc6455.frame(TEXT, frame))
        return not self._request.protocol.writing_paused

    async def room(self) -> None:
        """Wait until the client has taken most of what was sent. Raises ConnectionError."""
        await self._request.writer.drain()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; `listen` returns."""
        self._write(CLOSE, code.to_bytes(2) + reason.encode()[:120])
        self._end()

    def describe(self, error: AppError) -> Mapping[str, Any]:
        """The error object that any response would carry."""
        return main_body(error, self._request_id)

    def _write(self, opcode: int, payload: bytes) -> None:
        if not (self._over or self._transport.is_closing()):
            self._transport.write(rfc6455.frame(opcode, payload))

    def _end(self) -> None:
        self._over = True
        self._ending.set()

    # --- in: called by the connection --------------------------------------------------------------

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what came. Returns, for aiohttp, that this goes on and that nothing is left over."""
        self._heard = True
        if self._broken:
            return False, b""
        try:
            for message in self._messages.feed(data):
                self._waiting.append(message)
                self._go_on()
        except rfc6455.Broken as error:
            self._broken = True
            self.close(error.code, str(error))
        return False, b""

    def feed_eof(self) -> None:
        """The connection is gone."""
        self._end()
        self._ended.set()

    def _go_on(self) -> None:
        while self._waiting and self._taking is None:
            pending = self._handle(self._waiting.popleft())
            if pending is not None:
                # Whoever types faster than it is taken, waits; so does all that comes after it.
                self._transport.pause_reading()
                self._taking = asyncio.ensure_future(self._wait(pending))

    async def _wait(self, pending: Awaitable[None]) -> None:
        try:
            await pending
        except Exception:
            self._failed()
        finally:
            self._taking = None
        self._transport.resume_reading()
        self._go_on()

    def _handle(self, message: Message) -> Awaitable[None] | None:
        opcode, payload = message
        if opcode == CLOSE:
            self._leave(payload)
        elif self._over:
            return None
        elif opcode == PING:
            # Who reads nothing is not answered without end.
            if not self._request.protocol.writing_paused:
                self._write(PONG, payload)
        elif opcode != PONG:
            try:
                return self._take(message)
            except Exception:
                self._failed()
        return None

    def _failed(self) -> None:
        log.exception("a frame from a client failed")
        self.close(_FAILED, "the server failed")

    def _leave(self, payload: bytes) -> None:
        if not self._over:
            self.lost = rfc6455.close_code(payload) not in _LEFT_IN_ORDER
            self._write(CLOSE, payload[:2])
        self._end()
        self._ended.set()

    # --- is it there? -----------------------------------------------------------------------------

    def _expect_sign(self) -> None:
        self._heard = False
        self._beat = self._loop.call_later(HEARTBEAT, self._ask_for_sign)

    def _ask_for_sign(self) -> None:
        if self._heard or self._taking is not None:
            self._expect_sign()
        else:
            self._write(PING, b"")
            self._beat = self._loop.call_later(HEARTBEAT / 2, self._judge)

    def _judge(self) -> None:
        if self._heard:
            self._expect_sign()
        else:
            self._transport.abort()


async def serve(socket: Socket, session: Session, viewer: Viewer) -> None:
    """Run `viewer` in `session` until one of them is done with the other."""

    def take(message: Message) -> Awaitable[None] | None:
        try:
            pending = _take(message, session, viewer)
        except AppError as error:
            return viewer.refuse(error)
        return None if pending is None else told(pending)

    async def told(pending: Awaitable[None]) -> None:
        try:
            await pending
        except AppError as error:
            await viewer.refuse(error)

    session.attach(viewer)
    try:
        await socket.listen(take)
    finally:
        session.leave(viewer, lost=socket.lost)
        viewer.gone()
    await socket.shut()


def _take(message: Message, session: Session, viewer: Viewer) -> Awaitable[None] | None:
    kind, data = message
    if kind == BINARY:
        raise frames.BadFrame.field("type", "Frames are JSON text, this one is binary", code="BAD_FRAME")
    match frames.parse(data):
        case frames.Stdin() as typed:
            if not session.type(viewer, typed.decoded(), eof=typed.eof):
                return session.drain()
        case frames.Resize() as resized:
            session.resize(viewer, resized.size)
        case frames.Signal(name=name):
            return session.signal(viewer, name)
        case frames.Close():
            session.close(viewer)
        case frames.Ping():
            return viewer.reply(frames.PONG)
    return None
