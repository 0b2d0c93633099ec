"""Servers in processes of their own, to be killed, ended and started again on the same data."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Self

import aiohttp

from harness import PATIENCE, eventually

ADDRESS = re.compile(r"serves (http://\S+:\d+)/")
ROOT = Path(__file__).parents[2]
PASSWORD = "of-the-tests"


class ServerProcess:
    """One `python -m container_manager` on a free port."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.url = ""

    @classmethod
    async def spawn(cls, data_dir: Path, log: str = "server.out", **settings: str) -> Self:
        """Start it; it may or may not come to serve."""
        await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "APP_PASS": PASSWORD,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATA_DIR": str(data_dir),
            "DOCKER_HOST": os.environ.get("DOCKER_HOST", ""),
            "MIN_FREE_BYTES": "0",
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        path = data_dir / log
        with path.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "container_manager"),
                cwd=data_dir.parent,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process, path)

    @classmethod
    async def serving(cls, data_dir: Path, **settings: str) -> Self:
        """Start it and wait until it can be asked."""
        server = await cls.spawn(data_dir, **settings)
        await eventually(server._announced, what="the server's address")
        return server

    def _announced(self) -> bool:
        assert self.process.returncode is None, f"The server ended: {self.said}"
        found = ADDRESS.search(self.said)
        self.url = found[1] if found else ""
        return bool(found)

    @property
    def said(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client with the credentials; its requests fail when the server dies."""
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        timeout = aiohttp.ClientTimeout(PATIENCE)
        async with aiohttp.ClientSession(self.url, headers=headers, timeout=timeout) as session:
            yield session

    async def kill(self) -> None:
        """`kill -9`."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def end(self, seconds: float = PATIENCE) -> int:
        """SIGTERM; its exit code. An error when it takes longer."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(seconds):
            return await self.process.wait()


def processes_with(variables: Mapping[str, str]) -> list[str]:
    """Command lines of the processes of this machine whose environment has all `variables`."""
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
    return found
