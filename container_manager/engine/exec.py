"""Commands inside a container, each with an end that is certain."""

import asyncio
import logging
import os
import re
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from container_manager.engine import marks
from container_manager.engine.docker import Docker
from container_manager.engine.failures import failure
from container_manager.engine.process import Finished, run
from container_manager.errors import ComposeError, EngineTimeout, NotRunning, ValidationError
from container_manager.models import SESSION_VARIABLE, Cuid, ExecResult

SIGNALS = frozenset({"HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "ALRM", "TERM", "CONT", "STOP", "TSTP", "WINCH"})
OUTPUT_LIMIT = 16 << 20
KILL_TIMEOUT = 20.0
ENDING_TIMEOUT = 3.0
"""Seconds after its own that an exec waits until its processes are known to be gone."""
MOST_USERS = 16
_MARK = re.compile(r"[0-9A-Za-z-]{16,64}")
_NO_SHELL = (126, 127)

log = logging.getLogger(__name__)


def new_mark() -> str:
    """A fresh mark for what one exec or one terminal starts; nobody guesses another's."""
    return uuid.uuid4().hex


class Inside:
    """Runs commands in containers, and ends or signals what they started."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._endings: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for the endings that still run."""
        if self._endings:
            await asyncio.wait(self._endings, timeout=KILL_TIMEOUT)

    async def exec(
        self,
        cuid: Cuid,
        command: Sequence[str],
        *,
        user: str | None,
        workdir: str | None,
        env: Mapping[str, str] | None,
        stdin: bytes,
        timeout: float,
        merge_stderr: bool,
        limit: int,
    ) -> ExecResult:
        """Run `command` to its end. After `timeout` seconds it is killed, inside too: EngineTimeout."""
        mark = new_mark()
        argv = [self._docker.binary, "exec", f"--env={SESSION_VARIABLE}={mark}"]
        argv += ["--interactive"] if stdin else []
        argv += [f"--user={user}"] if user else []
        argv += [f"--workdir={workdir}"] if workdir else []
        given = _Environment(env or {})
        try:
            finished = await run(
                [*argv, *given.options, cuid, *command],
                self._docker.environment,
                timeout=timeout,
                stdin=stdin,
                limit=limit,
                merge_stderr=merge_stderr,
                pass_fds=given.descriptors,
            )
        except (EngineTimeout, asyncio.CancelledError) as error:
            # In a task of its own: a second cancellation must not cut it.
            ending = self._own(self.kill_marked(cuid, mark, user=user))
            if isinstance(error, EngineTimeout):
                # An engine that hangs holds up the answer no longer; the ending goes on.
                await asyncio.wait({ending}, timeout=ENDING_TIMEOUT)
                raise EngineTimeout(f"The command took longer than {timeout:g} seconds", seconds=timeout) from None
            raise
        finally:
            given.close()
        said = finished.stdout if merge_stderr else finished.stderr
        if finished.code in (1, 125, 255) and _is_the_engines(said):
            raise failure([*argv, cuid, *command], finished.code, said, secrets=list((env or {}).values()))
        return ExecResult(finished.code, finished.stdout, finished.stderr, finished.duration, finished.cut)

    async def kill_marked(self, cuid: Cuid, mark: str, *, user: str | None) -> None:
        """End every process that carries `mark` or came from one that does, repeatedly until none is left.

        `user` must be allowed to signal them. A container that is gone or stopped has none: no error.
        ComposeError when some could not be ended.
        """
        finished = await self._script(cuid, marks.KILL, mark, user=user)
        # Root without every capability may not read what others run: they look for themselves.
        others = [] if finished is None else finished.stdout.decode(errors="replace").split()[:MOST_USERS]
        for other in others:
            if other.isdigit():
                await self._script(cuid, marks.KILL, mark, user=other)
        if finished is not None and finished.code != 0:
            raise failure(["docker", "exec", cuid, "sh"], finished.code, finished.stderr)

    async def signal_foreground(self, cuid: Cuid, mark: str, name: str, *, user: str | None) -> None:
        """Send signal `name` to the foreground process group of the marked terminal; none there is no error."""
        if name not in SIGNALS:
            known = ", ".join(sorted(SIGNALS))
            raise ValidationError.field("name", f"{name!r} is none of {known}", name, code="UNKNOWN_SIGNAL")
        await self._script(cuid, marks.SIGNAL, mark, name, user=user)

    async def _script(self, cuid: Cuid, script: str, mark: str, *words: str, user: str | None) -> Finished | None:
        """Run one of our scripts in the container; None when it does not run, so there is nothing to do."""
        if not _MARK.fullmatch(mark):
            raise ValueError("a mark is 16 to 64 letters, digits and dashes")
        options = [f"--user={user}"] if user else []
        finished = await self._docker.run(
            "exec", *options, cuid, "sh", "-c", script, "sh", mark, *words, timeout=KILL_TIMEOUT
        )
        if finished.code == 0:
            return finished
        if _is_the_engines(finished.stderr):
            error = failure(["docker", "exec", cuid, "sh"], finished.code, finished.stderr)
            if isinstance(error, NotRunning):
                return None
            raise error
        if finished.code in _NO_SHELL:
            raise ComposeError("The image has no shell: what ran in it cannot be ended one by one", cuid=cuid)
        return finished

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._endings.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("what a command left in its container may still run: %s", error)


def _is_the_engines(stderr: bytes) -> bool:
    """It was the engine that spoke, not the command."""
    return stderr.lstrip().startswith((b"Error response from daemon:", b"Cannot connect to", b"error during connect"))


class _Environment:
    """Variables for an exec, in a file that only the client's process has: command lines are readable by all.

    A value with a line break does not fit into that file and stands on the command line.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        lines = {name: value for name, value in env.items() if "\n" not in value and "\r" not in value}
        self.options = [f"--env={name}={value}" for name, value in env.items() if name not in lines]
        self.descriptors: tuple[int, ...] = ()
        if lines:
            descriptor = os.memfd_create("environment", os.MFD_CLOEXEC)
            # Memory, not a disk: writing to it waits for nothing.
            os.set_blocking(descriptor, False)
            os.write(descriptor, "".join(f"{name}={value}\n" for name, value in lines.items()).encode())
            self.descriptors = (descriptor,)
            self.options.append(f"--env-file=/proc/self/fd/{descriptor}")

    def close(self) -> None:
        """Give the file back."""
        for descriptor in self.descriptors:
            os.close(descriptor)
