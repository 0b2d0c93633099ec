"""A container's files: archives in and out, single files, directories."""

import base64
import binascii
import contextlib
import os

from aiohttp import web

from container_manager.api.bodies import FORM_TYPE, ZIP_TYPES, file_of, raw, size_of
from container_manager.api.context import EXCHANGE, note, services_of
from container_manager.api.route import Media, RequestHeader, Route
from container_manager.api.schemas.files import (
    DirectoryBody,
    DirectoryQuery,
    DirectoryView,
    EntriesView,
    EntryView,
    FileQuery,
    FileView,
    ListFilesQuery,
    MoveBody,
    MovedView,
    RemovedView,
    RemoveQuery,
    UnpackedView,
    UploadZipQuery,
    moment,
)
from container_manager.api.sending import send_archive, send_file
from container_manager.api.uploads import UPLOAD_ROUTES
from container_manager.errors import (
    BadZip,
    Conflict,
    ContainerNotFound,
    FileChanged,
    FileNotFound,
    IoError,
    NoSpace,
    PathExists,
    PathOutsideMount,
    RangeNotSatisfiable,
    TooLarge,
    ValidationError,
)
from container_manager.models import Cuid
from container_manager.store.mount import Entry
from container_manager.store.paths import parse_path, printable, shown


async def upload_zip(request: web.Request, *, cuid: Cuid, query: UploadZipQuery) -> UnpackedView:
    """Unpack an archive."""
    note(request, path=query.path, mode=query.mode)
    unpacked = await services_of(request).files.upload_zip(
        cuid,
        query.path,
        file_of(request),
        mode=query.mode,
        size=size_of(request),
        transfer_id=request[EXCHANGE].request_id,
    )
    note(request, files=unpacked.files, bytes=unpacked.bytes)
    return UnpackedView(
        cuid=cuid,
        path=shown(parse_path(query.path)),
        mode=query.mode,
        files=unpacked.files,
        directories=unpacked.directories,
        bytes=unpacked.bytes,
        skipped=list(unpacked.skipped),
    )


async def download(request: web.Request, *, cuid: Cuid, query: FileQuery) -> web.StreamResponse:
    """Send one file."""
    note(request, path=query.path)
    file = await services_of(request).files.open(cuid, query.path)
    with contextlib.closing(file):
        return await send_file(request, file, parse_path(query.path)[-1])


async def download_zip(request: web.Request, *, cuid: Cuid, query: DirectoryQuery) -> web.StreamResponse:
    """Send a directory as a zip."""
    note(request, path=query.path)
    chunks = await services_of(request).files.archive(cuid, query.path)
    where = parse_path(query.path)
    return await send_archive(request, chunks, f"{where[-1] if where else cuid}.zip")


async def list_files(request: web.Request, *, cuid: Cuid, query: ListFilesQuery) -> EntriesView:
    """List a directory."""
    after = _decode_cursor(query.cursor) if query.cursor else ""
    entries, more = await services_of(request).files.entries(cuid, query.path, after=after, limit=query.limit)
    return EntriesView(
        cuid=cuid,
        path=shown(parse_path(query.path)),
        entries=[_view(entry) for entry in entries],
        next_cursor=_encode_cursor(entries[-1].name) if more and entries else None,
    )


async def write_file(request: web.Request, *, cuid: Cuid, query: FileQuery) -> FileView:
    """Write one file."""
    note(request, path=query.path)
    files = services_of(request).files
    entry, created = await files.write(
        cuid, query.path, raw(request), size=request.content_length, expected=_expected(request)
    )
    note(request, bytes=entry.size)
    with contextlib.closing(await files.open(cuid, query.path)) as file:
        tag = f'"{file.tag}"'
    return FileView(cuid=cuid, path=shown(parse_path(query.path)), size=entry.size, created=created, etag=tag)


async def remove_file(request: web.Request, *, cuid: Cuid, query: RemoveQuery) -> RemovedView:
    """Remove a file or directory."""
    note(request, path=query.path)
    await services_of(request).files.remove(cuid, query.path, recursive=query.recursive)
    return RemovedView(cuid=cuid, path=shown(parse_path(query.path)))


async def make_directory(request: web.Request, *, cuid: Cuid, body: DirectoryBody) -> DirectoryView:
    """Make a directory."""
    note(request, path=body.path)
    created = await services_of(request).files.make_directory(cuid, body.path)
    return DirectoryView(cuid=cuid, path=shown(parse_path(body.path)), created=created)


async def move(request: web.Request, *, cuid: Cuid, body: MoveBody) -> MovedView:
    """Move a file or directory."""
    note(request, path=body.from_, target=body.to)
    await services_of(request).files.move(cuid, body.from_, body.to, overwrite=body.overwrite)
    return MovedView(cuid=cuid, path=shown(parse_path(body.to)), moved_from=shown(parse_path(body.from_)))


