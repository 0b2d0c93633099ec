"""Terminal sessions: opened, attached to, ended, each with its two lines in the audit log."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from container_manager.audit import Audit, line
from container_manager.engine.engine import Engine
from container_manager.engine.states import Change
from container_manager.errors import NotRunning, RoleRefused, ValidationError
from container_manager.models import Actor, Cuid, Layout
from container_manager.services.remains import Remains
from container_manager.services.session_plans import Opening, SessionCommands, why
from container_manager.services.tickets import Grant, Tickets
from container_manager.settings import Settings
from container_manager.store.registry import Registry
from container_manager.terminal.process import Size
from container_manager.terminal.recording import Recording, Recordings
from container_manager.terminal.session import Plan, Session, may
from container_manager.terminal.table import SessionTable
from container_manager.terminal.viewer import GOING_AWAY, Role
from container_manager.terminal.watch import Watch

log = logging.getLogger(__name__)

_ENDS_ITSELF = 3.0
"""Seconds in which a session's process notices by itself that its container has stopped."""

_BEFORE_START = timedelta(seconds=1)
"""The engine takes down when a container has started only after that: its first lines may be a little older."""

_CLOCK_WAS_SET = timedelta(minutes=1)
"""A start that lies further in the future tells nothing: lines that came since are older by the clock."""

_SHUTDOWN = 8.0


@dataclass(slots=True)
class _Live:
    """A session with what only this service knows of it."""

    session: Session
    commands: SessionCommands
    actor: Actor
    request_id: str | None
    recording: Recording | None
    began: float


