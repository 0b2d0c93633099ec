"""Commands run in a running container, and what the container has printed."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from container_manager.engine.engine import Engine
from container_manager.engine.process import streaming
from container_manager.errors import EngineTimeout, EngineUnavailable, NotRunning
from container_manager.models import Cuid, EngineState, ExecResult
from container_manager.settings import Settings
from container_manager.store.registry import Registry

END_IS_TOLD = 2.0
"""Seconds within which the engine tells of an end whose last output was read."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command and its surroundings. `timeout` in seconds, None for REQUEST_TIMEOUT."""

    words: Sequence[str]
    user: str | None = None
    workdir: str | None = None
    env: Mapping[str, str] | None = None
    stdin: bytes = b""
    timeout: float | None = None


def shell_words(line: str) -> list[str]:
    """The words that run `line` with bash, else sh; its stderr goes where its stdout goes, in order."""
    return ["sh", "-c", 'command -v bash >/dev/null && exec bash -c "$1" 2>&1; exec sh -c "$1" 2>&1', "sh", line]


class Commands:
    """Runs one command to its end, or shows the logs."""

    def __init__(self, settings: Settings, engine: Engine, registry: Registry) -> None:
        self._settings = settings
        self._engine = engine
        self._registry = registry

    def require_running(self, cuid: Cuid) -> None:
        """ContainerNotFound, NotRunning."""
        self._registry.get(cuid)
        state = self._engine.states.get(cuid)
        if state is None or state.status != "running":
            status = "created" if state is None else state.status
            advice = "unpause it first" if status == "paused" else "start it first"
            raise NotRunning(f"{cuid} is {status}: {advice}", status=status)

    async def run(self, cuid: Cuid, command: Command, *, merge_stderr: bool = False) -> ExecResult:
        """Run to the end. EngineTimeout when it takes too long: it is killed in the container then."""
        self.require_running(cuid)
        timeout = self._settings.request_timeout if command.timeout is None else command.timeout
        return await self._engine.exec(
            cuid,
            command.words,
            user=command.user,
            workdir=command.workdir,
            env=command.env,
            stdin=command.stdin,
            timeout=timeout,
            merge_stderr=merge_stderr,
        )

    def logs(
        self, cuid: Cuid, *, tail: int | None, follow: bool = False, since: str | None = None, timestamps: bool = False
    ) -> AsyncGenerator[bytes]:
        """What it printed, stdout and stderr in order, in chunks; with `follow` until the container ends.

        ContainerNotFound and EngineUnavailable are raised at once, not by the first chunk.
        """
        self._registry.get(cuid)
        if not self._engine.available:
            raise EngineUnavailable("The engine does not answer, so its logs cannot be read; try again in a while")
        if self._engine.states.get(cuid) is None:
            return _nothing()
        return self._logs(cuid, tail, follow, since, timestamps)

    async def _logs(
        self, cuid: Cuid, tail: int | None, follow: bool, since: str | None, timestamps: bool
    ) -> AsyncGenerator[bytes]:
        # Podman's own --tail mixes up lines that were written in pieces: the lines before are skipped here instead.
        skip = None
        if tail and (await self._engine.info()).name == "podman":
            skip = max(0, await self._count(cuid, since) - tail)
        before = self._engine.states.get(cuid)
        argv = self._engine.logs_argv(
            cuid, tail=tail if skip is None else None, follow=follow, since=since, timestamps=timestamps
        )
        async with contextlib.aclosing(_output(argv, self._engine.environment)) as output:
            async for chunk in output:
                if skip:
                    *skipped, rest = chunk.split(b"\n", skip)
                    skip -= len(skipped)
                    chunk = b"" if skip else rest
                if chunk:
                    yield chunk
        if follow and before is not None:
            # The log ends a moment before the engine tells of the container's end. Who asks next wants its exit code.
            with contextlib.suppress(EngineTimeout):
                await self._engine.states.wait(cuid, lambda state: _is_over(state, before), END_IS_TOLD)

    async def _count(self, cuid: Cuid, since: str | None) -> int:
        """Lines of the log, the last one also while it has no end."""
        argv = self._engine.logs_argv(cuid, since=since)
        lines, last = 0, b"\n"
        async with contextlib.aclosing(_output(argv, self._engine.environment)) as output:
            async for chunk in output:
                lines, last = lines + chunk.count(b"\n"), chunk[-1:]
        return lines + (last != b"\n")


def _is_over(state: EngineState | None, run: EngineState) -> bool:
    """Whether the run that `run` is a state of has ended."""
    if state is None or (state.container_id, state.started_at) != (run.container_id, run.started_at):
        return True
    return state.status not in ("running", "paused", "restarting")


async def _output(argv: Sequence[str], environment: Mapping[str, str]) -> AsyncGenerator[bytes]:
    # One pipe for both streams keeps their order.
    async with streaming(argv, environment, merge_stderr=True) as child:
        async for _, chunk in child.chunks():
            yield chunk


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield
