"""The live sessions, by container."""

from collections.abc import Iterator

from container_manager.errors import LimitReached, SessionNotFound
from container_manager.models import Cuid
from container_manager.terminal.session import Session


class SessionTable:
    """Sessions by their id, at most `limit` of one container."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sessions: dict[Cuid, dict[str, Session]] = {}

    def __len__(self) -> int:
        return sum(len(sessions) for sessions in self._sessions.values())

    def __iter__(self) -> Iterator[Session]:
        for sessions in tuple(self._sessions.values()):
            yield from tuple(sessions.values())

    def of(self, cuid: Cuid) -> tuple[Session, ...]:
        """The sessions of `cuid`, oldest first."""
        return tuple(self._sessions.get(cuid, {}).values())

    def get(self, cuid: Cuid, sid: str) -> Session:
        """One session. Raises SessionNotFound."""
        session = self._sessions.get(cuid, {}).get(sid)
        if session is None:
            raise SessionNotFound(f"No session {sid}: it ended, or never was", session=sid)
        return session

    def make_room(self, cuid: Cuid) -> None:
        """Room for one more of `cuid`: when it has all it may have, the oldest that was lost gives way.

        Raises LimitReached when somebody looks at every one, or is known to come back.
        """
        sessions = self.of(cuid)
        if len(sessions) < self._limit:
            return
        lost = next((session for session in sessions if not session.attended and not session.plan.resumable), None)
        if lost is None:
            raise LimitReached(
                f"This container has {self._limit} sessions, as many as MAX_SESSIONS allows",
                limit=self._limit,
                setting="MAX_SESSIONS",
            )
        lost.end("another session needed its place")

    def add(self, session: Session) -> None:
        """Take in a session for which there is room."""
        self._sessions.setdefault(session.plan.cuid, {})[session.plan.sid] = session

    def discard(self, session: Session) -> None:
        """Forget a session that is over."""
        sessions = self._sessions.get(session.plan.cuid, {})
        sessions.pop(session.plan.sid, None)
        if not sessions:
            self._sessions.pop(session.plan.cuid, None)