class Terminals:
    """The live sessions of all containers."""

    def __init__(self, settings: Settings, layout: Layout, engine: Engine, registry: Registry, audit: Audit) -> None:
        self._settings = settings
        self._engine = engine
        self._registry = registry
        self._audit = audit
        self._folder = layout.logs / "sessions"
        self.recordings = Recordings(self._folder)
        self.tickets = Tickets()
        self._remains = Remains(engine, self._folder / "open")
        self._table = SessionTable(settings.max_sessions)
        self._live: dict[str, _Live] = {}
        self._ended_at: dict[Cuid, datetime] = {}
        self._following: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._closed = False
        self._typed = self._shown = 0

    # --- the service's own life -----------------------------------------------------------

    async def start(self) -> None:
        """Make the folder, end what a killed server has left, follow the containers' states."""
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        await self._remains.start()
        self._following = asyncio.create_task(self._follow(), name="terminals follow states")

    def shut_down(self) -> None:
        """Close every connection with 1001 and end every session; quick, before the server stops listening."""
        self._closed = True
        for session in self._table:
            for viewer in tuple(session.audience.viewers):
                viewer.finish(GOING_AWAY, "the server shuts down")
            session.end("the server shuts down")

    async def close(self) -> None:
        """End everything that sessions have started."""
        self.shut_down()
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self._endings:
            await asyncio.wait(self._endings, timeout=_SHUTDOWN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN):
                await self._remains.close()

    # --- sessions -------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._table)

    @property
    def viewers(self) -> int:
        """Connections to live sessions."""
        return sum(len(session.audience.viewers) for session in self._table)

    @property
    def typed(self) -> int:
        """Bytes of input that sessions have had since the server started."""
        return self._typed + sum(session.typed for session in self._table)

    @property
    def shown(self) -> int:
        """Bytes of output that sessions have had since the server started."""
        return self._shown + sum(session.shown for session in self._table)

    def of(self, cuid: Cuid) -> tuple[Session, ...]:
        """The sessions of `cuid`, oldest first. Raises ContainerNotFound."""
        self._registry.get(cuid)
        return self._table.of(cuid)

    def get(self, cuid: Cuid, sid: str) -> Session:
        """One session. Raises ContainerNotFound, SessionNotFound."""
        self._registry.get(cuid)
        return self._table.get(cuid, sid)

    def recorded_as(self, session: Session) -> str | None:
        """The name of its recording."""
        live = self._live.get(session.plan.sid)
        return live.recording.name if live is not None and live.recording is not None else None

    def joinable(self, cuid: Cuid, sid: str, role: Role, grant: Grant | None) -> Session:
        """The session to attach to. Raises ContainerNotFound, SessionNotFound, RoleRefused, LimitReached."""
        session = self.get(cuid, sid)
        if grant is not None and (not may(grant.role, role) or grant.session not in (None, sid)):
            raise RoleRefused("The ticket is for another role or session", role=grant.role)
        session.check_room()
        return session

    def require(self, cuid: Cuid, opening: Opening, grant: Grant | None = None) -> None:
        """Whether a session can be opened: ContainerNotFound, NotRunning, LimitReached, RoleRefused."""
        self._registry.get(cuid)
        if grant is not None and (grant.role != "owner" or grant.session is not None):
            raise RoleRefused("The ticket is for a session that is there", role=grant.role)
        state = self._engine.states.get(cuid)
        status = "created" if state is None else state.status
        watching = opening.decided in ("auto", "logs")
        if self._closed or not (status == "running" or (watching and status == "paused")):
            advice = "unpause it first" if status == "paused" else "start it first"
            raise NotRunning(f"{cuid} is {status}: {advice}", status=status)
        self._table.make_room(cuid)

    async def open(self, cuid: Cuid, opening: Opening, actor: Actor, request_id: str | None = None) -> Session:
        """Open and start a session. Raises what `require` does."""
        self.require(cuid, opening)
        sid, mode = uuid.uuid4().hex, opening.decided
        commands = SessionCommands(self._engine, self._settings, cuid, self._remains.mark(sid), opening)
        watches = mode in ("auto", "logs")
        session = Session(
            Plan(
                sid=sid,
                cuid=cuid,
                mode=mode,
                size=opening.size or Size(),
                user=actor.user,
                process=commands.process if mode != "logs" else None,
                preface=partial(commands.logs, self._since(cuid)) if watches else None,
                signal=commands.signal,
                explain=commands.explain,
                explain_preface=commands.explain_app,
                ended=self._ended,
                grace=0 if watches and not opening.resumable else self._settings.session_grace,
                resumable=opening.resumable,
                tty=opening.tty,
                most_viewers=self._settings.max_viewers,
                scrollback=self._settings.scrollback_bytes,
            )
        )
        live = _Live(session, commands, actor, request_id, None, time.monotonic())
        self._table.add(session)
        self._live[sid] = live
        try:
            await self._remains.expect(cuid)
        except BaseException:
            session.end("it could not be started")
            raise
        if self._settings.record_sessions if opening.record is None else opening.record:
            live.recording = self.recordings.begin(
                sid, cuid, actor.user, session.size, command=opening.command or mode, keys=opening.record_input
            )
            session.audience.witnesses.add(live.recording)
        self._tell("opened", live, mode=mode)
        session.start()
        return session

    def announce(self, cuid: Cuid, text: str) -> None:
        """Show a line to everybody who looks at a terminal of `cuid`."""
        for session in self._table.of(cuid):
            session.announce(text)

    def used_at(self, cuid: Cuid) -> float:
        """When a frame last came to a terminal of `cuid`, in monotonic seconds; 0 for never."""
        return max((session.used_at for session in self._table.of(cuid)), default=0.0)

    def end(self, cuid: Cuid, sid: str) -> None:
        """End a session. Raises ContainerNotFound, SessionNotFound."""
        self.get(cuid, sid).end("it was ended by request")

    @contextlib.contextmanager
    def watch(self, session: Session) -> Iterator[Watch]:
        """Everything that happens in a session from now on."""
        watch = Watch()
        session.audience.witnesses.add(watch)
        try:
            yield watch
        finally:
            session.audience.witnesses.discard(watch)

    # --- tickets --------------------------------------------------------------------------

    def issue_ticket(self, cuid: Cuid, role: Role, session: str | None, user: str) -> str:
        """A ticket for one connection. Raises ContainerNotFound, SessionNotFound, ValidationError."""
        self._registry.get(cuid)
        if session is not None:
            self._table.get(cuid, session)
        elif role != "owner":
            raise ValidationError.field("role", "Without a session there is nobody to help or observe", role)
        return self.tickets.issue(cuid, role, session, user)

    # --- ends -----------------------------------------------------------------------------

    def _ended(self, session: Session, code: int, reason: str | None) -> None:
        live = self._live.pop(session.plan.sid)
        self._table.discard(session)
        self._typed += session.typed
        self._shown += session.shown
        self._tell("closed", live, exit_code=code, reason=reason, seconds=round(time.monotonic() - live.began, 3))
        self._own(self._clear(live))

    async def _clear(self, live: _Live) -> None:
        session, cuid = live.session, live.session.plan.cuid
        if live.recording is not None:
            await live.recording.closed()
        await session.closed()
        # At shutdown all that this run has left in a container is ended at once.
        if session.prefacing or self._closed:
            return
        ended = await self._remains.end(cuid, session.plan.sid, age=time.monotonic() - live.began)
        if ended and not self._table.of(cuid):
            await self._remains.forget(cuid)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _follow(self) -> None:
        with self._engine.states.subscribe() as changes:
            missed = 0
            async for change in changes:
                if changes.missed != missed:
                    missed = changes.missed
                    for session in self._table:
                        cuid = session.plan.cuid
                        self._changed(Change(cuid, self._engine.states.get(cuid)))
                self._changed(change)

    def _changed(self, change: Change) -> None:
        if change.state is None:
            self._ended_at.pop(change.cuid, None)
        elif change.state.finished_at is not None:
            self._ended_at[change.cuid] = change.state.finished_at
        for session in self._table.of(change.cuid):
            if self._live[session.plan.sid].commands.has_ended(change.state):
                # Its process has the exit code, if it notices.
                asyncio.get_running_loop().call_later(_ENDS_ITSELF, session.end, why(change.state))

    def _since(self, cuid: Cuid) -> datetime | None:
        """From when on the log belongs to the present run of the container; None: all of it."""
        state = self._engine.states.get(cuid)
        if state is None or state.started_at is None:
            return None
        if state.started_at > datetime.now(UTC) + _CLOCK_WAS_SET:
            return None
        since = state.started_at - _BEFORE_START
        ended_at = self._ended_at.get(cuid)
        return since if ended_at is None else max(since, ended_at + timedelta(microseconds=1))

    def _tell(self, what: str, live: _Live, **details: Any) -> None:
        plan = live.session.plan
        if live.recording is not None:
            details["recording"] = live.recording.name
        self._audit.record(
            line(
                action=f"session.{what}",
                actor=live.actor,
                request_id=live.request_id,
                cuid=plan.cuid,
                details={"session": plan.sid, **details},
            )
        )
