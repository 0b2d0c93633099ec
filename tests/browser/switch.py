"""A way to the engine, or to the server, that can be cut and opened again without touching what it leads to."""

import contextlib
import os
import socket
import threading
from pathlib import Path

Address = str | tuple[str, int]
"""A Unix socket's path, or a host and a port."""

ENGINE: Address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class Switch:
    """Leads from `listens` (port 0 takes a free one) to `target` while it is open."""

    def __init__(self, listens: Address, target: Address) -> None:
        self.listens = listens
        self._target = target
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()

    def open(self) -> None:
        """Let everybody through from now on."""
        self._listener = listener = _socket(self.listens)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.listens)
        listener.listen(64)
        if isinstance(self.listens, tuple):
            self.listens = listener.getsockname()
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """End every connection; nobody gets through any more."""
        assert self._listener is not None
        _end(self._listener)
        if isinstance(self.listens, str):
            Path(self.listens).unlink(missing_ok=True)
        for connection in list(self._connections):
            _end(connection)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                target = _socket(self._target)
                target.connect(self._target)
                self._connections |= {client, target}
                for source, sink in ((client, target), (target, client)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def _socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


def _end(connection: socket.socket) -> None:
    # Closing alone would leave a thread waiting in it.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
