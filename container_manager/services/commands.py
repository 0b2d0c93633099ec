"""Commands run in a running container, and what the container has printed."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

from container_manager.engine.engine import Engine
from container_manager.engine.process import streaming
from container_manager.errors import EngineUnavailable, NotRunning
from container_manager.models import Cuid, ExecResult
from container_manager.settings import Settings
from container_manager.store.registry import Registry


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
        if tail and not follow:
            return self._last_lines(cuid, tail, since, timestamps)
        argv = self._engine.logs_argv(cuid, tail=tail, follow=follow, since=since, timestamps=timestamps)
        return _output(argv, self._engine.environment)

    async def _last_lines(self, cuid: Cuid, number: int, since: str | None, timestamps: bool) -> AsyncGenerator[bytes]:
        # Podman's own --tail mixes up lines that were written in pieces, so that all lines are read and counted here.
        mixes_up = (await self._engine.info()).name == "podman"
        tail = None if mixes_up else number
        argv = self._engine.logs_argv(cuid, tail=tail, follow=False, since=since, timestamps=timestamps)
        chunks = _output(argv, self._engine.environment)
        async with contextlib.aclosing(_tail(chunks, number) if mixes_up else chunks) as output:
            async for chunk in output:
                yield chunk


async def _tail(chunks: AsyncGenerator[bytes], number: int) -> AsyncGenerator[bytes]:
    """The last lines of a log, whose size the engine bounds."""
    lines: deque[bytes] = deque(maxlen=number)
    rest = b""
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            lines.extend(whole)
            await asyncio.sleep(0)
    if rest:
        lines.append(rest)
    yield b"\n".join([*lines, b""]) if not rest else b"\n".join(lines)


async def _output(argv: Sequence[str], environment: Mapping[str, str]) -> AsyncGenerator[bytes]:
    # One pipe for both streams keeps their order.
    async with streaming(argv, environment, merge_stderr=True) as child:
        async for _, chunk in child.chunks():
            yield chunk


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield
