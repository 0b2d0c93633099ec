"""Uploads in parts, and the progress of those that are under way."""

from aiohttp import web

from container_manager.api.answers import json_response
from container_manager.api.bodies import raw
from container_manager.api.context import note, services_of
from container_manager.api.route import RequestHeader, Route
from container_manager.api.schemas.files import RemovedView, UploadBody, UploadsView, UploadView, moment
from container_manager.errors import (
    BadZip,
    Conflict,
    ContainerNotFound,
    IoError,
    LimitReached,
    NoSpace,
    PathExists,
    PathOutsideMount,
    TooLarge,
    UploadConflict,
    UploadNotFound,
    ValidationError,
)
from container_manager.models import Cuid
from container_manager.services.intake import Transfer
from container_manager.store.uploads import Upload

PART_TYPE = "application/offset+octet-stream"
OFFSET = "Upload-Offset"


async def create(request: web.Request, *, cuid: Cuid, body: UploadBody) -> web.Response:
    """Begin an upload."""
    note(request, path=body.path, mode=body.mode)
    upload = await services_of(request).files.uploads.create(cuid, body.kind, body.path, body.mode, body.size)
    note(request, upload=upload.id)
    return _answer(upload, None, status=201, headers={"Location": f"/containers/{cuid}/uploads/{upload.id}"})


async def append(request: web.Request, *, cuid: Cuid, upload: str) -> web.Response:
    """Take a part."""
    note(request, upload=upload)
    offset = request.headers.get(OFFSET, "")
    if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise ValidationError.field(
            OFFSET, f"The header {OFFSET} must say where this part begins", offset[:100] or None
        )
    return _answer(await services_of(request).files.uploads.append(cuid, upload, int(offset), raw(request)), None)


async def show(request: web.Request, *, cuid: Cuid, upload: str) -> web.Response:
    """How it stands."""
    files = services_of(request).files
    plain = next((one for one in files.running(cuid) if one.id == upload), None)
    if plain is not None:
        return json_response(_running(plain))
    return _answer(*await files.uploads.get(cuid, upload))


async def list_uploads(request: web.Request, *, cuid: Cuid) -> UploadsView:
    """All of them."""
    files = services_of(request).files
    kept = [_view(upload, None) for upload in await files.uploads.of(cuid)]
    return UploadsView(uploads=kept + [_running(transfer) for transfer in files.running(cuid)])


async def remove(request: web.Request, *, cuid: Cuid, upload: str) -> RemovedView:
    """Give it up."""
    note(request, upload=upload)
    await services_of(request).files.uploads.remove(cuid, upload)
    return RemovedView(cuid=cuid, path=upload)


def _answer(
    upload: Upload, transfer: Transfer | None, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    told = {OFFSET: str(upload.offset), "Upload-Length": str(upload.size), **(headers or {})}
    return json_response(_view(upload, transfer), status=status, headers=told)


def _view(upload: Upload, transfer: Transfer | None) -> UploadView:
    return UploadView(
        id=upload.id,
        cuid=upload.cuid,
        kind=upload.kind,
        path=upload.path,
        mode=upload.mode,
        state=upload.state,
        resumable=True,
        size=upload.size,
        offset=upload.offset,
        unpacked_bytes=transfer.unpacked if transfer else 0,
        unpacked_total=transfer.total if transfer else None,
        result=upload.result,
        created_at=moment(upload.created),
    )


def _running(transfer: Transfer) -> UploadView:
    return UploadView(
        id=transfer.id,
        cuid=transfer.cuid,
        kind=transfer.kind,
        path=transfer.path,
        mode=transfer.mode,
        state=transfer.state,
        resumable=False,
        size=transfer.size,
        offset=transfer.received,
        unpacked_bytes=transfer.unpacked,
        unpacked_total=transfer.total,
    )


_ONE = (ContainerNotFound, UploadNotFound)
_OFFSET_HEADER = {OFFSET: "Bytes that have arrived", "Upload-Length": "Bytes in all"}

UPLOAD_ROUTES = [
    Route(
        "POST",
        "/containers/{cuid}/uploads",
        create,
        "upload.create",
        "Begin an upload in parts",
        body=UploadBody,
        returns=UploadView,
        status=201,
        errors=(ContainerNotFound, PathOutsideMount, TooLarge, IoError, NoSpace, LimitReached),
        headers={"Location": "Path of the new upload", **_OFFSET_HEADER},
        description="For what may be interrupted. What has arrived is kept for a day, also when the server restarts.",
    ),
    Route(
        "GET",
        "/containers/{cuid}/uploads",
        list_uploads,
        "upload.list",
        "Its uploads and how far they are",
        returns=UploadsView,
        errors=(ContainerNotFound,),
    ),
    Route(
        "GET",
        "/containers/{cuid}/uploads/{upload}",
        show,
        "upload.show",
        "How far an upload is",
        returns=UploadView,
        errors=_ONE,
        headers=_OFFSET_HEADER,
    ),
    Route(
        "PATCH",
        "/containers/{cuid}/uploads/{upload}",
        append,
        "upload.append",
        "Send the next part of an upload",
        consumes=(PART_TYPE, "application/octet-stream"),
        body_optional=True,
        returns=UploadView,
        errors=(
            *_ONE,
            UploadConflict,
            BadZip,
            PathOutsideMount,
            PathExists,
            Conflict,
            TooLarge,
            IoError,
            NoSpace,
        ),
        reads=(RequestHeader(OFFSET, "Where the part begins", r"^\d{1,18}$", required=True),),
        headers=_OFFSET_HEADER,
        description="Where the upload stands, `GET` tells. The last part is answered when everything "
        "is in the container, `state` is `done` then.",
    ),
    Route(
        "DELETE",
        "/containers/{cuid}/uploads/{upload}",
        remove,
        "upload.remove",
        "Give an upload up",
        returns=RemovedView,
        errors=(*_ONE, UploadConflict),
    ),
]
