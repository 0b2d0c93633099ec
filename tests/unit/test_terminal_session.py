"""A session with real local processes: its viewers, sizes, roles, replay, backpressure and ends."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from container_manager.errors import AppError, LimitReached, RoleRefused, StateError, ValidationError
from container_manager.models import new_cuid
from container_manager.terminal.pipe_process import PipeProcess
from container_manager.terminal.process import Size
from container_manager.terminal.pty_process import PtyProcess
from container_manager.terminal.session import HANGUP, Plan, Session
from container_manager.terminal.shell import Shell
from container_manager.terminal.table import SessionTable
from container_manager.terminal.viewer import Role, Viewer
from container_manager.terminal.watch import Watch
from harness import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/", "TERM": "xterm-256color", "PS1": "$ ", "LANG": "C.UTF-8"}
PATIENCE = 20.0


HIGH = 256 << 10
"""Bytes that a slow connection takes before it is full."""


class Connection:
    """What a viewer is connected by, in memory. While it is `slow` nobody takes what was sent."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.waiting = 0
        self._changed = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()

    @property
    def slow(self) -> bool:
        return not self._roomy.is_set()

    def slow_down(self) -> None:
        """Take nothing until `hurry`."""
        self._roomy.clear()

    def hurry(self) -> None:
        """Take what was sent and what will be."""
        self.waiting = 0
        self._roomy.set()

    def send(self, frame: bytes) -> bool:
        self.frames.append(json.loads(frame))
        self.waiting += len(frame) if self.slow else 0
        self._changed.set()
        return self.waiting <= HIGH

    async def room(self) -> None:
        await self._roomy.wait()

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self._changed.set()

    def describe(self, error: AppError) -> Mapping[str, Any]:
        return {"code": error.code, "message": error.message}

    async def wait(self, predicate: Callable[["Connection"], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not predicate(self):
                self._changed.clear()
                await self._changed.wait()

    async def shows(self, text: str) -> None:
        await self.wait(lambda _: text in self.text)

    @property
    def text(self) -> str:
        return "".join(
            base64.b64decode(frame["data"]).decode(errors="replace") if frame["encoding"] == "base64" else frame["data"]
            for frame in self.frames
            if frame["type"] in ("stdout", "stderr")
        )

    def last(self, kind: str) -> dict[str, Any]:
        return next((frame for frame in reversed(self.frames) if frame["type"] == kind), {})


class Room:
    """Opens sessions and lets viewers in; ends all at the end."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.ends: list[tuple[Session, int, str | None]] = []
        self.signals: list[str] = []

    def open(self, **changes: Any) -> Session:
        async def explain(code: int) -> tuple[int, str | None]:
            return code, None

        async def signalled(name: str) -> None:
            self.signals.append(name)

        plan = Plan(
            sid=f"s{len(self.sessions)}",
            cuid=new_cuid(),
            mode="shell",
            size=Size(80, 24),
            user="somebody",
            process=lambda size: Shell(bash, size),
            signal=signalled,
            explain=explain,
            explain_preface=explain,
            ended=lambda session, code, reason: self.ends.append((session, code, reason)),
            grace=30.0,
        )
        session = Session(replace(plan, **changes))
        self.sessions.append(session)
        session.start()
        return session

    def join(
        self, session: Session, role: Role = "owner", size: Size | None = None, *, joined: bool = False
    ) -> tuple[Viewer, Connection]:
        connection = Connection()
        viewer = Viewer(connection, role, size, joined=joined)
        session.attach(viewer)
        return viewer, connection

    async def empty(self) -> None:
        for session in self.sessions:
            session.end("the test is over")
            await session.closed()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    before = len(os.listdir("/proc/self/fd"))
    made = Room()
    yield made
    await made.empty()
    assert len(os.listdir("/proc/self/fd")) == before


def bash(size: Size) -> PtyProcess:
    return PtyProcess(["bash", "--norc", "--noprofile", "-i"], ENVIRONMENT, size, raw=False)


def script(text: str) -> Callable[[Size], PtyProcess]:
    return lambda size: PtyProcess(["sh", "-c", text], ENVIRONMENT, size, raw=False)


async def test_exit_is_the_last_frame_and_the_connection_is_closed(room: Room) -> None:
    session = room.open()
    viewer, connection = room.join(session)
    session.type(viewer, b"echo out'put'; exit 3\n")
    await connection.wait(lambda seen: seen.closed is not None)
    assert "output" in connection.text
    assert connection.frames[-1] == {"type": "exit", "code": 3}
    assert connection.closed == (1000, "ended")
    assert [end[1:] for end in room.ends] == [(3, None)]


async def test_close_by_the_owner_is_at_once_and_told_to_the_others(room: Room) -> None:
    session = room.open()
    owner, first = room.join(session)
    _, second = room.join(session, "observer")
    await first.shows("$ ")
    session.close(owner)
    await first.wait(lambda seen: seen.closed is not None)
    assert first.closed == (1000, "closed")
    assert all(frame["type"] == "stdout" for frame in first.frames)
    await second.wait(lambda seen: seen.closed is not None)
    assert second.last("exit") == {"type": "exit", "code": HANGUP, "reason": "its owner closed it"}


async def test_close_by_a_helper_only_leaves(room: Room) -> None:
    session = room.open()
    _, first = room.join(session)
    helper, second = room.join(session, "helper")
    session.close(helper)
    await second.wait(lambda seen: seen.closed == (1000, "left"))
    session.leave(helper, lost=False)
    assert not session.over
    assert first.closed is None


async def test_a_lost_connection_finds_its_shell_again(room: Room) -> None:
    session = room.open()
    viewer, connection = room.join(session)
    session.type(viewer, b"secret=forty'two'; echo re'ady'\n")
    await connection.shows("ready")
    session.leave(viewer, lost=True)
    assert not session.attended
    again, seen = room.join(session, joined=True)
    await seen.shows("ready")
    assert seen.frames[-1]["type"] == "size" or seen.last("size") == {"type": "size", "cols": 80, "rows": 24}
    session.type(again, b"echo $secret\n")
    await seen.shows("fortytwo")


async def test_leaving_in_good_order_ends_a_plain_session_but_not_one_to_come_back_to(room: Room) -> None:
    plain, kept = room.open(), room.open(resumable=True)
    for session in (plain, kept):
        viewer, _ = room.join(session)
        session.leave(viewer, lost=False)
    assert plain.over
    assert not kept.over


async def test_a_session_that_nobody_comes_back_to_ends(room: Room) -> None:
    session = room.open(grace=0.05)
    viewer, _ = room.join(session)
    session.leave(viewer, lost=True)
    await eventually(lambda: session.over)
    assert room.ends[0][2] == "nobody came within 0.05 s"


async def test_the_size_is_the_smallest_of_those_who_type(room: Room) -> None:
    session = room.open()
    owner, connection = room.join(session, size=Size(120, 40))
    helper, _ = room.join(session, "helper", Size(100, 50))
    observer, watching = room.join(session, "observer", Size(20, 5), joined=True)
    assert session.size == Size(100, 40)
    session.type(owner, b"stty size\n")
    await connection.shows("40 100")
    session.leave(helper, lost=True)
    assert session.size == Size(120, 40)
    session.resize(observer, Size(10, 10))
    assert session.size == Size(120, 40)
    await watching.wait(lambda seen: seen.last("size") == {"type": "size", "cols": 120, "rows": 40})
    assert not any(frame["type"] == "size" for frame in connection.frames)


async def test_an_observer_may_only_watch(room: Room) -> None:
    session = room.open()
    observer, connection = room.join(session, "observer")
    with pytest.raises(RoleRefused):
        session.type(observer, b"x")
    with pytest.raises(RoleRefused):
        await session.signal(observer, "INT")
    session.close(observer)
    await connection.wait(lambda seen: seen.closed is not None)
    assert not session.over


async def test_a_later_viewer_answers_no_query(room: Room) -> None:
    session = room.open(process=script("printf 'a\\033[6nb'; read go; printf 'c\\033[6nd'; sleep 1000"))
    owner, first = room.join(session)
    await first.shows("a\x1b[6nb")
    _, second = room.join(session, "helper")
    await second.shows("ab")
    session.type(owner, b"\n")
    await first.shows("c\x1b[6nd")
    await second.shows("cd")


async def test_a_slow_viewer_slows_the_process_and_gets_everything(room: Room) -> None:
    session = room.open(process=script("seq 1 400000"))
    connection = Connection()
    connection.slow_down()
    viewer = Viewer(connection, "owner", None, joined=False)
    session.attach(viewer)
    await eventually(lambda: viewer.full)
    assert session.audience.paused
    await asyncio.sleep(0.05)
    assert connection.waiting < 2 * HIGH
    connection.hurry()
    await connection.wait(lambda seen: seen.closed is not None)
    assert connection.text.split() == [str(number) for number in range(1, 400001)]


async def test_a_viewer_that_holds_up_the_others_is_dropped(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("container_manager.terminal.audience.SLOW_FOR", 0.2)
    session = room.open(process=script("seq 1 400000; sleep 1000"))
    _, fast = room.join(session)
    _, slow = room.join(session, "observer")
    slow.slow_down()
    await fast.shows("400000")
    await slow.wait(lambda seen: seen.closed is not None)
    assert slow.closed == (4008, "too slow for the others")
    assert len(session.audience.viewers) == 1


async def test_answers_that_nobody_reads_are_bounded(room: Room) -> None:
    session = room.open()
    viewer, connection = room.join(session)
    connection.slow_down()

    async def ask_for_ever() -> None:
        while True:
            await viewer.reply(b'{"type":"pong"}')

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask_for_ever(), 1)
    assert connection.waiting < 2 * HIGH
    connection.hurry()
    await eventually(lambda: not viewer.full)
    async with asyncio.timeout(PATIENCE):
        await viewer.reply(b'{"type":"pong"}')


async def test_auto_shows_the_log_until_the_first_input(room: Room) -> None:
    log = ["sh", "-c", "echo from the app; exec sleep 1000"]
    session = room.open(mode="auto", preface=lambda: PipeProcess(log, ENVIRONMENT, takes_input=False))
    viewer, connection = room.join(session)
    await connection.shows("from the app")
    assert session.prefacing
    with pytest.raises(StateError):
        await session.signal(viewer, "INT")
    session.type(viewer, b"echo from' 'the shell; exit 4\n")
    await connection.wait(lambda seen: seen.closed is not None)
    assert "from the shell" in connection.text
    assert connection.last("exit")["code"] == 4
    assert not session.prefacing


async def test_auto_ends_with_the_app(room: Room) -> None:
    session = room.open(
        mode="auto", preface=lambda: PipeProcess(["sh", "-c", "echo x; exit 5"], ENVIRONMENT, takes_input=False)
    )
    _, connection = room.join(session)
    await connection.wait(lambda seen: seen.closed is not None)
    assert [frame["type"] for frame in connection.frames] == ["stdout", "exit"]


async def test_logs_take_no_input(room: Room) -> None:
    session = room.open(process=None, preface=lambda: PipeProcess(["sleep", "1000"], ENVIRONMENT, takes_input=False))
    viewer, _ = room.join(session)
    with pytest.raises(StateError) as caught:
        session.type(viewer, b"x")
    assert caught.value.code == "READ_ONLY"


async def test_streams_are_told_apart_and_half_characters_come_last(room: Room) -> None:
    command = ["sh", "-c", "printf 'out\\342\\202'; printf 'err\\377' >&2"]
    session = room.open(tty=False, process=lambda size: PipeProcess(command, ENVIRONMENT, takes_input=True))
    _, connection = room.join(session)
    await connection.wait(lambda seen: seen.closed is not None)
    frames = connection.frames
    assert {"type": "stdout", "data": "out", "encoding": "utf8"} in frames
    assert {"type": "stderr", "data": base64.b64encode(b"err\xff").decode(), "encoding": "base64"} in frames
    assert frames[-2] == {"type": "stdout", "data": base64.b64encode(b"\xe2\x82").decode(), "encoding": "base64"}
    assert frames[-1] == {"type": "exit", "code": 0}


async def test_signals(room: Room) -> None:
    session = room.open()
    viewer, connection = room.join(session)
    session.type(viewer, b"""sh -c "echo run'ning'; exec sleep 1000"\n""")
    await connection.shows("running")
    await session.signal(viewer, "SIGINT")
    await connection.shows("^C")
    await session.signal(viewer, "term")
    assert room.signals == ["TERM"]
    for wrong in ("", "NOPE", "9", "SIG", "__class__"):
        with pytest.raises(ValidationError) as caught:
            await session.signal(viewer, wrong)
        assert caught.value.code == "UNKNOWN_SIGNAL"


async def test_what_cannot_be_started_is_told(room: Room) -> None:
    session = room.open(process=lambda size: PtyProcess(["no-such-program"], ENVIRONMENT, size, raw=True))
    _, connection = room.join(session)
    await connection.wait(lambda seen: seen.closed is not None)
    assert connection.last("exit")["code"] == 127
    assert "no-such-program" in connection.last("exit")["reason"]


async def test_viewers_are_limited(room: Room) -> None:
    session = room.open(most_viewers=2)
    room.join(session)
    room.join(session)
    with pytest.raises(LimitReached):
        room.join(session)


async def test_sessions_are_limited_and_lost_ones_give_way(room: Room) -> None:
    table = SessionTable(2)
    cuid = new_cuid()
    first, second = (room.open(cuid=cuid, sid=str(number), ended=lambda *_: None) for number in range(2))
    table.make_room(cuid)
    table.add(first)
    table.add(second)
    viewer, _ = room.join(first)
    room.join(second)
    with pytest.raises(LimitReached):
        table.make_room(cuid)
    first.leave(viewer, lost=True)
    table.make_room(cuid)
    assert first.over
    table.discard(first)
    assert table.of(cuid) == (second,)
    assert len(table) == 1


async def test_a_witness_sees_what_is_typed_and_shown(room: Room) -> None:
    session = room.open()
    watch = Watch()
    session.audience.witnesses.add(watch)
    viewer, connection = room.join(session, size=Size(90, 30))
    session.type(viewer, b"exit 2\n")
    await connection.wait(lambda seen: seen.closed is not None)
    events = []
    async with asyncio.timeout(PATIENCE):
        while (event := await watch.get()) is not None:
            events.append(event)
    assert (events[0].kind, events[0].data) == ("resize", {"cols": 90, "rows": 30})
    assert {"data": "exit 2\n"} in [event.data for event in events if event.kind == "input"]
    assert "$ " in "".join(event.data["data"] for event in events if event.kind == "output")
    assert (events[-1].kind, events[-1].data) == ("exit", {"code": 2, "reason": None})


async def test_ends_in_any_order_leave_nothing(room: Room) -> None:
    for number in range(12):
        session = room.open(grace=0.0 if number % 2 else 30.0)
        if number % 3:
            viewer, _ = room.join(session)
            if number % 4 == 1:
                session.type(viewer, b"exit\n")
            if number % 4 == 2:
                session.leave(viewer, lost=True)
        if number % 5 == 0:
            session.end("enough")
            session.end("more than enough")
