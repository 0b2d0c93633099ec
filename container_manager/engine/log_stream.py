"""The engine's own stream of a container's log: no client process in between, which would take megabytes for each."""

import socket
from datetime import datetime
from urllib.parse import quote

from container_manager.engine.engine_socket import EngineSocket


class LogStream:
    """What one container prints, from `since` on and until it ends."""

    tty = False

    def __init__(self, path: str, container: str, since: datetime | None) -> None:
        self._engine = EngineSocket(path)
        self._container = quote(container, safe="")
        self._since = since

    async def open(self) -> socket.socket:
        """A connected socket that carries the log, in the engine's frames unless the app has a terminal. OSError."""
        facts = await self._engine.ask("GET", f"/containers/{self._container}/json")
        self.tty = bool(facts.get("Config", {}).get("Tty"))
        query = "follow=1&stdout=1&stderr=1"
        if self._since is not None:
            query += f"&since={int(self._since.timestamp())}.{self._since.microsecond:06d}000"
        return await self._engine.stream("GET", f"/containers/{self._container}/logs?{query}")

    async def resize(self, cols: int, rows: int) -> None:
        """A log has no size."""

    async def exit_code(self) -> int:
        """0: it was shown to its end."""
        return 0
