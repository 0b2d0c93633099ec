"""A websocket client that costs next to nothing: a blocking socket, and bytes that are searched, not read."""

import base64
import os
import socket
from urllib.parse import urlsplit

PATIENCE = 15.0
"""Seconds without a byte after which a benchmark fails."""


class Websocket:
    """One connection. Sends small messages whole; what comes is given as it lies on the wire, frames and all."""

    def __init__(self, url: str, *headers: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *headers, "", "",
        ]  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._receive()
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._seen = head.partition(b"\r\n\r\n")[2]

    def send(self, message: bytes, *, binary: bool = False) -> None:
        """Send a message. Masked with zeros, which every server takes for a mask like any other."""
        size = len(message)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2)
        self._socket.sendall(bytes((0x82 if binary else 0x81,)) + length + b"\0\0\0\0" + message)

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 18)
        assert data, "the server closed the connection"
        return data

    def until(self, text: bytes) -> None:
        """Read until `text` was sent, and forget all that came."""
        seen = self._seen
        while text not in seen:
            seen = seen[-200:] + self._receive()
        self._seen = b""

    def drain(self, seconds: float) -> None:
        """Forget what comes until nothing does for some seconds."""
        self._seen = b""
        self._socket.settimeout(seconds)
        try:
            while True:
                self._receive()
        except TimeoutError:
            self._socket.settimeout(PATIENCE)

    def close(self) -> None:
        self._socket.close()
