"""Terminal sessions, their recordings, and tickets: queries, bodies, answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from container_manager.api.schemas.base import WHOLE, Answer, Body, Query
from container_manager.services.session_plans import Opening
from container_manager.terminal.process import MAX_COLS, MAX_ROWS, Size
from container_manager.terminal.session import Mode
from container_manager.terminal.viewer import Role

Cols = Annotated[int, Field(ge=1, le=MAX_COLS, description="Width in characters"), WHOLE]
Rows = Annotated[int, Field(ge=1, le=MAX_ROWS, description="Height in characters"), WHOLE]
Command = Annotated[str, Field(min_length=1, max_length=32_768, description="One command, run by `sh -c`")]
SessionId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="A session's `sid`")]

_STANDARD = Size()


def _size(cols: int | None, rows: int | None) -> Size | None:
    if cols is None and rows is None:
        return None
    return Size(cols or _STANDARD.cols, rows or _STANDARD.rows)


class ConnectQuery(Query):
    """Which process a connection talks to, and as whom."""

    mode: Annotated[Literal["auto", "shell", "logs"], Field(description="What a new session runs")] = "auto"
    cols: Cols | None = None
    rows: Rows | None = None
    cmd: Command | None = None
    tty: Annotated[bool, Field(description="With `cmd`: on a terminal, or with stdout and stderr told apart")] = True
    record: Annotated[bool | None, Field(description="Record the new session; RECORD_SESSIONS by default")] = None
    session: SessionId | None = None
    role: Annotated[Role | None, Field(description="With `session`: owner types and ends, helper types")] = None

    @property
    def size(self) -> Size | None:
        """The client's window."""
        return _size(self.cols, self.rows)

    def opening(self) -> Opening:
        """The new session that is asked for."""
        return Opening(mode=self.mode, size=self.size, command=self.cmd or "", tty=self.tty, record=self.record)


class OpenSession(Body):
    """A session that outlives its connections."""

    mode: Annotated[Literal["shell", "logs"], Field(description="What it runs, unless there is a `command`")] = "shell"
    cols: Cols = _STANDARD.cols
    rows: Rows = _STANDARD.rows
    command: Command | None = None
    tty: Annotated[bool, Field(description="On a terminal, or with stdout and stderr told apart")] = True
    record: Annotated[bool | None, Field(description="RECORD_SESSIONS by default")] = None
    record_input: Annotated[bool, Field(description="Also record what is typed, passwords included")] = False

    def opening(self) -> Opening:
        """The session that is asked for."""
        return Opening(
            mode=self.mode,
            size=Size(self.cols, self.rows),
            command=self.command or "",
            tty=self.tty,
            record=self.record,
            record_input=self.record_input,
            resumable=True,
        )


class SessionView(Answer):
    """A live session."""

    sid: str
    cuid: str
    mode: Mode
    user: str
    created_at: datetime
    cols: int
    rows: int
    viewers: Annotated[dict[Role, int], Field(description="Connections by role")]
    recording: Annotated[str | None, Field(description="The name of its recording")]


class SessionsView(Answer):
    """The live sessions of a container, oldest first."""

    sessions: list[SessionView]


class EndedView(Answer):
    """A session that was ended."""

    sid: str
    ended: bool = True


class RecordingView(Answer):
    """A recording, as asciicast v2."""

    name: str
    sid: str
    user: str
    started_at: datetime
    changed_at: datetime
    size: Annotated[int, Field(description="Bytes")]
    live: Annotated[bool, Field(description="Its session goes on")]


class RecordingsView(Answer):
    """The recordings of a container, newest first."""

    recordings: list[RecordingView]


class DeletedRecordingView(Answer):
    """A recording that was deleted."""

    name: str
    deleted: bool = True


class TicketBody(Body):
    """What the ticket is for."""

    cuid: Annotated[str, Field(description="The container")]
    session: Annotated[SessionId | None, Field(description="The session to attach to; none: a new one")] = None
    role: Annotated[Role, Field(description="The most that the connection may do")] = "owner"


class TicketView(Answer):
    """A ticket: `/ws/{cuid}?ticket=…`, once, within `expires_in` seconds."""

    ticket: str
    expires_in: float
    cuid: str
    session: str | None
    role: Role
