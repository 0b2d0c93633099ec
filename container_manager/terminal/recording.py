"""A session on disk, as asciicast v2: a header line, then one event a line, appended whole."""

import asyncio
import contextlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from container_manager.errors import RecordingNotFound
from container_manager.models import Cuid
from container_manager.terminal.audience import Kind
from container_manager.terminal.process import Size

log = logging.getLogger(__name__)

WAITING = 4 << 20
"""Bytes that may wait for a slow disk; what comes on top is missing in the recording, which says so."""

LARGEST = 64 << 20
"""Bytes of one recording; it ends there, the session does not."""

_HEADER = 4096
_SUFFIX = ".cast"


class Recording:
    """The witness that writes. Never slows its session: a thread writes, from a bounded queue."""

    def __init__(self, path: Path, header: dict[str, object], *, keys: bool) -> None:
        self.name = path.name
        self._path = path
        self._keys = keys
        self._started = time.monotonic()
        self._lines: list[bytes] = [orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)]
        self._waiting = 0
        self._size = 0
        self._gap = False
        self._stopped = False
        self._file = -1
        self._writing: asyncio.Task[None] | None = None
        self._flush()

    def saw(self, kind: Kind, text: str) -> None:
        """Write one event, soon."""
        if self._stopped or (kind == "i" and not self._keys):
            return
        if self._waiting > WAITING:
            self._gap = True
            return
        if self._gap:
            self._gap = False
            self._add("m", "the disk was too slow: output is missing here")
        self._add(kind, text)
        if self._size > LARGEST:
            self._add("m", f"the recording ends here: it has {LARGEST >> 20} MiB")
            self._stopped = True

    def _add(self, kind: str, text: str) -> None:
        moment = round(time.monotonic() - self._started, 6)
        line = orjson.dumps([moment, kind, text], option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(line)
        self._waiting += len(line)
        self._size += len(line)
        self._flush()

    def ended(self, code: int, reason: str | None) -> None:
        """Write how it ended; nothing follows."""
        if not self._stopped:
            self._add("m", f"exit {code}" + (f": {reason}" if reason else ""))
        self._stopped = True

    async def closed(self) -> None:
        """Wait until everything is written, and close the file."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _flush(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name=f"recording {self.name}")

    async def _write(self) -> None:
        while self._lines:
            batch = b"".join(self._lines)
            self._lines.clear()
            self._waiting = 0
            try:
                await asyncio.to_thread(self._append, batch)
            except OSError as error:
                log.warning("%s ends early: %s", self._path, error.strerror)
                self._stopped = True
                return

    def _append(self, batch: bytes) -> None:
        if self._file < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
        size = os.fstat(self._file).st_size
        if os.write(self._file, batch) != len(batch):
            # A full disk takes a part: a line is whole or absent.
            os.ftruncate(self._file, size)
            raise OSError(28, "No space left on device")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording on disk. `size` in bytes."""

    name: str
    sid: str
    cuid: Cuid
    user: str
    started_at: datetime
    changed_at: datetime
    size: int


class Recordings:
    """The recordings below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, sid: str, cuid: Cuid, user: str, size: Size, *, command: str, keys: bool) -> Recording:
        """Record a session. `keys` also records what is typed, passwords included."""
        header = {
            "version": 2,
            "width": size.cols,
            "height": size.rows,
            "timestamp": int(time.time()),
            "title": f"{command} in {cuid}",
            "env": {"TERM": "xterm-256color"},
            "container_manager": {"cuid": cuid, "sid": sid, "user": user, "keys": keys},
        }
        return Recording(self._folder / f"{sid}{_SUFFIX}", header, keys=keys)

    async def of(self, cuid: Cuid) -> list[Recorded]:
        """The recordings of `cuid`, newest first."""
        return await asyncio.to_thread(self._read, cuid)

    def _read(self, cuid: Cuid) -> list[Recorded]:
        found = (recorded for recorded in self._all() if recorded.cuid == cuid)
        return sorted(found, key=lambda recorded: recorded.started_at, reverse=True)

    def _all(self) -> Iterator[Recorded]:
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.glob(f"*{_SUFFIX}"):
                recorded = _header(path)
                if recorded is not None:
                    yield recorded

    async def open(self, cuid: Cuid, name: str) -> tuple[Recorded, int]:
        """A recording of `cuid` and a descriptor to read it from; the caller closes that. Raises RecordingNotFound."""
        return await asyncio.to_thread(self._open, cuid, name)

    def _open(self, cuid: Cuid, name: str) -> tuple[Recorded, int]:
        path = self._path(cuid, name)
        recorded = _header(path)
        if recorded is None or recorded.cuid != cuid:
            raise _missing(name)
        return recorded, os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    async def remove(self, cuid: Cuid, name: str) -> None:
        """Delete one. Raises RecordingNotFound."""
        await asyncio.to_thread(self._remove, cuid, name)

    def _remove(self, cuid: Cuid, name: str) -> None:
        path = self._path(cuid, name)
        recorded = _header(path)
        if recorded is None or recorded.cuid != cuid:
            raise _missing(name)
        path.unlink(missing_ok=True)

    def _path(self, cuid: Cuid, name: str) -> Path:
        sid = name.removesuffix(_SUFFIX)
        if not (sid.isascii() and sid.isalnum()) or len(sid) > 64:
            raise _missing(name)
        return self._folder / f"{sid}{_SUFFIX}"


def _missing(name: str) -> RecordingNotFound:
    return RecordingNotFound(f"No recording {name[:100]}", recording=name[:100])


def _header(path: Path) -> Recorded | None:
    """What the first line of a recording says; None when it is none of ours."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            header = orjson.loads(file.readline(_HEADER))
        ours = header["container_manager"]
        return Recorded(
            name=path.name,
            sid=str(ours["sid"]),
            cuid=Cuid(str(ours["cuid"])),
            user=str(ours["user"]),
            started_at=datetime.fromtimestamp(header["timestamp"], UTC),
            changed_at=datetime.fromtimestamp(status.st_mtime, UTC),
            size=status.st_size,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
