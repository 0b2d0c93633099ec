"""Recordings on disk, streams of events, tickets, and what a killed server leaves to the next."""

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from container_manager.errors import RecordingNotFound
from container_manager.models import Cuid, new_cuid
from container_manager.services.tickets import LIFETIME, Tickets
from container_manager.terminal import recording as recording_module
from container_manager.terminal import watch as watch_module
from container_manager.terminal.leftovers import Leftovers
from container_manager.terminal.process import Size
from container_manager.terminal.recording import Recording, Recordings
from container_manager.terminal.watch import Watch

SID = "0123456789abcdef0123456789abcdef"


def begun(folder: Path, cuid: Cuid, *, sid: str = SID, keys: bool = False) -> Recording:
    return Recordings(folder).begin(sid, cuid, "somebody", Size(100, 30), command="shell", keys=keys)


def lines(path: Path) -> list[list[object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_recording_is_an_asciicast(tmp_path: Path) -> None:
    cuid = new_cuid()
    recording = begun(tmp_path, cuid, keys=True)
    recording.saw("o", "é\x1b[31m")
    recording.saw("i", "typed")
    recording.saw("r", "80x24")
    recording.ended(137, "the container stopped")
    recording.saw("o", "never")
    await recording.closed()
    path = tmp_path / f"{SID}.cast"
    header = json.loads(path.read_text().splitlines()[0])
    assert (header["version"], header["width"], header["height"]) == (2, 100, 30)
    assert [event[1:] for event in lines(path)[1:]] == [
        ["o", "é\x1b[31m"],
        ["i", "typed"],
        ["r", "80x24"],
        ["m", "exit 137: the container stopped"],
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    found = (await Recordings(tmp_path).of(cuid))[0]
    assert (found.sid, found.cuid, found.user, found.size) == (SID, cuid, "somebody", path.stat().st_size)


async def test_what_is_typed_is_recorded_only_when_asked_for(tmp_path: Path) -> None:
    recording = begun(tmp_path, new_cuid())
    recording.saw("i", "a password")
    recording.ended(0, None)
    await recording.closed()
    assert "a password" not in (tmp_path / f"{SID}.cast").read_text()


async def test_it_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    cuid = new_cuid()
    recording = begun(tmp_path, cuid)
    for number in range(1000):
        recording.saw("o", f"line {number}")
        if number % 100 == 0:
            await asyncio.sleep(0)
            if (tmp_path / f"{SID}.cast").exists():
                lines(tmp_path / f"{SID}.cast")
    recording.ended(0, None)
    await recording.closed()
    assert len(lines(tmp_path / f"{SID}.cast")) == 1002


async def test_a_slow_disk_slows_nobody_and_the_file_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "WAITING", 1000)
    gate = threading.Event()
    append = Recording._append
    monkeypatch.setattr(Recording, "_append", lambda self, batch: (gate.wait(20), append(self, batch))[1])
    recording = begun(tmp_path, new_cuid())
    await asyncio.sleep(0)
    for number in range(100):
        recording.saw("o", f"{number:04}" * 10)
    gate.set()
    while recording._waiting:
        await asyncio.wait([recording._writing] if recording._writing else [])
    recording.saw("o", "after")
    recording.ended(0, None)
    await recording.closed()
    kinds = [event[1:] for event in lines(tmp_path / f"{SID}.cast")[1:]]
    assert ["m", "the disk was too slow: output is missing here"] in kinds
    assert kinds[-2:] == [["o", "after"], ["m", "exit 0"]]


async def test_a_recording_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "LARGEST", 5000)
    recording = begun(tmp_path, new_cuid())
    for _ in range(1000):
        recording.saw("o", "x" * 100)
    recording.ended(0, None)
    await recording.closed()
    last = lines(tmp_path / f"{SID}.cast")[-1]
    assert last[1] == "m"
    assert str(last[2]).startswith("the recording ends here")
    assert (tmp_path / f"{SID}.cast").stat().st_size < 7000


async def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    recording = begun(Path("/dev/full").parent / "nowhere" / "at-all", new_cuid())
    recording.saw("o", "x")
    await recording.closed()
    recording.saw("o", "y")
    recording.ended(0, None)
    await recording.closed()


async def test_only_recordings_of_the_container_are_given_out(tmp_path: Path) -> None:
    mine, other = new_cuid(), new_cuid()
    recordings = Recordings(tmp_path)
    for cuid, sid in ((mine, "a" * 32), (other, "b" * 32)):
        recording = begun(tmp_path, cuid, sid=sid)
        recording.ended(0, None)
        await recording.closed()
    (tmp_path / "secret").write_text("{}")
    (tmp_path / f"{'c' * 32}.cast").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / f"{'d' * 32}.cast")
    (tmp_path / f"{'e' * 32}.cast").write_text("not a header\n")
    assert [found.sid for found in await recordings.of(mine)] == ["a" * 32]
    names = ["b" * 32 + ".cast", "c" * 32, "d" * 32, "e" * 32, "f" * 32, "../secret", "", ".cast", "\0", "a" * 500]
    for name in names:
        with pytest.raises(RecordingNotFound):
            await recordings.open(mine, name)
        with pytest.raises(RecordingNotFound):
            await recordings.remove(mine, name)
    found, descriptor = await recordings.open(mine, "a" * 32 + ".cast")
    os.close(descriptor)
    await recordings.remove(mine, found.name)
    assert await recordings.of(mine) == []


