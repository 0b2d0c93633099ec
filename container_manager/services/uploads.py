"""Uploads in parts, for archives and files that take long: what arrived is kept, and a client goes on from there."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from container_manager.errors import AppError, LimitReached, UploadConflict, UploadNotFound, ValidationError
from container_manager.models import Cuid, Layout
from container_manager.services.intake import Body, Intake, Transfer, to_the_end
from container_manager.store import intake
from container_manager.store.archive_unpack import Unpacked
from container_manager.store.intake import Mode
from container_manager.store.paths import parse_path
from container_manager.store.registry import Registry
from container_manager.store.uploads import DATA, Upload, UploadKind, Uploads

MAX_UPLOADS = 32
"""Unfinished uploads of one container."""
_HANDOVER = 5.0
"""Seconds that an earlier connection of the same upload gets to end."""


@dataclass(frozen=True, slots=True)
class _Active:
    """An upload that a connection sends to now."""

    transfer: Transfer
    task: "asyncio.Task[Upload]"


class ResumableUploads:
    """Uploads that outlive their connections, and the server."""

    def __init__(self, layout: Layout, taking: Intake, registry: Registry) -> None:
        self._store = Uploads(layout.staging)
        self._intake = taking
        self._registry = registry
        self._active: dict[str, _Active] = {}

    async def sweep(self) -> None:
        """Remove uploads that nobody goes on with."""
        known = {spec.cuid for spec in self._registry.after()}
        await asyncio.to_thread(self._store.sweep, known)

    async def create(self, cuid: Cuid, kind: UploadKind, path: str, mode: Mode, size: int) -> Upload:
        """Begin one. LimitReached, TooLarge, NoSpace."""
        where = parse_path(path)
        if kind == "file" and not where:
            raise ValidationError.field("path", "A path to a file is needed", path)
        self._registry.get(cuid)
        await self._intake.check_size(size)
        unfinished = [one for one in await self.of(cuid) if one.state == "receiving"]
        if len(unfinished) >= MAX_UPLOADS:
            raise LimitReached(f"{MAX_UPLOADS} uploads are unfinished; end or remove one", limit=MAX_UPLOADS)
        return await asyncio.to_thread(self._store.create, cuid, kind, path, mode, size)

    async def get(self, cuid: Cuid, upload_id: str) -> tuple[Upload, Transfer | None]:
        """How an upload stands, with what is known of it beyond the disk while it is under way. UploadNotFound."""
        self._registry.get(cuid)
        upload = await asyncio.to_thread(self._store.get, cuid, upload_id)
        active = self._active.get(upload_id)
        return self._seen(upload), active.transfer if active else None

    async def of(self, cuid: Cuid) -> list[Upload]:
        """The uploads to `cuid`, oldest first."""
        self._registry.get(cuid)
        return [self._seen(upload) for upload in await asyncio.to_thread(self._store.of, cuid)]

    async def remove(self, cuid: Cuid, upload_id: str) -> None:
        """Give an upload up. UploadNotFound, UploadConflict while it is being unpacked."""
        upload, _ = await self.get(cuid, upload_id)
        await self._interrupt(upload.id)
        await asyncio.to_thread(self._store.remove, upload.id)

    async def append(self, cuid: Cuid, upload_id: str, offset: int, body: Body) -> Upload:
        """Add a part that begins at `offset`; the last one is answered when everything is in the mount.

        UploadConflict when the upload stands elsewhere. An earlier connection that still holds on is ended.
        """
        upload, _ = await self.get(cuid, upload_id)
        if upload.state in ("done", "failed"):
            raise UploadConflict("This upload has ended", code="UPLOAD_ENDED", offset=upload.offset, state=upload.state)
        await self._interrupt(upload.id)
        upload, _ = await self.get(cuid, upload_id)
        if upload.offset != offset:
            raise UploadConflict(f"The upload stands at {upload.offset}, not at {offset}", offset=upload.offset)
        transfer = Transfer(upload.id, cuid, upload.kind, upload.path, upload.mode, upload.size, received=offset)
        task = asyncio.ensure_future(self._take(upload, transfer, body))
        self._active[upload.id] = _Active(transfer, task)
        try:
            return await task
        finally:
            del self._active[upload.id]

    async def _take(self, upload: Upload, transfer: Transfer, body: Body) -> Upload:
        manager = self._store.opened(upload)
        try:
            directory, data = await asyncio.to_thread(manager.__enter__)
        except FileNotFoundError:
            raise UploadNotFound(f"No upload {upload.id}", upload=upload.id) from None
        try:
            await self._intake.receive(body, data, transfer)
            if transfer.received < (upload.size or 0):
                return replace(upload, offset=transfer.received)
            try:
                result = await self._finish(upload, transfer, directory, data)
            except AppError as error:
                told = {"error": error.family, "code": error.code, "message": error.message, "details": error.details}
                # Only what another try cannot mend ends the upload: a full disk may have room later.
                if error.family == "validation_error":
                    await asyncio.to_thread(self._store.finish, upload, "failed", told)
                raise
            done = await to_the_end(asyncio.to_thread(self._store.finish, upload, "done", result))
            return replace(done, offset=transfer.received)
        finally:
            await to_the_end(asyncio.to_thread(manager.__exit__, None, None, None))

    async def _finish(self, upload: Upload, transfer: Transfer, directory: int, data: int) -> dict[str, Any]:
        where = parse_path(upload.path)
        async with self._intake.work() as work:
            if upload.kind == "zip":
                unpacked = await self._intake.take_zip(data, work, where, transfer, discard=False)
                return result_of(unpacked)
            transfer.state = "unpacking"
            owner = self._intake.owner(upload.cuid)
            await asyncio.to_thread(intake.stage_file, work, directory, DATA, where, owner, None)
            await self._intake.deliver(work, upload.cuid, where)
            return {"files": 1, "bytes": transfer.received}

    async def _interrupt(self, upload_id: str) -> None:
        """End the connection that sends to this upload now, if there is one; its client has come back on another."""
        active = self._active.get(upload_id)
        if active is None:
            return
        offset = active.transfer.received
        if active.transfer.state != "receiving":
            raise UploadConflict("This upload is being unpacked", code="UPLOAD_BUSY", offset=offset)
        active.task.cancel("its client has come back on another connection")
        await asyncio.wait([active.task], timeout=_HANDOVER)
        if upload_id in self._active:
            raise UploadConflict("Another request sends to this upload", code="UPLOAD_BUSY", offset=offset)

    def _seen(self, upload: Upload) -> Upload:
        """An upload as it is now, its state included."""
        active = self._active.get(upload.id)
        if active is None or upload.state != "receiving":
            return upload
        return replace(upload, offset=active.transfer.received, state=active.transfer.state)


def result_of(unpacked: Unpacked) -> dict[str, Any]:
    """What an unpacked archive came to, as the answer tells it."""
    return {
        "files": unpacked.files,
        "bytes": unpacked.bytes,
        "directories": unpacked.directories,
        "skipped": list(unpacked.skipped),
    }
