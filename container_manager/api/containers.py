"""/containers: what each route calls, and what it answers."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aiohttp import web

from container_manager.api.answers import json_response
from container_manager.api.context import note, services_of
from container_manager.api.encoding import decoded
from container_manager.api.pages import decode_cursor, encode_cursor
from container_manager.api.route import Media, Route
from container_manager.api.schemas.containers import (
    ContainerView,
    CreateContainer,
    DeletedView,
    DeleteQuery,
    ExecBody,
    ExecView,
    ListQuery,
    ListView,
    LogsQuery,
    StatusView,
    StepView,
    UpdateContainer,
    UpdatedView,
    UpdatePorts,
    split_command,
)
from container_manager.api.views import container_view, status_of, status_view
from container_manager.errors import (
    BootMissing,
    ComposeError,
    ComposeFileBroken,
    ContainerNotFound,
    ContainerRunning,
    EngineTimeout,
    EngineUnavailable,
    ImageNotFound,
    InvalidTransition,
    IoError,
    LimitReached,
    NameInUse,
    NoSpace,
    NotRunning,
    PortInUse,
)
from container_manager.models import ContainerSpec, Cuid, new_cuid
from container_manager.services.commands import Command
from container_manager.services.configuration import Changes
from container_manager.services.lifecycle import Outcome


async def create(request: web.Request, *, body: CreateContainer) -> web.Response:
    """Create, and start when asked to."""
    services = services_of(request)
    cuid = new_cuid()
    note(request, cuid=cuid, image=body.image)
    spec = ContainerSpec(
        cuid=cuid,
        created_at=datetime.now(UTC),
        image=body.image,
        name=body.name,
        env=body.env,
        tags=tuple(body.tags),
        resources=body.resources.limits(),
        ports=tuple(port.mapping() for port in body.ports),
        command=None if body.command is None else split_command(body.command),
        user=body.user,
        restart=body.restart,
    )
    await services.lifecycle.create(spec, start=body.start)
    return json_response(_container(request, cuid), status=201, headers={"Location": f"/containers/{cuid}"})


async def list_containers(request: web.Request, *, query: ListQuery) -> web.Response:
    """One page of the list."""
    services = services_of(request)
    states, views = services.engine.states.all, services.views
    wanted, tag = set(query.status), query.tag
    page: list[ContainerSpec] = []
    more = False
    for spec in services.registry.after(decode_cursor(query.cursor) if query.cursor else None):
        if wanted and status_of(states.get(spec.cuid)) not in wanted:
            continue
        if tag is not None and tag not in spec.tags:
            continue
        if len(page) == query.limit:
            more = True
            break
        page.append(spec)
    rows = [views.fragment(spec, states.get(spec.cuid)) for spec in page]
    cursor = encode_cursor(page[-1].created_at, page[-1].cuid) if more else None
    return json_response({"containers": rows, "next_cursor": cursor})


async def show(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Configuration and state."""
    return json_response(_container(request, cuid))


async def status(request: web.Request, *, cuid: Cuid) -> web.Response:
    """The state alone."""
    services = services_of(request)
    view = status_view(services.registry.get(cuid), services.engine.states.get(cuid))
    return json_response(view)


async def update(request: web.Request, *, cuid: Cuid, body: UpdateContainer) -> web.Response:
    """Change what the body names."""
    return await _update(
        request,
        cuid,
        Changes(
            image=body.image,
            env=body.env,
            tags=None if body.tags is None else tuple(body.tags),
            resources=None if body.resources is None else body.resources.limits(),
            ports=None if body.ports is None else tuple(port.mapping() for port in body.ports),
        ),
        sorted(body.model_fields_set),
    )


async def update_ports(request: web.Request, *, cuid: Cuid, body: UpdatePorts) -> web.Response:
    """Replace the ports."""
    return await _update(request, cuid, Changes(ports=tuple(port.mapping() for port in body.ports)), ["ports"])


async def _update(request: web.Request, cuid: Cuid, changes: Changes, fields: list[str]) -> web.Response:
    applied = await services_of(request).configuration.update(cuid, changes)
    note(request, applied=applied, fields=fields)
    view = {**_container(request, cuid), "applied": applied}
    return json_response(view)


