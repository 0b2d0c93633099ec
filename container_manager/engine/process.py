"""Child processes: own process group, clean environment, bounded output, an end that is certain."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from container_manager.errors import EngineTimeout, EngineUnavailable

CHUNK = 1 << 16
STDERR_LIMIT = 1 << 16
STDOUT_LIMIT = 64 << 20
LINE_LIMIT = 1 << 20
WORKING_DIRECTORY = "/"
"""Compose looks for a Compose file here and in every parent: the root has none of these."""

_KEPT = ("PATH", "HOME", "SSH_AUTH_SOCK")


def clean_environment(docker_host: str) -> dict[str, str]:
    """The environment of every child: what finds the engine, and nothing else of this server's own."""
    own = os.environ
    environment = {name: own[name] for name in _KEPT if name in own}
    environment |= {name: value for name, value in own.items() if name.startswith("DOCKER_")}
    environment.setdefault("PATH", os.defpath)
    environment.setdefault("HOME", "/")
    environment |= {"COMPOSE_DISABLE_ENV_FILE": "1", "DOCKER_CLI_HINTS": "false"}
    environment.pop("DOCKER_HOST", None)
    if docker_host:
        environment["DOCKER_HOST"] = docker_host
    return environment


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended: output up to a limit (`cut` when there was more), `duration` in seconds."""

    code: int
    stdout: bytes
    stderr: bytes
    duration: float
    cut: bool = False


class Kept:
    """The first `limit` bytes of a stream, or its last ones; what does not fit is read and dropped."""

    def __init__(self, limit: int, *, last: bool = False) -> None:
        self._limit, self._last = limit, last
        self.data = bytearray()
        self.cut = False

    def add(self, chunk: bytes) -> None:
        """Keep what fits of `chunk`."""
        if self._last:
            self.data += chunk
            excess = len(self.data) - self._limit
            if excess > 0:
                del self.data[:excess]
        else:
            excess = len(self.data) + len(chunk) - self._limit
            self.data += chunk[: len(chunk) - excess] if excess > 0 else chunk
        self.cut = self.cut or excess > 0


class Child:
    """A process that leads a group of its own, and the end of that group."""

    def __init__(self, transport: asyncio.SubprocessTransport, process: asyncio.subprocess.Process) -> None:
        self._transport = transport
        self.process = process
        self._stderr = Kept(STDERR_LIMIT, last=True)

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: int = asyncio.subprocess.DEVNULL,
        merge_stderr: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> Self:
        """Start `argv`, its output piped. EngineUnavailable when it cannot be run."""
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: asyncio.subprocess.SubprocessStreamProtocol(CHUNK, loop),
                *argv,
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT if merge_stderr else asyncio.subprocess.PIPE,
                env=dict(environment),
                cwd=WORKING_DIRECTORY,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except OSError as error:
            raise EngineUnavailable(f"{argv[0]} cannot be run: {error.strerror}", command=argv[0]) from error
        return cls(transport, asyncio.subprocess.Process(transport, protocol, loop))

    async def end(self) -> None:
        """Kill the whole group if the process still runs, and reap it."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        # wait() waits for the pipes too: for one that nobody reads, or that a stranger holds open, for ever.
        for number in (0, 1, 2):
            if pipe := self._transport.get_pipe_transport(number):
                pipe.close()
        await self.process.wait()

    @property
    def stderr(self) -> bytes:
        """The end of what it wrote to stderr while `lines` ran."""
        return bytes(self._stderr.data)

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines of stdout without their end; one longer than LINE_LIMIT is dropped. Stderr is drained beside."""
        drain = asyncio.create_task(_read(self.process.stderr, self._stderr.add))
        try:
            assert self.process.stdout is not None  # noqa: S101 - spawn always pipes it
            buffer, skipping = bytearray(), False
            while chunk := await self.process.stdout.read(CHUNK):
                buffer += chunk
                *lines, rest = buffer.split(b"\n")
                for line in lines:
                    if not skipping:
                        yield bytes(line)
                    skipping = False
                buffer = rest
                if len(buffer) > LINE_LIMIT:
                    buffer, skipping = bytearray(), True
            if buffer and not skipping:
                yield bytes(buffer)
            await drain
        finally:
            drain.cancel()

    async def chunks(self) -> AsyncIterator[tuple[str, bytes]]:
        """("stdout" | "stderr", bytes) as they come. Not read on before the consumer asks: it slows the process."""
        pipes = {"stdout": self.process.stdout, "stderr": self.process.stderr}
        reads = {asyncio.create_task(pipe.read(CHUNK)): name for name, pipe in pipes.items() if pipe is not None}
        try:
            while reads:
                done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
                # Stdout first when both have something: the order between two pipes is nobody's promise.
                for task in sorted(done, key=lambda task: reads[task] == "stderr"):
                    name = reads.pop(task)
                    if chunk := task.result():
                        yield name, chunk
                        pipe = pipes[name]
                        assert pipe is not None  # noqa: S101 - it has just been read
                        reads[asyncio.create_task(pipe.read(CHUNK))] = name
        finally:
            for task in reads:
                task.cancel()


async def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout: float,
    stdin: bytes = b"",
    limit: int = STDOUT_LIMIT,
    merge_stderr: bool = False,
    on_stderr: Callable[[bytes], None] | None = None,
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Run `argv` to its end, reading both pipes to theirs. EngineTimeout after `timeout` seconds, group killed."""
    started = time.monotonic()
    stdout, stderr = Kept(limit), Kept(STDERR_LIMIT, last=True)
    child = await Child.spawn(
        argv,
        environment,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        merge_stderr=merge_stderr,
        pass_fds=pass_fds,
    )
    process = child.process
    try:
        async with asyncio.timeout(timeout), asyncio.TaskGroup() as tasks:
            tasks.create_task(_read(process.stdout, stdout.add))
            tasks.create_task(_read(process.stderr, on_stderr or stderr.add))
            tasks.create_task(_feed(process.stdin, stdin))
            code = await process.wait()
    except TimeoutError:
        name = os.path.basename(argv[0])
        raise EngineTimeout(f"{name} took longer than {timeout:g} seconds", seconds=timeout) from None
    finally:
        await child.end()
    return Finished(code, bytes(stdout.data), bytes(stderr.data), time.monotonic() - started, stdout.cut)


async def _read(pipe: asyncio.StreamReader | None, add: Callable[[bytes], None]) -> None:
    while pipe is not None and (chunk := await pipe.read(CHUNK)):
        add(chunk)


async def _feed(pipe: asyncio.StreamWriter | None, data: bytes) -> None:
    if pipe is None:
        return
    # A program that does not read its input, or ends before it has, is no failure.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()


@contextlib.asynccontextmanager
async def streaming(
    argv: Sequence[str], environment: Mapping[str, str], *, merge_stderr: bool = False
) -> AsyncIterator[Child]:
    """A child that lives as long as the block: left, the whole group is killed and reaped."""
    child = await Child.spawn(argv, environment, merge_stderr=merge_stderr)
    try:
        yield child
    finally:
        await child.end()
