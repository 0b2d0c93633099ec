"""`GET /containers/{cuid}/stats`: what a container uses, as server-sent events."""

import contextlib
from dataclasses import asdict

from aiohttp import web

from container_manager.api.answers import encode, now
from container_manager.api.context import services_of
from container_manager.api.events import EVENT_STREAM
from container_manager.api.route import Media, Route
from container_manager.errors import ContainerNotFound, EngineUnavailable, LimitReached, NotRunning
from container_manager.models import Cuid


async def stream(request: web.Request, *, cuid: Cuid) -> web.StreamResponse:
    """Send a sample about every second, until the container stops."""
    samples = services_of(request).usage.follow(cuid)
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.content_type, response.charset = EVENT_STREAM, "utf-8"
    await response.prepare(request)
    async with contextlib.aclosing(samples) as following:
        async for sample in following:
            await response.write(b"event: sample\ndata: %b\n\n" % encode({"at": now(), **asdict(sample)}))
    await response.write(b"event: end\ndata: {}\n\n")
    return response


USAGE_ROUTES = [
    Route(
        "GET",
        "/containers/{cuid}/stats",
        stream,
        "container.stats",
        "Follow what it uses",
        returns=Media(EVENT_STREAM, "Events: sample, end"),
        errors=(ContainerNotFound, NotRunning, LimitReached, EngineUnavailable),
        description=(
            "Server-sent events, about one a second until the container stops. `cpu` is in cores; `memory`, "
            "`memory_limit`, and `received` and `sent` over the network since its start are bytes. It is measured "
            "only while somebody reads."
        ),
    ),
]
