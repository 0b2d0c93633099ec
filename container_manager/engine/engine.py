"""The engine as the services see it: lifecycle verbs, images, the network, commands, and the table of states."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime

from container_manager.engine import compose
from container_manager.engine.aside import Asides
from container_manager.engine.engine_socket import EngineSocket, socket_path
from container_manager.engine.exec import OUTPUT_LIMIT, Inside
from container_manager.engine.exec_stream import ExecStream
from container_manager.engine.log_stream import LogStream
from container_manager.engine.operations import Operations
from container_manager.engine.orphans import end_orphans
from container_manager.engine.pull import PULL_TIMEOUT, Progress, pull
from container_manager.engine.stats import stats_argv
from container_manager.engine.traffic import Traffic
from container_manager.errors import EngineUnavailable
from container_manager.models import Cuid, ExecResult, ImageFacts
from container_manager.settings import Settings


class Engine(Operations):
    """One engine. Every method may raise EngineUnavailable, EngineTimeout and ComposeError with its kin."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.asides = Asides(self._docker, settings)
        self.traffic = Traffic(self._docker)
        self._inside = Inside(self._docker)
        self._socket: str | None = None

    async def start(self) -> None:
        """Find the programs and follow the engine. EngineUnavailable only when a program is missing or too old."""
        binary = await asyncio.to_thread(shutil.which, "docker", path=self.environment["PATH"])
        if binary is None:
            raise EngineUnavailable("The docker command is not found: install Docker's command line")
        self._docker.binary = binary
        self._socket = await asyncio.to_thread(socket_path, self.environment)
        self._docker.socket = EngineSocket(self._socket) if self._socket else None
        await asyncio.to_thread(end_orphans, self.settings.data_dir)
        self._compose = compose.Compose(*await compose.find(self.environment, self._timeout))
        self._follower.start()
        await self._follower.first_try()

    async def close(self) -> None:
        """End every task and process of this engine; containers go on."""
        await self._follower.close()
        await self._inside.close()

    # --- images ---------------------------------------------------------------------------------

    async def image(self, reference: str) -> ImageFacts | None:
        """What the image runs by itself; None when it is not on this machine."""
        await self._in_sight()
        return await self._docker.image(reference)

    async def pull(self, reference: str, progress: Progress | None = None) -> None:
        """Pull an image, telling `progress` {image, layers, layers_done, current, total, text} in bytes.

        ImageNotFound when no registry gives it.
        """
        with self._observed("pull"):
            await pull(self._verbs, self.environment, reference, progress, PULL_TIMEOUT)

    # --- inside a container ---------------------------------------------------------------------

    async def exec(
        self,
        cuid: Cuid,
        command: Sequence[str],
        *,
        user: str | None = None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float,
        merge_stderr: bool = False,
        limit: int = OUTPUT_LIMIT,
    ) -> ExecResult:
        """Run `command` to its end, keeping `limit` bytes of each output. After `timeout` seconds it is killed in
        the container too: EngineTimeout. NotRunning when the container does not run."""
        await self._in_sight()
        with self._observed("exec"):
            return await self._inside.exec(
                cuid,
                command,
                user=user,
                workdir=workdir,
                env=env,
                stdin=stdin,
                timeout=timeout,
                merge_stderr=merge_stderr,
                limit=limit,
            )

    def exec_argv(
        self,
        cuid: Cuid,
        command: Sequence[str],
        *,
        user: str | None = None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        tty: bool,
    ) -> list[str]:
        """The command line of a terminal (`tty`) or a bare command. Values of `env` are readable by every user of
        this machine: no secrets. Run it with `environment`, in a directory without a Compose file, such as /."""
        return self._verbs.exec(cuid, command, user=user, workdir=workdir, env=env, tty=tty)

    def exec_stream(
        self, cuid: Cuid, command: Sequence[str], *, env: Mapping[str, str], tty: bool
    ) -> ExecStream | None:
        """The same as the engine's own stream, which needs no process; None where it cannot be had."""
        return ExecStream(self._socket, cuid, command, env, tty=tty) if self._socket else None

    def log_stream(self, cuid: Cuid, since: datetime | None) -> LogStream | None:
        """What the container prints from `since` on, until it ends, without a process; None where it cannot be had."""
        return LogStream(self._socket, cuid, since) if self._socket else None

    def logs_argv(
        self,
        cuid: Cuid,
        *,
        tail: int | None = None,
        follow: bool = False,
        since: str | None = None,
        timestamps: bool = False,
    ) -> list[str]:
        """The command line that prints the container's stdout and stderr on its own, the last `tail` lines first."""
        argv = [self._docker.binary, "logs"]
        argv += ["--follow"] if follow else []
        argv += ["--timestamps"] if timestamps else []
        argv += [f"--tail={tail}"] if tail is not None else []
        argv += [f"--since={since}"] if since is not None else []
        return [*argv, cuid]

    def stats_argv(self, cuid: Cuid) -> list[str]:
        """The command line that prints what the container uses, for as long as it runs: see `engine.stats`."""
        return stats_argv(self._docker.binary, cuid)

    async def kill_marked(self, cuid: Cuid, mark: str, *, user: str | None) -> None:
        """End every process that an exec or a terminal of this mark left in the container, until none is left."""
        await self._inside.kill_marked(cuid, mark, user=user)

    async def signal_foreground(self, cuid: Cuid, mark: str, name: str, *, user: str | None) -> None:
        """Send signal `name` ("INT", "TERM", …) to the foreground process group of the marked terminal."""
        await self._inside.signal_foreground(cuid, mark, name, user=user)