async def start(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Start."""
    return _step(request, cuid, await services_of(request).lifecycle.start(cuid))


async def stop(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Stop."""
    return _step(request, cuid, await services_of(request).lifecycle.stop(cuid))


async def restart(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Restart."""
    return _step(request, cuid, await services_of(request).lifecycle.restart(cuid))


async def pause(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Pause."""
    return _step(request, cuid, await services_of(request).lifecycle.pause(cuid))


async def unpause(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Unpause."""
    return _step(request, cuid, await services_of(request).lifecycle.unpause(cuid))


async def delete(request: web.Request, *, cuid: Cuid, query: DeleteQuery) -> DeletedView:
    """Delete."""
    note(request, force=query.force, keep_files=query.keep_files)
    await services_of(request).lifecycle.delete(cuid, force=query.force, keep_files=query.keep_files)
    return DeletedView(cuid=cuid)


async def compose_file(request: web.Request, *, cuid: Cuid) -> web.Response:
    """The YAML as it stands on the disk."""
    text = await services_of(request).registry.read(cuid)
    return web.Response(body=text, content_type="application/yaml", charset="utf-8")


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


def _container(request: web.Request, cuid: Cuid) -> dict[str, object]:
    services = services_of(request)
    return container_view(services.registry.get(cuid), services.engine.states.get(cuid))


def _step(request: web.Request, cuid: Cuid, outcome: Outcome) -> web.Response:
    note(request, changed=outcome.changed)
    spec = services_of(request).registry.get(cuid)
    view = {**status_view(spec, outcome.state), "changed": outcome.changed}
    return json_response(view)


_ENGINE = (ComposeError, EngineUnavailable, EngineTimeout)
_ONE = (ContainerNotFound,)
_CHANGE = (*_ONE, ComposeFileBroken, LimitReached, *_ENGINE)
_START = (*_CHANGE, BootMissing, ImageNotFound, PortInUse, InvalidTransition)

CONTAINER_ROUTES = [
    Route(
        "POST",
        "/containers",
        create,
        "container.create",
        "Create a container",
        body=CreateContainer,
        returns=ContainerView,
        status=201,
        errors=(NameInUse, BootMissing, ImageNotFound, PortInUse, IoError, NoSpace, *_ENGINE),
        headers={"Location": "Path of the new container"},
    ),
    Route(
        "GET",
        "/containers",
        list_containers,
        "container.list",
        "List containers, oldest first",
        query=ListQuery,
        returns=ListView,
    ),
    Route("GET", "/containers/{cuid}", show, "container.show", "A container", returns=ContainerView, errors=_ONE),
    Route("GET", "/containers/{cuid}/status", status, "container.status", "Its state", returns=StatusView, errors=_ONE),
    Route(
        "GET",
        "/containers/{cuid}/compose",
        compose_file,
        "container.compose",
        "Its Compose file",
        returns=Media("application/yaml", "The file as it stands on the disk"),
        errors=_ONE,
    ),
    Route(
        "PATCH",
        "/containers/{cuid}",
        update,
        "container.update",
        "Change its configuration",
        body=UpdateContainer,
        returns=UpdatedView,
        errors=_START,
    ),
    Route(
        "PATCH",
        "/containers/{cuid}/ports",
        update_ports,
        "container.ports",
        "Replace its published ports",
        body=UpdatePorts,
        returns=UpdatedView,
        errors=_START,
    ),
    Route("POST", "/containers/{cuid}/start", start, "container.start", "Start it", returns=StepView, errors=_START),
    Route("POST", "/containers/{cuid}/stop", stop, "container.stop", "Stop it", returns=StepView, errors=_CHANGE),
    Route(
        "POST",
        "/containers/{cuid}/restart",
        restart,
        "container.restart",
        "Stop it and start it",
        returns=StepView,
        errors=_START,
    ),
    Route(
        "POST",
        "/containers/{cuid}/pause",
        pause,
        "container.pause",
        "Freeze it",
        returns=StepView,
        errors=(*_CHANGE, InvalidTransition),
    ),
    Route(
        "POST",
        "/containers/{cuid}/unpause",
        unpause,
        "container.unpause",
        "Let a frozen one go on",
        returns=StepView,
        errors=(*_CHANGE, InvalidTransition),
    ),
    Route(
        "DELETE",
        "/containers/{cuid}",
        delete,
        "container.delete",
        "Delete it, its file and its mount",
        query=DeleteQuery,
        returns=DeletedView,
        errors=(*_CHANGE, ContainerRunning, IoError),
    ),
    Route(
        "GET",
        "/containers/{cuid}/logs",
        logs,
        "container.logs",
        "What it printed",
        query=LogsQuery,
        returns=Media("text/plain", "stdout and stderr in order", others=("text/event-stream",)),
        errors=(*_ONE, *_ENGINE),
    ),
    Route(
        "POST",
        "/containers/{cuid}/exec",
        run,
        "container.exec",
        "Run a command in it",
        body=ExecBody,
        returns=ExecView,
        errors=(*_ONE, NotRunning, *_ENGINE),
    ),
]
