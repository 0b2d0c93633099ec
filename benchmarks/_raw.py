"""A client that costs next to nothing: a socket, the same bytes again and again."""

import base64
import itertools
import json
import socket
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _server import PASSWORD

DOCKER = Path("/var/run/docker.sock")


@dataclass(frozen=True)
class Latency:
    """Milliseconds of requests, one after the other."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Latency":
        return cls(statistics.median(seconds) * 1e3, sorted(seconds)[int(len(seconds) * 0.99)] * 1e3)


class Connection:
    """A kept-open connection that asks for one path."""

    def __init__(self, where: int | Path, path: str) -> None:
        credentials = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n"
        self._request = head.encode()
        if isinstance(where, int):
            self._socket = socket.create_connection(("127.0.0.1", where))
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(str(where))
        self._buffer = memoryview(bytearray(1 << 24))

    def close(self) -> None:
        self._socket.close()

    def send(self) -> None:
        self._socket.sendall(self._request)

    def receive(self) -> bytes:
        """The body of the next answer, which must be a success."""
        got, begin, length = 0, 0, -1
        chunked = False
        while length < 0 or got < length:
            size = self._socket.recv_into(self._buffer[got:])
            assert size, "the server closed the connection"
            got += size
            if length < 0 and (end := bytes(self._buffer[: min(got, 4096)]).find(b"\r\n\r\n")) >= 0:
                head, begin = bytes(self._buffer[:end]).lower(), end + 4
                assert head.startswith(b"http/1.1 200"), head
                chunked = b"transfer-encoding: chunked" in head
                length = got + 1 if chunked else begin + int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            if chunked:
                length = got if bytes(self._buffer[got - 7 : got]).endswith(b"\r\n0\r\n\r\n") else got + 1
        return bytes(self._buffer[begin:got])

    def ask(self) -> bytes:
        self.send()
        return self.receive()


def get(where: int | Path, path: str) -> Any:
    """The JSON that `path` answers."""
    connection = Connection(where, path)
    try:
        return json.loads(connection.ask())
    finally:
        connection.close()


def latency(where: int | Path, path: str, times: int = 500) -> Latency:
    """One request after the other."""
    connection = Connection(where, path)
    taken = []
    connection.ask()
    for _ in range(times):
        began = time.perf_counter()
        connection.ask()
        taken.append(time.perf_counter() - began)
    connection.close()
    return Latency.of(taken)


def rate(where: int | Path, path: str, seconds: float = 4.0, connections: int = 8) -> float:
    """Answers a second, with a request on each of some connections all the time."""
    ring = [Connection(where, path) for _ in range(connections)]
    for connection in ring:
        connection.send()
    began = time.perf_counter()
    count = 0
    for connection in itertools.cycle(ring):
        connection.receive()
        count += 1
        if (passed := time.perf_counter() - began) > seconds:
            break
        connection.send()
    for connection in ring:
        connection.close()
    return count / passed
