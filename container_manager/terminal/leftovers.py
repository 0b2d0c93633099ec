"""Which containers may still hold processes of sessions, written down before the first starts.

A server that is killed ends no session. The next one reads here whose processes to end.
"""

import asyncio
import os
import secrets
from pathlib import Path

from container_manager.models import Cuid, parse_cuid


class Leftovers:
    """Lines of `run cuid`: sessions of this `run` of the server were opened in this container."""

    def __init__(self, path: Path) -> None:
        self.run = secrets.token_hex(8)
        """What every mark of this run of the server begins with."""
        self._path = path
        self._noted: dict[tuple[str, Cuid], None] = {}
        self._turn = asyncio.Lock()

    @property
    def containers(self) -> list[Cuid]:
        """Where sessions of this run were opened."""
        return [cuid for run, cuid in self._noted if run == self.run]

    async def load(self) -> list[tuple[str, Cuid]]:
        """What earlier runs left: (run, cuid)."""
        earlier = await asyncio.to_thread(self._read)
        self._noted.update(dict.fromkeys(earlier))
        return earlier

    def _read(self) -> list[tuple[str, Cuid]]:
        try:
            lines = [line.split() for line in self._path.read_text("ascii", "replace").splitlines()]
        except FileNotFoundError:
            return []
        found = [(line[0], parse_cuid(line[1])) for line in lines if len(line) == 2]
        return [(run, cuid) for run, cuid in found if cuid and len(run) == 16 and run.isalnum()]

    async def note(self, cuid: Cuid) -> None:
        """A session of this run is about to start in `cuid`."""
        if (self.run, cuid) not in self._noted:
            self._noted[self.run, cuid] = None
            await self._write()

    async def done(self, run: str, cuid: Cuid) -> None:
        """Nothing of `run` is left in `cuid`."""
        if self._noted.pop((run, cuid), self) is None:
            await self._write()

    async def _write(self) -> None:
        async with self._turn:
            text = "".join(f"{run} {cuid}\n" for run, cuid in self._noted)
            await asyncio.to_thread(self._replace, text)

    def _replace(self, text: str) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
        os.replace(beside, self._path)
