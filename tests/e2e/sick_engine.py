"""A dockerd of the tests' own, to be stopped, killed and frozen; the machine's own is never touched."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import BUSYBOX, PATIENCE, eventually


class OwnEngine:
    """Its data, its socket and its containerd lie in one short-lived folder."""

    def __init__(self) -> None:
        # Not pytest's own folder: the path of a socket may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.address = f"unix://{self.folder}/docker.sock"
        self._containerd_pid = self.folder / "exec" / "containerd" / "containerd.pid"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        # A killed one leaves these behind, and would not start over them.
        for left in (self.folder / "docker.pid", self._containerd_pid):
            left.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("dockerd", "--host", self.address, "--bridge=none", "--iptables=false"),
                *("--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")),
                *("--pidfile", str(self.folder / "docker.pid")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await eventually(self._answers, what="a dockerd of its own")

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, (self.folder / "log").read_text()
        with contextlib.suppress(AssertionError):
            await self.docker("version")
            return True
        return False

    async def docker(self, *words: str, stdin: bytes | None = None) -> str:
        """What `docker words…` prints, asked of this engine."""
        process = await asyncio.create_subprocess_exec(
            *("docker", "--host", self.address, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(stdin)
        assert process.returncode == 0, err.decode(errors="replace")
        return out.decode()

    async def import_busybox(self) -> None:
        """Bring the tests' image from the machine's engine."""
        saved = await asyncio.to_thread(
            subprocess.run, ["docker", "save", BUSYBOX], capture_output=True, check=True, timeout=PATIENCE
        )
        await self.docker("load", stdin=saved.stdout)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the dockerd alone."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it is gone."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self.send(number)
            self.send(signal.SIGCONT)
        async with asyncio.timeout(PATIENCE):
            await self._process.wait()
        # It goes with its dockerd, a little later; a new one would take it for its own.
        await eventually(lambda: not self._containerd(), what="the end of its containerd")

    async def recover(self) -> None:
        """Whatever was done to it: it runs."""
        assert self._process is not None
        if self._process.returncode is None:
            self.send(signal.SIGCONT)
        else:
            await self.start()

    async def close(self) -> None:
        """Remove its containers, end it and its containerd, remove its folder."""
        if self._process is None:
            return
        await self.recover()
        with contextlib.suppress(AssertionError, TimeoutError):
            if ids := (await self.docker("ps", "--all", "--quiet")).split():
                await self.docker("rm", "--force", *ids)
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def _containerd(self) -> int | None:
        """Its containerd's process; one that a kill left alone is asked to end."""
        with contextlib.suppress(OSError, ValueError):
            number = int(self._containerd_pid.read_text())
            if str(self.folder) in Path(f"/proc/{number}/cmdline").read_text():
                os.kill(number, signal.SIGTERM)
                return number
        return None
