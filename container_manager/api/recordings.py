"""What happened in sessions: live, as events, and later, as recordings."""

import asyncio
import os

from aiohttp import web

from container_manager.api.answers import encode
from container_manager.api.context import note, services_of
from container_manager.api.events import EVENT_STREAM, HEARTBEAT
from container_manager.api.route import Media, Route
from container_manager.api.schemas.terminals import DeletedRecordingView, RecordingsView, RecordingView
from container_manager.errors import ContainerNotFound, RecordingNotFound, SessionNotFound
from container_manager.models import Cuid
from container_manager.terminal.recording import Recorded
from container_manager.terminal.watch import Event

_ASCIICAST = "application/x-asciicast"
_CHUNK = 64 << 10


async def session_events(request: web.Request, *, cuid: Cuid, sid: str) -> web.StreamResponse:
    """What is typed and shown, as server-sent events, until the session ends."""
    terminals = services_of(request).terminals
    session = terminals.get(cuid, sid)
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.content_type, response.charset = EVENT_STREAM, "utf-8"
    with terminals.watch(session) as watch:
        await response.prepare(request)
        await response.write(b": the session goes on\n\n")
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    event = await watch.get()
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if event is None:
                return response
            await response.write(_encoded(event))


def _encoded(event: Event) -> bytes:
    data = encode({"at": event.at.isoformat(timespec="microseconds"), "offset": event.offset, **event.data})
    return b"event: %b\ndata: %b\n\n" % (event.kind.encode(), data)


async def list_recordings(request: web.Request, *, cuid: Cuid) -> RecordingsView:
    """Those on disk, newest first."""
    services = services_of(request)
    services.registry.get(cuid)
    live = {session.plan.sid for session in services.terminals.of(cuid)}
    return RecordingsView(
        recordings=[_recording(found, live) for found in await services.terminals.recordings.of(cuid)]
    )


def _recording(recorded: Recorded, live: set[str]) -> RecordingView:
    return RecordingView(
        name=recorded.name,
        sid=recorded.sid,
        user=recorded.user,
        started_at=recorded.started_at,
        changed_at=recorded.changed_at,
        size=recorded.size,
        live=recorded.sid in live,
    )


async def download_recording(request: web.Request, *, cuid: Cuid, name: str) -> web.StreamResponse:
    """The file, as far as it is written."""
    services = services_of(request)
    services.registry.get(cuid)
    recorded, descriptor = await services.terminals.recordings.open(cuid, name)
    note(request, recording=recorded.name)
    try:
        response = web.StreamResponse(
            headers={"Content-Disposition": f'attachment; filename="{recorded.name}"', "Cache-Control": "no-store"}
        )
        response.content_type = _ASCIICAST
        response.content_length = left = recorded.size
        await response.prepare(request)
        while left and (chunk := await asyncio.to_thread(os.read, descriptor, min(left, _CHUNK))):
            left -= len(chunk)
            await response.write(chunk)
        return response
    finally:
        os.close(descriptor)


async def delete_recording(request: web.Request, *, cuid: Cuid, name: str) -> DeletedRecordingView:
    """Delete the file."""
    services = services_of(request)
    services.registry.get(cuid)
    await services.terminals.recordings.remove(cuid, name)
    note(request, recording=name)
    return DeletedRecordingView(name=name)


RECORDING_ROUTES = [
    Route(
        "GET",
        "/containers/{cuid}/sessions/{sid}/events",
        session_events,
        "session.events",
        "Follow what is typed and shown in a session",
        returns=Media(EVENT_STREAM, "Events: output, input, resize, missed, exit"),
        errors=(ContainerNotFound, SessionNotFound),
        tag="terminals",
    ),
    Route(
        "GET",
        "/containers/{cuid}/recordings",
        list_recordings,
        "recording.list",
        "The recorded sessions of a container",
        returns=RecordingsView,
        errors=(ContainerNotFound,),
        tag="terminals",
    ),
    Route(
        "GET",
        "/containers/{cuid}/recordings/{name}",
        download_recording,
        "recording.download",
        "A recording, for any asciinema player",
        returns=Media(_ASCIICAST, "asciicast v2"),
        errors=(ContainerNotFound, RecordingNotFound),
        tag="terminals",
    ),
    Route(
        "DELETE",
        "/containers/{cuid}/recordings/{name}",
        delete_recording,
        "recording.delete",
        "Delete a recording",
        returns=DeletedRecordingView,
        errors=(ContainerNotFound, RecordingNotFound),
        tag="terminals",
    ),
]
