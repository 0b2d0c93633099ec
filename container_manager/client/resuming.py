"""Uploads that go on where a broken connection left them."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import IO, Literal

from container_manager.client.errors import ClientError, Refused, Unreachable
from container_manager.client.transport import Json, Transport

Progress = Callable[[int, int | None], None]
"""Called with the bytes moved so far and their total, which is None when nobody knows it."""

CHUNK = 1 << 18
TRIES = 6
"""Broken connections in a row after which it is given up; one that moved something begins a new row."""
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_FAREWELL_SECONDS = 5.0
_GATEWAY_STATUSES = (502, 503, 504)
"""What a proxy says while there is no server behind it."""
_STILL_THERE = ("UPLOAD_OFFSET", "UPLOAD_BUSY")
"""What the server says while it has not yet noticed that a connection broke."""


async def chunks(source: IO[bytes], total: int, progress: Progress | None, start: int = 0) -> AsyncIterator[bytes]:
    """What `source` holds from byte `start` on."""
    await asyncio.to_thread(source.seek, start)
    done = start
    while chunk := await asyncio.to_thread(source.read, CHUNK):
        yield chunk
        done += len(chunk)
        if progress is not None:
            progress(done, total)


async def upload_resuming(
    transport: Transport,
    cuid: str,
    source: IO[bytes],
    path: str,
    mode: Literal["merge", "replace"],
    progress: Progress | None,
) -> Json:
    """Send the archive `source`, over as many connections as it takes; what came of it. Raises as `open` does."""
    total = os.fstat(source.fileno()).st_size
    body = {"kind": "zip", "path": path, "mode": mode, "size": total}
    upload = await transport.call("POST", "containers", cuid, "uploads", json=body)
    place = ("containers", cuid, "uploads", upload["id"])
    tries = 0
    try:
        while upload["state"] != "done":
            try:
                if tries:
                    await asyncio.sleep(min(_PAUSE_SECONDS * 2**tries, _LONGEST_PAUSE_SECONDS))
                    before, upload = upload, await transport.call("GET", *place)
                    tries = tries if upload["offset"] == before["offset"] else 1
                if upload["state"] == "receiving":
                    upload = await transport.call(
                        "PATCH",
                        *place,
                        stream=True,
                        data=chunks(source, total, progress, upload["offset"]),
                        headers={
                            "Content-Type": "application/offset+octet-stream",
                            "Content-Length": str(total - upload["offset"]),
                            "Upload-Offset": str(upload["offset"]),
                        },
                    )
                elif upload["state"] == "failed":
                    raise Refused(400, upload["result"])
                else:
                    # It is all there and being unpacked: no reason to give up.
                    tries = 1
            except (Unreachable, Refused) as error:
                tries += 1
                if not _passes(error) or tries > TRIES:
                    raise
    finally:
        if upload["state"] == "receiving":
            # Nobody goes on with it: what has arrived would lie there for a day.
            with contextlib.suppress(ClientError, TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await transport.call("DELETE", *place)
    result: Json = upload["result"]
    return {"cuid": cuid, "path": path or ".", "mode": mode, **result}


def _passes(error: ClientError) -> bool:
    """Whether another try may do better."""
    if isinstance(error, Refused):
        return error.status in _GATEWAY_STATUSES or error.code in _STILL_THERE
    return True
