"""Sending files: conditions, ranges, names. From a descriptor, never from a path."""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncGenerator
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import quote

from aiohttp import web

from container_manager.api.context import services_of
from container_manager.errors import IoError, RangeNotSatisfiable
from container_manager.store.mount import OpenFile

_CHUNK = 512 << 10
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CACHE = "private, no-cache"


def attachment(name: str) -> str:
    """A Content-Disposition that saves under `name`, whatever characters it has."""
    plain = re.sub(r"[^A-Za-z0-9 ._()+,=@~-]", "_", name) or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


async def send_file(request: web.Request, file: OpenFile, name: str) -> web.StreamResponse:
    """Answer with `file`, or the part of it that is asked for; the caller closes it. RangeNotSatisfiable."""
    tag = f'"{file.tag}"'
    changed = int(file.status.st_mtime)
    headers = {
        "ETag": tag,
        "Last-Modified": formatdate(min(max(changed, 0), 253_402_300_799), usegmt=True),
        "Accept-Ranges": "bytes",
        "Cache-Control": _CACHE,
    }
    if _is_unchanged(request, tag, changed):
        return web.Response(status=304, headers=headers)
    start, end = _range(request, file.size, tag, headers["Last-Modified"])
    partial = end - start != file.size
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    response = web.StreamResponse(status=206 if partial else 200, headers=headers)
    response.content_type = "application/octet-stream"
    response.headers["Content-Disposition"] = attachment(name)
    response.content_length = end - start
    await response.prepare(request)
    sent = services_of(request).metrics.sent
    if request.method != "HEAD":
        while start < end:
            chunk = await asyncio.to_thread(os.pread, file.descriptor, min(_CHUNK, end - start), start)
            if not chunk:
                raise IoError("The file became shorter while it was sent")
            start += len(chunk)
            await response.write(chunk)
            sent(len(chunk))
    await response.write_eof()
    return response


async def send_archive(request: web.Request, chunks: AsyncGenerator[bytes], name: str) -> web.StreamResponse:
    """Answer with an archive as it is made; `chunks` is closed at the end, however that comes."""
    async with contextlib.aclosing(chunks):
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = "application/zip"
        response.headers["Content-Disposition"] = attachment(name)
        await response.prepare(request)
        sent = services_of(request).metrics.sent
        if request.method != "HEAD":
            async for chunk in chunks:
                await response.write(chunk)
                sent(len(chunk))
        await response.write_eof()
        return response


def _is_unchanged(request: web.Request, tag: str, changed: int) -> bool:
    known = request.headers.get("If-None-Match")
    if known is not None:
        tags = [one.strip().removeprefix("W/") for one in known.split(",")]
        return "*" in tags or tag in tags
    since = _seconds(request.headers.get("If-Modified-Since", ""))
    return since is not None and changed <= since


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def _range(request: web.Request, size: int, tag: str, changed: str) -> tuple[int, int]:
    """First byte and the one behind the last. What is no single range of bytes means the whole file."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    condition = request.headers.get("If-Range", tag).strip()
    if asked is None or not (asked[1] or asked[2]) or condition not in (tag, changed):
        return 0, size
    if not asked[1]:
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(size, int(asked[2]) + 1 if asked[2] else size)
        if asked[2] and int(asked[2]) < int(asked[1]):
            return 0, size
    if start >= end:
        raise RangeNotSatisfiable(f"The file has {size} bytes", size=size)
    return start, end
