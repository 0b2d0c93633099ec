"""A terminal in a container, over the websocket that docs/terminal.md describes."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from container_manager.client.transport import Query, Transport, refusal


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes that the process wrote."""

    data: bytes
    stream: Literal["stdout", "stderr"] = "stdout"


@dataclass(frozen=True, slots=True)
class Exit:
    """The process ended: 128 + n for signal n. Nothing follows."""

    code: int
    reason: str | None = None
    """Why, when it did not end by itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The server could not do something; the session lives on."""

    message: str
    code: str


Event = Output | Exit | Problem


class Terminal:
    """One connection. Iterate over it for what happens; it ends after `Exit` or `close`.

    The iteration raises Unreachable when the connection breaks before that.
    """

    def __init__(self, transport: Transport, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._transport = transport
        self._socket = socket
        self._closing = False

    async def send(self, data: bytes) -> None:
        """Type `data`."""
        await self._send(type="stdin", data=base64.b64encode(data).decode(), encoding="base64")

    async def end_input(self) -> None:
        """Say that nothing more will be typed: Ctrl+D."""
        await self._send(type="stdin", eof=True)

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the new size, in characters."""
        await self._send(type="resize", cols=columns, rows=rows)

    async def signal(self, name: str) -> None:
        """Signal what runs in the foreground: INT, TERM, KILL, HUP, QUIT …"""
        await self._send(type="signal", name=name)

    async def close(self) -> None:
        """End the session and every process in it."""
        self._closing = True
        await self._send(type="close")

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            event = _event(json.loads(message.data))
            if event is not None:
                yield event
            if isinstance(event, Exit):
                return
        if not self._closing:
            raise self._transport.unreachable(ConnectionError(_why_closed(self._socket)))

    async def _send(self, **frame: Any) -> None:
        try:
            await self._socket.send_str(json.dumps(frame))
        except (aiohttp.ClientError, ConnectionError) as error:
            # When it ended by itself, the iteration says so, and better.
            if not self._socket.closed:
                raise self._transport.unreachable(error) from error


@asynccontextmanager
async def open_terminal(transport: Transport, cuid: str, query: Query) -> AsyncIterator[Terminal]:
    """A connected terminal, closed at the end of the block. Raises Refused and Unreachable."""
    url = transport.url("ws", cuid, query=query)
    try:
        socket = await transport.session.ws_connect(url, heartbeat=30, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as error:
        # A refused handshake hides the answer's body. Asked plainly, the server says the same in full.
        async with transport.session.get(url) as response:
            if response.status == error.status:
                raise await refusal(response) from error
        raise transport.unreachable(error) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise transport.unreachable(error) from error
    try:
        yield Terminal(transport, socket)
    finally:
        await socket.close()


def _event(frame: dict[str, Any]) -> Event | None:
    """A frame as an event; None for those that say nothing to a caller."""
    match frame.get("type"):
        case "stdout" | "stderr" as stream:
            text: str = frame["data"]
            data = base64.b64decode(text) if frame.get("encoding") == "base64" else text.encode()
            return Output(data, stream)
        case "exit":
            return Exit(int(frame["code"]), frame.get("reason"))
        case "error":
            error = frame["error"]
            return Problem(error["message"], error["code"])
        case _:
            return None


def _why_closed(socket: aiohttp.ClientWebSocketResponse) -> str:
    error = socket.exception()
    return str(error) if error else f"closed with code {socket.close_code}"
