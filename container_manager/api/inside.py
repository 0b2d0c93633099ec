"""What goes on inside a container: commands run in it, and what it prints."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from container_manager.api.context import note, services_of
from container_manager.api.encoding import decoded
from container_manager.api.lifecycle import ENGINE_ERRORS
from container_manager.api.route import Media, Route
from container_manager.api.schemas.container_views import ExecView
from container_manager.api.schemas.containers import ExecBody, LogsQuery
from container_manager.errors import ContainerNotFound, NotRunning
from container_manager.models import Cuid
from container_manager.services.commands import Command


async def run(request: web.Request, *, cuid: Cuid, body: ExecBody) -> ExecView:
    """Run a command to its end."""
    result = await services_of(request).commands.run(
        cuid,
        Command(
            words=body.words(),
            user=body.user,
            workdir=body.workdir,
            env=body.env,
            stdin=body.stdin.encode(),
            timeout=body.timeout,
        ),
    )
    note(request, exit_code=result.exit_code)
    stdout, stderr, encoding = decoded(result.stdout, result.stderr)
    return ExecView(
        exit_code=result.exit_code,
        stdout=stdout,
        stderr=stderr,
        encoding=encoding,
        duration_ms=round(result.duration * 1000, 1),
    )


async def logs(request: web.Request, *, cuid: Cuid, query: LogsQuery) -> web.StreamResponse:
    """The logs, as text or as server-sent events."""
    events = "text/event-stream" in request.headers.get("Accept", "")
    chunks = services_of(request).commands.logs(
        cuid,
        tail=None if query.tail == "all" else query.tail,
        follow=query.follow or events,
        since=query.since,
        timestamps=query.timestamps,
    )
    response = web.StreamResponse()
    response.content_type = "text/event-stream" if events else "text/plain"
    response.charset = "utf-8"
    # A proxy that collects a live stream makes it no live stream.
    response.headers["X-Accel-Buffering"] = "no"
    # Closed when the client leaves: the process that reads the logs goes with it.
    async with contextlib.aclosing(chunks):
        # The first chunk before the head: an engine that is away is an error then, not an empty log.
        first = None if query.follow or events else await anext(chunks, None)
        await response.prepare(request)
        if first is not None:
            await response.write(first)
        async for part in _event_lines(chunks) if events else chunks:
            await response.write(part)
    await response.write_eof()
    return response


LONGEST_LINE = 256 * 1024
"""Bytes of one line of a live log; a longer one comes in pieces."""


async def _event_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Each line as a server-sent event, and one named `end` after the last."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
            rest = b""
        yield b"".join(_event(line) for line in lines)
    yield (_event(rest) if rest else b"") + b"event: end\ndata:\n\n"


def _event(line: bytes) -> bytes:
    # A carriage return would end the field for the reader of the stream.
    return b"data: " + line.rstrip(b"\r").replace(b"\r", b"\ndata: ") + b"\n\n"


INSIDE_ROUTES = [
    Route(
        "GET",
        "/containers/{cuid}/logs",
        logs,
        "container.logs",
        "What it printed",
        query=LogsQuery,
        returns=Media("text/plain", "stdout and stderr in order", others=("text/event-stream",)),
        errors=(ContainerNotFound, *ENGINE_ERRORS),
    ),
    Route(
        "POST",
        "/containers/{cuid}/exec",
        run,
        "container.exec",
        "Run a command in it",
        body=ExecBody,
        returns=ExecView,
        errors=(ContainerNotFound, NotRunning, *ENGINE_ERRORS),
    ),
]
