"""A terminal session: one process and all who look at it. Knows no HTTP, and waits for no viewer."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from container_manager.errors import LimitReached, RoleRefused, StateError, ValidationError
from container_manager.models import Cuid
from container_manager.terminal import frames
from container_manager.terminal.audience import Audience
from container_manager.terminal.process import Process, Size
from container_manager.terminal.viewer import NORMAL, Role, Viewer

log = logging.getLogger(__name__)

Mode = Literal["auto", "shell", "logs", "command"]

HANGUP = 128 + signal.SIGHUP
"""The exit code of a session that was ended from outside."""

UNSEEN_FOR = 10.0
"""Seconds that a session which cannot be come back to waits for its first viewer."""

_KEYS = {"INT": b"\x03", "QUIT": b"\x1c", "TSTP": b"\x1a"}
"""Signals that a terminal sends when these are typed: whatever runs in its foreground gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a session is made of, decided before it starts."""

    sid: str
    cuid: Cuid
    mode: Mode
    size: Size
    user: str
    """Who opened it."""
    process: Callable[[Size], Process] | None = None
    """The process that takes input; None: there is nothing but the preface."""
    preface: Callable[[], Process] | None = None
    """What is shown until the first input."""
    signal: Callable[[str], Awaitable[None]]
    """Signals the foreground process group. Raises AppError."""
    explain: Callable[[int], Awaitable[tuple[int, str | None]]]
    """The code to tell for a process that ended with this one, and why it ended, if not by itself."""
    explain_preface: Callable[[int], Awaitable[tuple[int, str | None]]]
    """The same for the preface."""
    ended: Callable[["Session", int, str | None], None]
    """Called once, when it is over."""
    grace: float = 0.0
    """Seconds that it outlives its last viewer."""
    resumable: bool = False
    """Whether it also outlives a viewer that leaves in good order."""
    tty: bool = True
    most_viewers: int = 64
    scrollback: int = 256 << 10
    """Bytes kept for a viewer that comes later."""


class Session:
    """One process with its viewers, from `start` to `plan.ended`."""

    def __init__(self, plan: Plan) -> None:
        make = plan.preface or (plan.process and (lambda: plan.process(plan.size)))
        if make is None:
            raise ValueError("a session needs a process")
        self.plan = plan
        self.size = plan.size
        self.created_at = datetime.now(UTC)
        self.used_at = time.monotonic()
        self.over = False
        self.typed = self.shown = 0
        """Bytes of input and of output until now."""
        self.audience = Audience(
            plan.scrollback, pause=lambda: self._process.pause(), resume=lambda: self._process.resume()
        )
        self._process: Process = make()
        self._prefacing = plan.preface is not None
        self._running: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._unattended: asyncio.TimerHandle | None = None

    # --- its life -------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process. The session ends by itself when no viewer comes."""
        self._running = asyncio.create_task(self._run(self._process), name=f"session {self.plan.sid}")
        self._expect_viewers(max(self.plan.grace, UNSEEN_FOR))

    async def _run(self, process: Process) -> None:
        code, reason = 1, None
        try:
            await process.start(partial(self._hear, process))
            if self.audience.paused:
                process.pause()
            explain = self.plan.explain_preface if self._prefacing else self.plan.explain
            code, reason = await explain(await process.wait())
        except OSError as error:
            code, reason = 127, f"it could not be started: {error.strerror or error}"
        except Exception:
            log.exception("session %s failed", self.plan.sid)
            reason = "the server failed to run it"
        self._finish(code, reason)

    def announce(self, text: str) -> None:
        """Show a line of the server's own to everybody; not where a program reads the output."""
        if self.plan.tty and not self.over:
            self.audience.show("stdout", f"\r\n[container-manager] {text}\r\n".encode())

    def end(self, reason: str, closer: Viewer | None = None) -> None:
        """End it from outside. `closer` is closed at once, the others get an `exit` with the reason."""
        if closer is not None:
            closer.finish(NORMAL, "closed")
        self._finish(HANGUP, reason)

    def _finish(self, code: int, reason: str | None) -> None:
        if self.over:
            return
        self.over = True
        if self._unattended is not None:
            self._unattended.cancel()
        self.audience.dismiss(code, reason)
        self._retire(self._process, self._running)
        self.plan.ended(self, code, reason)

    def _retire(self, process: Process, running: "asyncio.Task[None] | None") -> None:
        async def close() -> None:
            if running is not None and running is not caller:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            await process.close()

        caller = asyncio.current_task()
        closing = asyncio.create_task(close(), name=f"closing session {self.plan.sid}")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def closed(self) -> None:
        """Wait until every process of it on this machine is gone and every descriptor closed."""
        while self._closing:
            await asyncio.wait(self._closing)

    # --- its viewers ----------------------------------------------------------------------

    @property
    def prefacing(self) -> bool:
        """Nobody has typed yet in mode auto: nothing runs in the container for it."""
        return self._prefacing

    @property
    def attended(self) -> bool:
        """Somebody looks at it."""
        return bool(self.audience.viewers)

    def attach(self, viewer: Viewer) -> None:
        """Let `viewer` look, and type if its role may. Raises LimitReached."""
        self.check_room()
        if self._unattended is not None:
            self._unattended.cancel()
            self._unattended = None
        self.audience.join(viewer)
        if viewer.joined:
            viewer.offer(frames.sized(self.size))
        self._fit()

    def check_room(self) -> None:
        """Raises LimitReached when there are as many viewers as there may be."""
        if len(self.audience.viewers) >= self.plan.most_viewers:
            raise LimitReached(
                f"This session has {self.plan.most_viewers} viewers, as many as MAX_VIEWERS allows",
                limit=self.plan.most_viewers,
                setting="MAX_VIEWERS",
            )

    def leave(self, viewer: Viewer, *, lost: bool) -> None:
        """`viewer` is gone: its connection was lost, or it left in good order."""
        self.audience.part(viewer)
        if self.over:
            return
        self._fit()
        if self.attended:
            return
        if (lost or self.plan.resumable) and self.plan.grace > 0:
            self._expect_viewers(self.plan.grace)
        else:
            self.end("nobody was left")

    def _expect_viewers(self, seconds: float) -> None:
        self._unattended = asyncio.get_running_loop().call_later(seconds, self.end, f"nobody came within {seconds:g} s")

    def _fit(self) -> None:
        size = self.audience.size
        if size is not None and size != self.size:
            self.size = size
            self._process.resize(size)
            for viewer in self.audience.viewers:
                if viewer.joined:
                    viewer.offer(frames.sized(size))
            self.audience.witness("r", f"{size.cols}x{size.rows}")

    # --- what they do ---------------------------------------------------------------------

    def type(self, viewer: Viewer, data: bytes, *, eof: bool = False) -> bool:
        """Input from `viewer`; `eof` ends the input after it. False when no more should follow before `drain` returns.

        Raises RoleRefused, StateError.
        """
        make = self._admit(viewer, "type")
        if self._prefacing:
            self._go_over_to(make(self.size))
        self.typed += len(data)
        roomy = not data or self._process.write(data)
        if data and self.audience.witnesses:
            self.audience.witness("i", data.decode(errors="replace"))
        if eof:
            self._process.end_input()
        return roomy

    async def drain(self) -> None:
        """Wait while the process takes no input."""
        await self._process.drain()

    def _go_over_to(self, process: Process) -> None:
        """The first input: from now on `process` is shown, and nothing else."""
        self._retire(self._process, self._running)
        self.audience.forget()
        self._prefacing = False
        self._process = process
        self._running = asyncio.create_task(self._run(self._process), name=f"session {self.plan.sid}")

    def _hear(self, process: Process, stream: Literal["stdout", "stderr"], data: bytes) -> None:
        if process is self._process and not self.over:
            self.shown += len(data)
            self.audience.show(stream, data)

    def resize(self, viewer: Viewer, size: Size) -> None:
        """The window of `viewer` has a new size; the terminal follows the smallest that types."""
        viewer.size = size
        self.used_at = time.monotonic()
        self._fit()

    async def signal(self, viewer: Viewer, name: str) -> None:
        """Signal what runs in the foreground. Raises RoleRefused, StateError, ValidationError."""
        self._admit(viewer, "send signals")
        plain = name.upper().removeprefix("SIG")
        if f"SIG{plain}" not in signal.Signals.__members__:
            raise ValidationError.field("name", f"{name} is no signal", provided=name, code="UNKNOWN_SIGNAL")
        if self._prefacing:
            raise StateError("No process was started here yet: the first input starts a shell", code="NO_PROCESS")
        if self.plan.tty and plain in _KEYS:
            # As a terminal does: what was typed but not read yet is forgotten.
            self._process.discard_input()
            self._process.write(_KEYS[plain])
        else:
            await self.plan.signal(plain)

    def close(self, viewer: Viewer) -> None:
        """An owner ends the session; anybody else leaves it."""
        if viewer.role == "owner":
            self.end("its owner closed it", closer=viewer)
        else:
            viewer.finish(NORMAL, "left")

    def _admit(self, viewer: Viewer, what: str) -> Callable[[Size], Process]:
        if not viewer.types:
            raise RoleRefused(f"An {viewer.role} may not {what}", role=viewer.role)
        if self.plan.process is None:
            raise StateError("This shows output alone: it takes no input", code="READ_ONLY")
        self.used_at = time.monotonic()
        return self.plan.process


def may(role: Role, wanted: Role) -> bool:
    """Whether who was given `role` may come as `wanted`."""
    order: tuple[Role, ...] = ("observer", "helper", "owner")
    return order.index(wanted) <= order.index(role)