def _view(entry: Entry) -> EntryView:
    return EntryView(
        name=printable(entry.name),
        type=entry.kind,
        size=entry.size,
        mode=f"{entry.mode:04o}",
        mtime=moment(entry.mtime / 1e9),
        target=None if entry.target is None else printable(entry.target),
    )


def _expected(request: web.Request) -> str | None:
    """What `If-Match` or `If-None-Match: *` ask of the file that is to be written."""
    if request.headers.get("If-None-Match", "").strip() == "*":
        return ""
    known = request.headers.get("If-Match")
    return None if known is None else known.strip().removeprefix("W/").strip('"')


def _encode_cursor(name: str) -> str:
    return base64.urlsafe_b64encode(os.fsencode(name)).decode()


def _decode_cursor(cursor: str) -> str:
    try:
        return os.fsdecode(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise ValidationError.field(
            "cursor", "Not a cursor of this list; pass next_cursor as it came, or none", cursor, "INVALID_CURSOR"
        ) from None


_READ = (ContainerNotFound, FileNotFound, PathOutsideMount, IoError)
_WRITE = (ContainerNotFound, PathOutsideMount, PathExists, Conflict, TooLarge, IoError, NoSpace)
_CONDITIONS = (
    RequestHeader("Range", "The part that is wanted, one range of bytes", r"^bytes=(\d{1,18}-\d{0,18}|-\d{1,18})$"),
    RequestHeader("If-Range", "An ETag: the whole file instead when it is another one by now"),
    RequestHeader("If-None-Match", "ETags that the client has already"),
    RequestHeader("If-Modified-Since", "When the client got it"),
)
_EXPECTATIONS = (
    RequestHeader("If-Match", "The ETag of what may be overwritten"),
    RequestHeader("If-None-Match", "`*`: nothing may be overwritten"),
)
_DOWNLOAD_HEADERS = {"Content-Disposition": "The file's name, in any script (`filename*`)"}

FILE_ROUTES = [
    Route(
        "POST",
        "/containers/{cuid}/upload-zip",
        upload_zip,
        "file.upload",
        "Unpack a zip archive into its /app",
        query=UploadZipQuery,
        consumes=(*ZIP_TYPES, FORM_TYPE),
        returns=UnpackedView,
        errors=(*_WRITE, BadZip),
        description="The archive is the body, or the field `file` of a form. All of it is moved in or, when anything "
        "is wrong with it, nothing: `details` of the error names the entry and the reason. Files belong to the "
        "container's user; execute bits are kept, links and special bits are not. While it runs, "
        "`GET …/uploads` shows its progress under its request id.",
    ),
    Route(
        "GET",
        "/containers/{cuid}/download",
        download,
        "file.download",
        "Download a file",
        query=FileQuery,
        returns=Media("application/octet-stream", "The file"),
        also={206: "The part that `Range` asked for", 304: "It is still what `If-None-Match` names"},
        errors=(*_READ, RangeNotSatisfiable),
        reads=_CONDITIONS,
        headers={"ETag": "Changes whenever the file does", "Accept-Ranges": "bytes", **_DOWNLOAD_HEADERS},
    ),
    Route(
        "GET",
        "/containers/{cuid}/download-zip",
        download_zip,
        "file.download_zip",
        "Download a directory as a zip archive",
        query=DirectoryQuery,
        returns=Media("application/zip", "The archive, made while it is sent"),
        errors=_READ,
        headers=_DOWNLOAD_HEADERS,
    ),
    Route(
        "GET",
        "/containers/{cuid}/files",
        list_files,
        "file.list",
        "List a directory",
        query=ListFilesQuery,
        returns=EntriesView,
        errors=_READ,
    ),
    Route(
        "PUT",
        "/containers/{cuid}/files",
        write_file,
        "file.write",
        "Write one file",
        query=FileQuery,
        consumes=("application/octet-stream", "*/*"),
        body_optional=True,
        returns=FileView,
        errors=(*_WRITE, FileNotFound, FileChanged),
        reads=_EXPECTATIONS,
        description="The body is the file's new content, at once; directories above it are made. `If-Match` with the "
        "file's ETag refuses to overwrite what somebody else has changed, `If-None-Match: *` to overwrite at all.",
    ),
    Route(
        "DELETE",
        "/containers/{cuid}/files",
        remove_file,
        "file.remove",
        "Remove a file or directory",
        query=RemoveQuery,
        returns=RemovedView,
        errors=(*_READ, Conflict),
    ),
    Route(
        "POST",
        "/containers/{cuid}/directories",
        make_directory,
        "file.make_directory",
        "Make a directory, and those above it",
        body=DirectoryBody,
        returns=DirectoryView,
        errors=_WRITE,
    ),
    Route(
        "POST",
        "/containers/{cuid}/move",
        move,
        "file.move",
        "Move or rename a file or directory",
        body=MoveBody,
        returns=MovedView,
        errors=(*_READ, PathExists, Conflict),
    ),
    *UPLOAD_ROUTES,
]
