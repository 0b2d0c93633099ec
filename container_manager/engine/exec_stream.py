"""The engine's own stream of an exec: no client process in between, and a size that is set for certain.

Only where the engine's address is a Unix socket; elsewhere the Compose client does the same.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from container_manager.engine.engine_socket import EngineRefused, EngineSocket

_ENDS_WITHIN = 5.0

# The engine holds back keys that may begin this: keys that hardly anybody types.
_DETACH_KEYS = "ctrl-^,ctrl-@,ctrl-^,ctrl-_,ctrl-@"


class ExecStream:
    """One command in one container, from `open` to `exit_code`."""

    def __init__(self, path: str, container: str, command: Sequence[str], env: Mapping[str, str], *, tty: bool) -> None:
        self._engine = EngineSocket(path)
        self._container = container
        self.tty = tty
        self._wanted = {
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": not tty,
            "Tty": tty,
            "DetachKeys": _DETACH_KEYS,
            "Env": [f"{name}={value}" for name, value in env.items()],
            "Cmd": list(command),
        }
        self._id = ""

    async def open(self) -> socket.socket:
        """Start it: a connected socket that carries its input and output. Raises OSError.

        On a terminal the bytes are its own; else its output comes in the engine's frames (a byte for the stream, three
        zeros, four bytes of length, the data).
        """
        created = await self._engine.ask("POST", f"/containers/{quote(self._container, safe='')}/exec", self._wanted)
        self._id = str(created["Id"])
        return await self._engine.stream(
            "POST", f"/exec/{self._id}/start", {"Detach": False, "Tty": self.tty}, upgrade=True
        )

    async def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size; when this returns the process has been told. Raises OSError."""
        await self._engine.ask("POST", f"/exec/{self._id}/resize?h={rows}&w={cols}")

    async def exit_code(self) -> int:
        """Its exit code once its stream has ended; 128 + n for signal n. Raises OSError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _ENDS_WITHIN
        while True:
            state = await self._engine.ask("GET", f"/exec/{self._id}/json")
            if not state.get("Running") and state.get("ExitCode") is not None:
                return int(state["ExitCode"])
            if loop.time() > until:
                raise EngineRefused("its stream was cut")
            await asyncio.sleep(0.02)
