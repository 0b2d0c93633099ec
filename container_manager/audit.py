"""The only writer of `logs/actions.jsonl`: one JSON object a line, appended whole.

A thread of its own writes, so that a slow disk holds up no request. The queue between them is bounded:
when the disk fails for long, `failing` says so, lines are lost, and their number is written once it is back.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import orjson

from container_manager.models import Actor, Layout

log = logging.getLogger(__name__)

MAX_BYTES = 16 << 20
"""Size at which the file is put aside."""
KEEP = 9
"""Files put aside: `actions.jsonl.1` is the newest."""
CAPACITY = 10_000
"""Lines that may wait for the disk."""
_RETRY = 1.0
_BATCH = 256
_GATHER = 0.01
"""Seconds that a line may wait for others: one write for many requests, and the thread seldom wants the interpreter."""


def line(
    *,
    action: str,
    actor: Actor,
    request_id: str | None = None,
    method: str | None = None,
    path: str | None = None,
    cuid: str | None = None,
    status: int | None = None,
    seconds: float | None = None,
    error: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An entry with every field that a line has. `error` is {error, code, message}."""
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request_id": request_id,
        "action": action,
        "actor": actor.user or None,
        "remote": actor.remote or None,
        "method": method,
        "path": path,
        "cuid": cuid,
        "status": status,
        "duration_ms": None if seconds is None else round(seconds * 1000, 3),
        "error": error,
        "details": details or {},
    }


class Audit:
    """The audit log below `layout.logs`."""

    def __init__(
        self, layout: Layout, *, max_bytes: int = MAX_BYTES, keep: int = KEEP, capacity: int = CAPACITY
    ) -> None:
        self.path = layout.logs / "actions.jsonl"
        self._max_bytes = max_bytes
        self._keep = keep
        self._capacity = capacity
        self._queue: deque[bytes] = deque()
        self._lost = 0
        self._problem: str | None = None
        self._closing = False
        self._idle = True
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._file: int | None = None

    @property
    def failing(self) -> str | None:
        """What keeps lines from being written; None while all is well."""
        return self._problem

    async def start(self) -> None:
        """Mend what a crash left behind and begin to write. A disk that refuses is told by `failing`."""
        try:
            await asyncio.to_thread(self._opened)
        except OSError as error:
            self._fail(error)
        self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
        self._thread.start()

    async def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        await asyncio.to_thread(self._wait_idle)

    async def close(self, seconds: float = 5.0) -> None:
        """Write what waits, for at most `seconds`, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, seconds)

    def record(self, entry: dict[str, Any]) -> None:
        """Append `entry` as one line, soon. Never raises and never waits."""
        text = _encoded(entry)
        with self._changed:
            if len(self._queue) >= self._capacity:
                self._lost += 1
                return
            self._queue.append(text)
            self._idle = False
            self._changed.notify_all()

    def _wait_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._idle)

    # --- the writer's thread ----------------------------------------------------------------------

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            while batch:
                try:
                    self._append(batch)
                    self._problem = None
                    self._tell_lost()
                except OSError as error:
                    if not self._pause(error):
                        break
        self._shut()

    def _next(self) -> deque[bytes] | None:
        """Lines to write; None when it is time to end."""
        with self._changed:
            if not self._queue:
                self._idle = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue or self._closing)
            if not self._queue:
                return None
        if not self._closing:
            time.sleep(_GATHER)
        with self._changed:
            return deque(self._queue.popleft() for _ in range(min(_BATCH, len(self._queue))))

    def _pause(self, error: OSError) -> bool:
        """Wait before another try; False when there is no time for one."""
        self._fail(error)
        self._shut()
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing, _RETRY)

    def _tell_lost(self) -> None:
        """The disk is back: the log itself tells of its hole."""
        with self._changed:
            lost, self._lost = self._lost, 0
            if lost:
                self._queue.append(_encoded(line(action="audit.lost", actor=Actor("", ""), details={"lines": lost})))

    def _fail(self, error: OSError) -> None:
        if self._problem is None:
            log.error("%s cannot be written: %s", self.path, error.strerror)
        self._problem = f"{self.path.name} cannot be written: {error.strerror}"

    def _append(self, batch: deque[bytes]) -> None:
        """Write the first lines of `batch`, as many as the file may still hold, and take them off it."""
        file = self._opened()
        size = os.fstat(file).st_size
        if size and size + len(batch[0]) > self._max_bytes:
            self._rotate()
            file, size = self._opened(), 0
        sizes = accumulate((len(text) for text in batch), initial=size)
        fitting = sum(1 for end in islice(sizes, 1, None) if end <= self._max_bytes) or 1
        text = b"".join(islice(batch, fitting))
        written = os.write(file, text)
        # A full disk takes a part: a line is whole or absent.
        whole = text.rfind(b"\n", 0, written) + 1
        for _ in range(text.count(b"\n", 0, whole)):
            batch.popleft()
        if written != len(text):
            os.ftruncate(file, size + whole)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _opened(self) -> int:
        """The descriptor of the file that has the name now: others may have moved it away."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                ours, named = os.fstat(self._file), os.stat(self.path, follow_symlinks=False)
                if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino):
                    return self._file
            self._shut()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(self.path, flags, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(22, "It is not a regular file")
            mend(file)
        except OSError:
            os.close(file)
            raise
        self._file = file
        return file

    def _rotate(self) -> None:
        self._shut()
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self._aside(number), self._aside(number + 1))
        os.replace(self.path, self._aside(1))

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _shut(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def mend(file: int) -> None:
    """Complete or cut a last line that a crash left without its end."""
    size = os.fstat(file).st_size
    keep = size
    tail = b""
    while keep and b"\n" not in tail:
        step = min(64 << 10, keep)
        keep -= step
        tail = os.pread(file, step, keep) + tail
    last = tail[tail.rfind(b"\n") + 1 :]
    if not last:
        return
    try:
        orjson.loads(last)
    except orjson.JSONDecodeError:
        os.ftruncate(file, size - len(last))
    else:
        os.write(file, b"\n")


def _encoded(entry: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Text that is no UTF-8 and numbers over 64 bits: json writes both, escaped.
        return json.dumps(entry, default=str).encode("ascii") + b"\n"
