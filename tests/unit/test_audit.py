"""The audit log: whole lines, whatever the disk and the last process did."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from container_manager.audit import Audit, line
from container_manager.models import Actor, Layout
from harness import eventually

ACTOR = Actor("admin", "127.0.0.1")


@pytest.fixture
async def audit(tmp_path: Path) -> AsyncIterator[Audit]:
    audit = Audit(Layout(tmp_path))
    await audit.start()
    yield audit
    await audit.close()


def entries(path: Path) -> list[dict[str, Any]]:
    text = path.read_bytes()
    assert not text or text.endswith(b"\n")
    return [json.loads(one) for one in text.splitlines()]


def test_an_entry_has_every_field() -> None:
    entry = line(action="container.start", actor=ACTOR, request_id="id", method="POST", path="/x", seconds=0.25)
    assert list(entry) == [
        "timestamp",
        "request_id",
        "action",
        "actor",
        "remote",
        "method",
        "path",
        "cuid",
        "status",
        "duration_ms",
        "error",
        "details",
    ]
    assert entry["duration_ms"] == 250
    assert line(action="auth.refused", actor=Actor("", ""))["actor"] is None


async def test_lines_are_whole_and_in_order(audit: Audit) -> None:
    for number in range(1000):
        audit.record(line(action="test", actor=ACTOR, details={"number": number}))
    await audit.flush()
    assert [entry["details"]["number"] for entry in entries(audit.path)] == list(range(1000))
    assert audit.path.stat().st_mode & 0o777 == 0o600
    assert audit.failing is None


async def test_threads_do_not_interleave(audit: Audit) -> None:
    def write(name: str) -> None:
        for _ in range(100):
            audit.record(line(action=name, actor=ACTOR, path="/" + name * 500))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await audit.flush()
    assert len(entries(audit.path)) == 400


async def test_any_value_is_written(audit: Audit) -> None:
    audit.record(line(action="\ud800\n", actor=ACTOR, details={"big": 2**70, "odd": object}))
    await audit.flush()
    assert entries(audit.path)[0]["details"]["big"] == 2**70


async def test_close_writes_what_waits(tmp_path: Path) -> None:
    audit = Audit(Layout(tmp_path))
    await audit.start()
    for _ in range(2000):
        audit.record(line(action="test", actor=ACTOR))
    await audit.close()
    assert len(entries(audit.path)) == 2000


async def test_it_is_rotated_by_size(tmp_path: Path) -> None:
    audit = Audit(Layout(tmp_path), max_bytes=2000, keep=2)
    await audit.start()
    for number in range(50):
        audit.record(line(action="test", actor=ACTOR, details={"number": number}))
    await audit.close()
    names = sorted(path.name for path in audit.path.parent.iterdir())
    assert names == ["actions.jsonl", "actions.jsonl.1", "actions.jsonl.2"]
    numbers = []
    for name in reversed(names):
        path = audit.path.parent / name
        assert path.stat().st_size <= 2000
        numbers += [entry["details"]["number"] for entry in entries(path)]
    assert numbers == list(range(numbers[0], 50))


async def test_a_file_that_was_moved_away_is_made_anew(audit: Audit) -> None:
    audit.record(line(action="first", actor=ACTOR))
    await audit.flush()
    moved = audit.path.rename(audit.path.with_name("moved"))
    audit.record(line(action="second", actor=ACTOR))
    await audit.flush()
    assert [entry["action"] for entry in entries(moved)] == ["first"]
    assert [entry["action"] for entry in entries(audit.path)] == ["second"]


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b"", []),
        (b'{"a": 1}\n', [{"a": 1}]),
        (b'{"a": 1}\n{"b": 2', [{"a": 1}]),
        (b'{"a": 1}\n{"b": 2}', [{"a": 1}, {"b": 2}]),
        (b'{"b', []),
        (b'{"a": 1}\n{"b": "' + b"x" * 200_000, [{"a": 1}]),
    ],
)
async def test_what_a_crash_left_is_mended(tmp_path: Path, left: bytes, kept: list[dict[str, int]]) -> None:
    audit = Audit(Layout(tmp_path))
    audit.path.parent.mkdir()
    audit.path.write_bytes(left)
    await audit.start()
    audit.record(line(action="next", actor=ACTOR))
    await audit.close()
    found = entries(audit.path)
    assert found[:-1] == kept
    assert found[-1]["action"] == "next"


async def test_a_failing_disk_is_told_and_heals(tmp_path: Path) -> None:
    audit = Audit(Layout(tmp_path), capacity=3)
    audit.path.mkdir(parents=True)
    await audit.start()
    audit.record(line(action="first", actor=ACTOR))
    await eventually(lambda: audit.failing)
    assert "actions.jsonl cannot be written" in (audit.failing or "")
    for _ in range(5):
        audit.record(line(action="later", actor=ACTOR))
    audit.path.rmdir()
    await audit.flush()
    assert audit.failing is None
    found = entries(audit.path)
    lost = next(entry["details"]["lines"] for entry in found if entry["action"] == "audit.lost")
    assert 2 <= lost <= 3
    assert len(found) - 1 + lost == 6
    assert found[0]["action"] == "first"
    await audit.close()


async def test_close_ends_although_the_disk_fails(tmp_path: Path) -> None:
    audit = Audit(Layout(tmp_path))
    audit.path.mkdir(parents=True)
    await audit.start()
    audit.record(line(action="lost", actor=ACTOR))
    await audit.close()
    assert audit.failing


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    audit = Audit(Layout(tmp_path))
    audit.path.parent.mkdir()
    target = tmp_path / "target"
    audit.path.symlink_to(target)
    await audit.start()
    audit.record(line(action="test", actor=ACTOR))
    await eventually(lambda: audit.failing)
    await audit.close()
    assert not target.exists()


_LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from container_manager.audit import Audit, line
from container_manager.models import Actor, Layout

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

async def main():
    audit = Audit(Layout(Path(sys.argv[1])))
    await audit.start()
    for _ in range(20):
        audit.record(line(action="test", actor=Actor("admin", "")))
    while audit.failing is None:
        await asyncio.sleep(0.01)
    await audit.close()

asyncio.run(main())
"""


def test_a_line_that_fits_only_in_part_leaves_nothing(tmp_path: Path) -> None:
    """A file of limited size is what a full disk is: the kernel takes a part of the line."""
    subprocess.run([sys.executable, "-c", _LIMITED, str(tmp_path)], check=True, timeout=30, env=dict(os.environ))
    path = tmp_path / "logs" / "actions.jsonl"
    assert 0 < path.stat().st_size <= 1000
    assert entries(path)


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from container_manager.audit import Audit, line
from container_manager.models import Actor, Layout

async def main():
    audit = Audit(Layout(Path(sys.argv[1])))
    await audit.start()
    while True:
        for _ in range(100):
            audit.record(line(action="test", actor=Actor("admin", ""), path="/" + "x" * 900))
        print("x", flush=True)
        await audit.flush()

asyncio.run(main())
"""


def test_a_killed_server_leaves_whole_lines(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.kill()
    assert len(entries(tmp_path / "logs" / "actions.jsonl")) >= 1900
