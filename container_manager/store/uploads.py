"""Uploads that may stop and go on: each a directory in staging, which outlives the server."""

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from container_manager.errors import UploadNotFound
from container_manager.models import Cuid
from container_manager.store.atomic import fsync_directory, write_atomically
from container_manager.store.intake import Mode
from container_manager.store.tree import DIRECTORY, remove_tree

UploadKind = Literal["zip", "file"]
UploadState = Literal["receiving", "unpacking", "done", "failed"]

MAX_AGE = 24 * 3600.0
"""Seconds after its last part that an upload is kept."""

DATA = "data"
_META = "upload.json"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload is for and how it stands. `size` and `offset` are bytes, `created` seconds since 1970."""

    id: str
    cuid: Cuid
    kind: UploadKind
    path: str
    mode: Mode
    size: int | None
    created: float
    offset: int = 0
    state: UploadState = "receiving"
    result: dict[str, Any] | None = None
    """Of a finished one: the answer, or the error as the client gets it."""


class Uploads:
    """Every method blocks. An id that is no id is an unknown one: UploadNotFound."""

    def __init__(self, staging: Path) -> None:
        self._path = staging / "uploads"
        self._old: set[str] = set()

    def create(self, cuid: Cuid, kind: UploadKind, path: str, mode: Mode, size: int) -> Upload:
        """Begin an upload of `size` bytes, durably."""
        upload = Upload(secrets.token_hex(16), cuid, kind, path, mode, size, time.time())
        directory = self._path / upload.id
        directory.mkdir(mode=0o700, parents=True)
        (directory / DATA).touch(mode=0o600)
        self._write(upload)
        fsync_directory(self._path)
        return upload

    def get(self, cuid: Cuid, upload_id: str) -> Upload:
        """The upload with this id to `cuid`, its offset as it stands on the disk."""
        if _ID.fullmatch(upload_id):
            with contextlib.suppress(FileNotFoundError):
                upload = self._read(upload_id)
                if upload.cuid == cuid:
                    return upload
        raise UploadNotFound(f"No upload {upload_id[:64]}", upload=upload_id[:64])

    def of(self, cuid: Cuid) -> list[Upload]:
        """The uploads to `cuid`, oldest first."""
        return sorted((upload for upload in self._all() if upload.cuid == cuid), key=lambda upload: upload.created)

    @contextlib.contextmanager
    def opened(self, upload: Upload) -> Iterator[tuple[int, int]]:
        """Descriptors of its directory and of its data, cut to its offset."""
        directory = os.open(self._path / upload.id, DIRECTORY)
        try:
            data = os.open(DATA, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                yield directory, data
            finally:
                os.close(data)
        finally:
            os.close(directory)

    def finish(self, upload: Upload, state: UploadState, result: dict[str, Any]) -> Upload:
        """Keep how it ended, for a client that lost the answer; its data go."""
        finished = replace(upload, state=state, result=result)
        self._write(finished)
        (self._path / upload.id / DATA).unlink(missing_ok=True)
        return finished

    def remove(self, upload_id: str) -> None:
        """Forget an upload and its data."""
        root = os.open(self._path, DIRECTORY)
        try:
            remove_tree(root, upload_id)
        finally:
            os.close(root)

    def sweep(self, known: Collection[Cuid]) -> None:
        """Remove uploads that are old, broken, or of containers that are gone."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = time.time()
        old: set[str] = set()
        for name in os.listdir(self._path):
            try:
                upload = self._read(name)
                if now - max(file.stat().st_mtime for file in (self._path / name).iterdir()) > MAX_AGE:
                    old.add(name)
                # What is old was so at the last look too: a clock that was set a moment ago makes nothing old.
                keep = upload.cuid in known and not (name in old and name in self._old)
            except (OSError, ValueError, TypeError):
                keep = False
            if not keep:
                self.remove(name)
        self._old = old

    def _all(self) -> Iterator[Upload]:
        for name in os.listdir(self._path) if self._path.is_dir() else ():
            with contextlib.suppress(OSError, ValueError, TypeError):
                yield self._read(name)

    def _read(self, upload_id: str) -> Upload:
        directory = self._path / upload_id
        upload = Upload(**json.loads((directory / _META).read_bytes()))
        if upload.state in ("done", "failed"):
            return replace(upload, offset=upload.size or 0)
        return replace(upload, offset=(directory / DATA).stat().st_size)

    def _write(self, upload: Upload) -> None:
        write_atomically(self._path / upload.id / _META, json.dumps(asdict(upload)).encode())
