"""`GET /events`: every change as server-sent events, resumable by `Last-Event-ID`."""

import asyncio
import contextlib

from aiohttp import web

from container_manager.api.answers import encode
from container_manager.api.context import SERVICES, services_of
from container_manager.api.route import Media, RequestHeader, Route
from container_manager.services.events import Event

EVENT_STREAM = "text/event-stream"
HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent: proxies cut idle connections, and a client that is gone shows."""


def encoded(event: Event) -> bytes:
    """One event as the stream writes it."""
    data = encode({"cuid": event.cuid, "at": event.at.isoformat(timespec="milliseconds"), **event.data})
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.kind.encode(), data)


async def stream(request: web.Request) -> web.StreamResponse:
    """Send what changes from now on, or after the event that the client saw last."""
    events = services_of(request).events
    # Taken before the head is sent: a client that reads the list once it has the head misses nothing.
    seen = request.headers.get("Last-Event-ID")
    after = seen or events.last_id
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.content_type = EVENT_STREAM
    response.charset = "utf-8"
    await response.prepare(request)
    # The id alone, without an event: who loses the connection before the first event goes on from here.
    await response.write(b"retry: 500\n\n" if seen else b"retry: 500\nid: %b\n\n" % after.encode())
    async with contextlib.aclosing(events.follow(after)) as following:
        coming = asyncio.ensure_future(anext(following, None))
        try:
            while True:
                done, _ = await asyncio.wait((coming,), timeout=HEARTBEAT)
                if not done:
                    await response.write(b": still here\n\n")
                    continue
                event = coming.result()
                if event is None:
                    return response
                await response.write(encoded(event))
                coming = asyncio.ensure_future(anext(following, None))
        finally:
            coming.cancel()
            await asyncio.wait((coming,))


async def end_streams(app: web.Application) -> None:
    """When the server ends: streams end at once, instead of holding it up."""
    app[SERVICES].events.end()
    app[SERVICES].usage.end()


EVENT_ROUTES = [
    Route(
        "GET",
        "/events",
        stream,
        "events.stream",
        "Follow every change",
        returns=Media(EVENT_STREAM, "Events: created, updated, deleted, state, progress, engine, reset"),
        reads=(RequestHeader("Last-Event-ID", "The last `id` that the client saw"),),
        description=(
            "Server-sent events. `created`, `updated` and `deleted` tell of a container's configuration, `state` of "
            "its life at the engine, `progress` of the pull of an image, `engine` that the engine went away or came "
            "back. Send the last `id` back as `Last-Event-ID` to go on after it; `reset` says that events are missing "
            "in between: read the list again."
        ),
        tag="events",
    ),
]