async def test_a_slow_reader_of_events_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "WAITING", 10)
    watch = Watch()
    watch.saw("o", "0123456789")
    watch.saw("o", "lost")
    watch.saw("o", "lost too")
    first = await watch.get()
    assert first is not None
    assert first.data == {"data": "0123456789"}
    watch.saw("i", "x")
    watch.ended(0, None)
    kinds = []
    while (event := await watch.get()) is not None:
        kinds.append((event.kind, event.data))
    assert kinds == [("missed", {"events": 2}), ("input", {"data": "x"}), ("exit", {"code": 0, "reason": None})]


def test_a_ticket_opens_one_connection_to_one_container_soon() -> None:
    now = 100.0
    tickets = Tickets(lambda: now)
    cuid, other = new_cuid(), new_cuid()
    ticket = tickets.issue(cuid, "helper", SID, "somebody")
    assert tickets.redeem(ticket, cuid) == "somebody"
    grant = tickets.take(ticket)
    assert grant is not None
    assert (grant.role, grant.session) == ("helper", SID)
    assert tickets.take(ticket) is None
    assert tickets.redeem(ticket, cuid) is None, "it is used"
    ticket = tickets.issue(cuid, "owner", None, "somebody")
    assert tickets.redeem(ticket, other) is None
    assert tickets.redeem(ticket, cuid) is None, "a wrong use is a use"
    ticket = tickets.issue(cuid, "owner", None, "somebody")
    now += LIFETIME + 1
    assert tickets.redeem(ticket, cuid) is None
    assert tickets.take(None) is None


def test_tickets_are_bounded() -> None:
    tickets = Tickets(lambda: 0.0)
    cuid = new_cuid()
    issued = [tickets.issue(cuid, "owner", None, "somebody") for _ in range(1500)]
    assert [ticket for ticket in issued if tickets.redeem(ticket, cuid)] == issued[500:]


async def test_the_next_run_knows_where_sessions_were(tmp_path: Path) -> None:
    path = tmp_path / "open"
    first, mine, other = Leftovers(path), new_cuid(), new_cuid()
    assert await first.load() == []
    await first.note(mine)
    await first.note(mine)
    await first.note(other)
    await first.done(first.run, other)
    second = Leftovers(path)
    assert await second.load() == [(first.run, mine)]
    assert second.containers == []
    await second.note(other)
    await second.done(first.run, mine)
    third = Leftovers(path)
    assert await third.load() == [(second.run, other)]


@pytest.mark.parametrize("text", ["", "x", "a b c\n", "0123456789abcdef not-a-cuid\n", "\xff\x00\n", "../../etc c\n"])
async def test_a_broken_list_of_leftovers_is_no_leftovers(tmp_path: Path, text: str) -> None:
    (tmp_path / "open").write_text(text, encoding="latin-1")
    assert await Leftovers(tmp_path / "open").load() == []
