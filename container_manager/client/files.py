"""A container's files: /app as it sees it, its mount as the server does."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Literal

from container_manager.client.resuming import CHUNK, Progress, chunks, upload_resuming
from container_manager.client.transport import Json, Transport

LARGE = 16 << 20
"""Bytes of an archive from which on a broken connection does not begin it anew."""


class Files:
    """`client.files`. Paths are relative to the mount; `/app/…` means the same."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, cuid: str, path: str = "") -> AsyncIterator[Json]:
        """The entries of a directory, by name, however many there are."""
        cursor: str | None = None
        while True:
            query = {"path": path or None, "cursor": cursor}
            page = await self._transport.call("GET", "containers", cuid, "files", query=query)
            for entry in page["entries"]:
                yield entry
            cursor = page["next_cursor"]
            if not cursor:
                return

    async def upload(
        self,
        cuid: str,
        archive: Path,
        path: str = "",
        *,
        mode: Literal["merge", "replace"] = "merge",
        progress: Progress | None = None,
    ) -> Json:
        """Unpack the zip file `archive` at `path`: all of it or, if it is refused, nothing.

        "merge" keeps what the archive does not name, "replace" removes it. A large one goes on where a connection
        that breaks has left it.
        """
        source = await asyncio.to_thread(archive.open, "rb")
        try:
            total = os.fstat(source.fileno()).st_size
            if total >= LARGE:
                return await upload_resuming(self._transport, cuid, source, path, mode, progress)
            return await self._transport.call(
                "POST",
                "containers",
                cuid,
                "upload-zip",
                query={"path": path or None, "mode": mode},
                stream=True,
                data=chunks(source, total, progress),
                # Refused before the body is sent: wrong credentials cost no upload.
                expect100=True,
                headers={"Content-Type": "application/zip", "Content-Length": str(total)},
            )
        finally:
            source.close()

    async def download(self, cuid: str, path: str, to: IO[bytes], *, progress: Progress | None = None) -> None:
        """Write one file into `to`."""
        await self._fetch(cuid, "download", path, to, progress)

    async def download_zip(self, cuid: str, to: IO[bytes], path: str = "", *, progress: Progress | None = None) -> None:
        """Write a directory, by default all of /app, as a zip file into `to`."""
        await self._fetch(cuid, "download-zip", path, to, progress)

    async def write(self, cuid: str, path: str, content: bytes) -> Json:
        """Write one file, and make the directories above it."""
        return await self._transport.call(
            "PUT",
            "containers",
            cuid,
            "files",
            query={"path": path},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
        )

    async def remove(self, cuid: str, path: str, *, recursive: bool = False) -> Json:
        """Remove a file or an empty directory; with `recursive` any directory."""
        query = {"path": path, "recursive": recursive or None}
        return await self._transport.call("DELETE", "containers", cuid, "files", query=query)

    async def make_directory(self, cuid: str, path: str) -> Json:
        """Make a directory, and those above it."""
        return await self._transport.call("POST", "containers", cuid, "directories", json={"path": path})

    async def move(self, cuid: str, path: str, to: str, *, overwrite: bool = False) -> Json:
        """Move or rename a file or directory."""
        body = {"from": path, "to": to, "overwrite": overwrite}
        return await self._transport.call("POST", "containers", cuid, "move", json=body)

    async def _fetch(self, cuid: str, verb: str, path: str, to: IO[bytes], progress: Progress | None) -> None:
        query = {"path": path or None}
        async with self._transport.open("GET", "containers", cuid, verb, query=query, stream=True) as response:
            done = 0
            async for chunk in response.content.iter_chunked(CHUNK):
                await asyncio.to_thread(to.write, chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, response.content_length)
