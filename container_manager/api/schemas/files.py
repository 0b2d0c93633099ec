"""Bodies, queries and answers of a container's files and uploads."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from container_manager.api.schemas.base import WHOLE, Answer, Body, Query
from container_manager.models import Cuid

Mode = Literal["merge", "replace"]

_PATH = "Relative to the container's /app; `/app/…` means the same"


class DirectoryQuery(Query):
    """Which directory."""

    path: str = Field("", description=f"{_PATH}. Default: /app itself", examples=["data"])


class FileQuery(Query):
    """Which file."""

    path: str = Field(description=_PATH, examples=["data/config.json"])


class ListFilesQuery(DirectoryQuery):
    """Which directory, and how much of it."""

    limit: int = Field(10_000, ge=1, le=10_000, description="Most entries in one answer")
    cursor: str | None = Field(None, description="`next_cursor` of the answer before")


class RemoveQuery(FileQuery):
    """What to remove."""

    recursive: bool = Field(False, description="Also a directory that is not empty")


class UploadZipQuery(DirectoryQuery):
    """Where an archive goes, and what happens to the files there."""

    mode: Mode = Field("merge", description="merge keeps what the archive does not name, replace removes it")


class DirectoryBody(Body):
    """A directory to make, and those above it."""

    path: str = Field(examples=["data/2026"], description=_PATH)


class MoveBody(Body):
    """A new name or place for a file or directory."""

    from_: str = Field(alias="from", examples=["draft.txt"], description=_PATH)
    to: str = Field(examples=["final.txt"], description=_PATH)
    overwrite: bool = Field(False, description="Replace a file, or an empty directory, that is there")


class UploadBody(Body):
    """An upload to begin, to be sent in as many parts as it takes."""

    size: Annotated[int, Field(ge=0, le=1 << 50, description="Bytes in all", examples=[1048576]), WHOLE]
    kind: Literal["zip", "file"] = Field("zip", description="zip: an archive to unpack. file: one file, kept as it is")
    path: str = Field("", description=f"{_PATH}: the directory to unpack in, or the file to write")
    mode: Mode = Field("merge", description="For an archive: what happens to the files there")


class EntryView(Answer):
    """One name in a directory."""

    name: str
    type: Literal["file", "directory", "link", "other"]
    size: int = Field(description="Bytes")
    mode: str = Field(description="Permissions, octal", examples=["0644"])
    mtime: datetime = Field(description="When it was last changed")
    target: str | None = Field(None, description="What a link says")


class EntriesView(Answer):
    """A directory, by name."""

    cuid: Cuid
    path: str
    entries: list[EntryView]
    next_cursor: str | None


class FileView(Answer):
    """A file that was written."""

    cuid: Cuid
    path: str
    size: int
    created: bool = Field(description="Whether there was none before")
    etag: str = Field(description="As `GET …/download` gives it; `If-Match` takes it")


class RemovedView(Answer):
    """A file or directory that is gone."""

    cuid: Cuid
    path: str
    deleted: Literal[True] = True


class DirectoryView(Answer):
    """A directory that is there now."""

    cuid: Cuid
    path: str
    created: bool


class MovedView(Answer):
    """A file or directory under its new name."""

    cuid: Cuid
    path: str
    moved_from: str


class UnpackedView(Answer):
    """An archive that is in the mount now."""

    cuid: Cuid
    path: str
    mode: Mode
    files: int
    directories: int
    bytes: int = Field(description="Of all files, unpacked")
    skipped: list[str] = Field(description="Links of the archive: they are not kept")


class UploadView(Answer):
    """How an upload stands."""

    id: str
    cuid: Cuid
    kind: Literal["zip", "file"]
    path: str
    mode: Mode
    state: Literal["receiving", "unpacking", "done", "failed"]
    resumable: bool = Field(description="false: a plain upload-zip that is under way, shown for its progress")
    size: int | None = Field(description="Bytes in all; null while that is unknown")
    offset: int = Field(description="Bytes that have arrived: the next part begins here")
    unpacked_bytes: int = Field(0, description="Bytes unpacked so far")
    unpacked_total: int | None = Field(None, description="Bytes that it will be unpacked; null before it is known")
    result: dict[str, Any] | None = Field(None, description="When done what it came to, when failed the error")
    created_at: datetime | None = None


class UploadsView(Answer):
    """The uploads to a container: resumable ones, and plain ones that are under way."""

    uploads: list[UploadView]


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a date that JSON can hold, whatever a file system says."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), 253_402_300_799.0), UTC)
