"""A viewer of a session behind a websocket: frames in, frames out, and a close that waits for nobody."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from aiohttp import WSMsgType, web

from container_manager.api.errors import main_body
from container_manager.errors import AppError
from container_manager.terminal import frames
from container_manager.terminal.session import Session
from container_manager.terminal.viewer import Viewer

MAX_FRAME = 1 << 20
"""Bytes of a frame from a client; a larger one closes the connection with 1009."""

HEARTBEAT = 25.0
"""Seconds between pings. A client that answers none for half of that is lost."""

CLOSES_WITHIN = 0.1
"""Seconds for the client's own close frame, so that a prompt one ends in good order."""

_FLUSHES_WITHIN = 5.0
_LEFT_IN_ORDER = (0, 1000)


def new_socket() -> web.WebSocketResponse[bool]:
    """A websocket that is not compressed: that would cost eight times the throughput."""
    return web.WebSocketResponse(
        timeout=CLOSES_WITHIN, heartbeat=HEARTBEAT, compress=False, max_msg_size=MAX_FRAME, decode_text=False
    )


class SocketConnection:
    """What a Viewer sends through."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse[Any], request_id: str) -> None:
        self._request = request
        self._socket = socket
        self._request_id = request_id

    async def send(self, frame: bytes) -> None:
        """Send one text frame, as fast as the client reads."""
        await self._socket.send_frame(frame, WSMsgType.TEXT)

    async def close(self, code: int, reason: str) -> None:
        """Close; what the client does not take within seconds is given up."""
        transport = self._request.transport
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_FLUSHES_WITHIN):
                await self._socket.close(code=code, message=reason.encode()[:120], drain=False)
        if transport is not None:
            asyncio.get_running_loop().call_later(_FLUSHES_WITHIN, transport.abort)

    def describe(self, error: AppError) -> Mapping[str, Any]:
        """The error object that any response would carry."""
        return main_body(error, self._request_id)


async def serve(socket: web.WebSocketResponse[Any], session: Session, viewer: Viewer) -> None:
    """Run `viewer` in `session` until one of them is done with the other."""
    session.attach(viewer)
    sending = asyncio.create_task(viewer.run())
    lost = True
    try:
        lost = await _listen(socket, session, viewer)
    finally:
        session.leave(viewer, lost=lost)
        if not viewer.leaving:
            viewer.gone()
        await sending


async def _listen(socket: web.WebSocketResponse[Any], session: Session, viewer: Viewer) -> bool:
    """Whether the connection was lost, rather than closed in good order by the client."""
    while True:
        message = await socket.receive()
        match message.type:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                try:
                    await _take(message.type, message.data, session, viewer)
                except AppError as error:
                    await viewer.refuse(error)
            case WSMsgType.CLOSE:
                return message.data not in _LEFT_IN_ORDER
            case _:
                return True


async def _take(kind: WSMsgType, data: bytes, session: Session, viewer: Viewer) -> None:
    if kind is WSMsgType.BINARY:
        raise frames.BadFrame.field("type", "Frames are JSON text, this one is binary", code="BAD_FRAME")
    match frames.parse(data):
        case frames.Stdin() as typed:
            await session.type(viewer, typed.decoded(), eof=typed.eof)
        case frames.Resize() as resized:
            session.resize(viewer, resized.size)
        case frames.Signal(name=name):
            await session.signal(viewer, name)
        case frames.Close():
            session.close(viewer)
        case frames.Ping():
            await viewer.reply(frames.PONG)
