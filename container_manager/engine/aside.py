"""A container that is none of the users': it does one thing for the server, and is gone."""

import asyncio
import contextlib
import csv
import hashlib
import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from container_manager.engine.docker import Docker
from container_manager.engine.process import Finished, run
from container_manager.errors import AppError
from container_manager.settings import Settings

_LABEL = "container-manager.aside"


@dataclass(frozen=True, slots=True)
class Aside:
    """What it runs, and all that it may touch: `mounts` are (source, target, read_only)."""

    image: str
    command: Sequence[str]
    network: str
    mounts: Sequence[tuple[Path, str, bool]]
    largest_file: int
    home: str
    env: Mapping[str, str] = field(default_factory=dict)


class Asides:
    """Runs them as an ordinary user, without powers, without a file system to write to but their mounts."""

    def __init__(self, docker: Docker, settings: Settings) -> None:
        self._docker, self._settings = docker, settings
        # Two servers at one engine leave each other's alone.
        self._owner = hashlib.sha256(str(settings.data_dir).encode()).hexdigest()[:16]
        self._swept = False

    async def run(self, aside: Aside, timeout: float) -> Finished:
        """Run it to its end, whatever its exit code. EngineTimeout after `timeout` seconds; it is gone on return."""
        await self._sweep()
        name = f"container-manager-aside-{secrets.token_hex(6)}"
        environment = {**self._docker.environment, **aside.env}
        try:
            return await run(self._argv(aside, name), environment, timeout=timeout, limit=1 << 16)
        finally:
            await asyncio.shield(self._remove(name))

    def _argv(self, aside: Aside, name: str) -> list[str]:
        settings = self._settings
        uid, gid = settings.default_user_uid
        options = [
            *("--rm", "--init", "--pull=never", "--name", name, "--label", f"{_LABEL}={self._owner}"),
            *("--network", aside.network, "--user", f"{uid}:{gid}", "--workdir", "/"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--read-only", "--log-driver", "none"),
            *("--cpus", f"{settings.default_cpus:g}", "--memory", settings.default_memory),
            *("--pids-limit", str(settings.default_pids), "--ulimit", f"fsize={aside.largest_file}"),
            # Podman, once it is given one limit, sets these two itself, to more than it may have.
            *("--ulimit", "nofile=4096", "--ulimit", "nproc=16384"),
            *("--env", f"HOME={aside.home}", "--env", f"TMPDIR={aside.home}/tmp"),  # noqa: S108 - it is its own
        ]
        # By name alone: values stand in the environment, where only this server's user can read them.
        options += [word for variable in aside.env for word in ("--env", variable)]
        options += [word for mount in aside.mounts for word in ("--mount", _mount(*mount))]
        return [self._docker.binary, "run", *options, "--entrypoint", aside.command[0], aside.image, *aside.command[1:]]

    async def _remove(self, name: str) -> None:
        with contextlib.suppress(AppError):
            await self._docker.run("rm", "--force", "--volumes", name)

    async def _sweep(self) -> None:
        """Remove what a server that was killed left running."""
        if self._swept:
            return
        ids = (await self._docker.ask("ps", "--all", "--quiet", "--filter", f"label={_LABEL}={self._owner}")).split()
        if ids:
            await self._docker.run("rm", "--force", "--volumes", *ids)
        self._swept = True


def _mount(source: Path, target: str, read_only: bool) -> str:
    """One `--mount`: a line of CSV, so that a comma in a path is no end of it."""
    text = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}", *(["readonly"] if read_only else [])]
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
