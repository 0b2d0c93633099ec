"""The websocket protocol, as far as a server needs it: the handshake, and messages from and to bytes."""

import base64
import hashlib
from collections.abc import Iterator, Mapping

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

PROTOCOL_ERROR = 1002
TOO_LARGE = 1009
NO_CODE = 1005
"""Stands for the code of a close frame that has none; it is never sent."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LARGEST_CONTROL = 125
_KNOWN = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)

Message = tuple[int, bytes]
"""An opcode, never CONTINUATION, and the whole payload."""


class Broken(Exception):
    """What came is no websocket's, or too large. `code` is that of the close frame that answers it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def accepted(headers: Mapping[str, str]) -> str | None:
    """The Sec-WebSocket-Accept that answers this handshake; None when it asks for no websocket of version 13."""
    asked = (_words(headers.get("Upgrade", "")), _words(headers.get("Connection", "")))
    if "websocket" not in asked[0] or "upgrade" not in asked[1] or headers.get("Sec-WebSocket-Version") != "13":
        return None
    try:
        key = headers.get("Sec-WebSocket-Key", "").encode("ascii")
        if len(base64.b64decode(key, validate=True)) != 16:
            return None
    except ValueError:
        return None
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()


def _words(header: str) -> list[str]:
    return [word.strip().lower() for word in header.split(",")]


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole message in one frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2) + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8) + payload


def close_code(payload: bytes) -> int:
    """The code of a close frame."""
    return int.from_bytes(payload[:2]) if len(payload) >= 2 else NO_CODE


class Messages:
    """Reads what a client sends, in pieces of any size. Holds at most one message of `largest` bytes."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._data = bytearray()
        self._parts = bytearray()
        self._opcode: int | None = None
        """Of the message whose first parts are here."""

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes. Raises Broken after those before the fault; nothing may follow then."""
        held = self._data
        if held:
            held += data
        whole: bytes | bytearray = held or data
        at = 0
        while (found := self._frame(whole, at)) is not None:
            at, final, opcode, payload = found
            if opcode & 0x8 or (final and self._opcode is None):
                yield opcode, payload
                continue
            self._parts += payload
            if self._opcode is None:
                self._opcode = opcode
            if final:
                yield self._opcode, bytes(self._parts)
                self._parts.clear()
                self._opcode = None
        if whole is held:
            del held[:at]
        elif at < len(data):
            held += data[at:]

    def _frame(self, data: bytes | bytearray, at: int) -> tuple[int, bool, int, bytes] | None:
        """Where the frame at `at` ends, whether it ends a message, its opcode and payload; None until it is whole."""
        if len(data) < at + 2:
            return None
        first, second = data[at], data[at + 1]
        final, opcode = first >= 0x80, first & 0x0F
        if first != 0x80 | TEXT or second < 0x80 or self._opcode is not None:
            self._check(first, second, final, opcode)
        size, start = second & 0x7F, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(data) < start + width:
                return None
            size = int.from_bytes(data[start : start + width])
            start += width
        if size + len(self._parts) > self._largest:
            raise Broken(TOO_LARGE, f"a message has at most {self._largest} bytes")
        end = start + 4 + size
        if len(data) < end:
            return None
        return end, final, opcode, _unmasked(data[start : start + 4], data[start + 4 : end])

    def _check(self, first: int, second: int, final: bool, opcode: int) -> None:
        if first & 0x70:
            raise Broken(PROTOCOL_ERROR, "a reserved bit is set")
        if opcode not in _KNOWN:
            raise Broken(PROTOCOL_ERROR, f"there is no opcode {opcode}")
        if not second & 0x80:
            raise Broken(PROTOCOL_ERROR, "a client's frames are masked")
        if opcode & 0x8:
            if not final or second & 0x7F > _LARGEST_CONTROL:
                raise Broken(PROTOCOL_ERROR, f"a control frame is whole and has at most {_LARGEST_CONTROL} bytes")
        elif (opcode == CONTINUATION) == (self._opcode is None):
            raise Broken(PROTOCOL_ERROR, "a message begins before the last has ended, or goes on without a beginning")


def _unmasked(mask: bytes | bytearray, payload: bytes | bytearray) -> bytes:
    size = len(payload)
    repeated = (bytes(mask) * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(size)
