"""Large archives are unpacked by processes of their own: with the same result, and leaving nothing however they end."""

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
import pytest
from forge import DIRECTORY, LINK, REGULAR, Forged, build
from good import GOOD

from container_manager.errors import BadZip, IoError, NoSpace
from container_manager.store.archive_tree import Limits
from container_manager.store.archive_unpack import Unpacked
from container_manager.store.unpacking import unpack_aside

LIMITS = Limits(unpacked=8 << 20, entries=2000, free=0)
HOSTILE = hostile.cases()[::15]
OWNER = (1234, 2345)


class Target:
    """A directory to unpack into, and what was heard on the way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.judged: list[int] = []
        self.unpacked = 0
        root.mkdir()

    def count(self, size: int) -> None:
        self.unpacked += size

    def take(
        self,
        data: bytes,
        limits: Limits = LIMITS,
        progress: Callable[[int], None] | None = None,
        *,
        discard: bool = False,
    ) -> Unpacked:
        source = os.memfd_create("archive")
        into = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.write(source, data)
            took = unpack_aside(
                source, into, OWNER, limits, self.judged.append, progress or self.count, discard=discard
            )
            assert os.fstat(source).st_size == (0 if discard else len(data))
            return took
        finally:
            os.close(into)
            os.close(source)

    def tree(self) -> dict[str, bytes | None]:
        found = sorted(self.root.rglob("*"))
        return {str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None for path in found}

    def users(self) -> list[str]:
        """Processes that have this directory open, this one aside."""
        found = []
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                if os.readlink(link) == str(self.root) and link.parts[2] != str(os.getpid()):
                    found.append(link.parts[2])
            except OSError:
                continue
        return found


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path / "target")


def many(count: int, size: int = 2000) -> bytes:
    return build(*(Forged(f"d{number % 7}/{number}", os.urandom(size), method=0) for number in range(count)))


@pytest.mark.parametrize("name", GOOD)
def test_a_good_archive_comes_out_whole(target: Target, name: str) -> None:
    data, expected = GOOD[name]
    target.take(data)
    assert target.tree() == dict(sorted(expected.items()))


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in HOSTILE])
def test_a_hostile_archive_is_refused(target: Target, data: bytes) -> None:
    with pytest.raises(BadZip) as caught:
        target.take(data)
    assert caught.value.details["reason"]
    assert sorted(os.listdir(target.root.parent)) == ["target"]


def test_what_is_wrong_with_any_file_is_found(target: Target) -> None:
    wrong = [Forged(f"f{number}", b"x" * 3000) for number in range(400)]
    wrong[377].local = wrong[377].central = {"crc": 7}
    with pytest.raises(BadZip) as caught:
        target.take(build(*wrong))
    assert caught.value.details == {"entry": "f377", "reason": "has a wrong checksum"}


def test_all_of_it_is_counted_and_told(target: Target) -> None:
    took = target.take(many(500))
    assert (took.files, took.bytes, took.directories) == (500, 1_000_000, 7)
    assert target.judged == [1_000_000]
    assert target.unpacked == 1_000_000
    assert len([path for path in target.root.rglob("*") if path.is_file()]) == 500


def test_owners_modes_times_and_links_are_right_whatever_the_umask(target: Target) -> None:
    before = os.umask(0o077)
    try:
        took = target.take(
            build(
                Forged(b"plain", mode=REGULAR),
                Forged(b"run", mode=stat.S_IFREG | 0o6777),
                Forged(b"closed", mode=stat.S_IFREG | 0o444),
                Forged(b"d/", b"", mode=DIRECTORY),
                Forged(b"d/none", mode=0, host=0),
                Forged(b"link", b"plain", mode=LINK),
            )
        )
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((target.root / name).stat().st_mode) for name in target.tree()}
    assert modes == {"plain": 0o644, "run": 0o777, "closed": 0o644, "d": 0o755, "d/none": 0o644}
    owners = {((target.root / name).stat().st_uid, (target.root / name).stat().st_gid) for name in modes}
    assert owners == {OWNER}
    assert (target.root / "plain").stat().st_mtime == (target.root / "run").stat().st_mtime > 1_500_000_000
    assert took.skipped == ("link",)


def test_an_archive_that_nobody_wants_any_more_is_emptied(target: Target) -> None:
    target.take(many(20), discard=True)
    assert len(target.tree()) == 27


def test_too_little_disk_is_told(target: Target) -> None:
    with pytest.raises(NoSpace) as caught:
        target.take(many(3), Limits(8 << 20, 2000, 1 << 62))
    assert caught.value.details["min_free"] == 1 << 62


def test_who_no_longer_wants_it_ends_it(target: Target) -> None:
    class Enough(Exception):
        pass

    def stop(_: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        target.take(many(1900, 4000), progress=stop)
    assert target.users() == []


def test_a_process_that_is_killed_is_told_and_leaves_no_other(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    spawn = subprocess.Popen

    def noted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = spawn(*arguments, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", noted)
    target.judged = Killing(started)
    with pytest.raises(IoError):
        target.take(many(1900, 4000))
    assert target.users() == []


class Killing(list[int]):
    """Ends the process as soon as it has judged."""

    def __init__(self, started: list[int]) -> None:
        self.started = started

    def append(self, _: int) -> None:
        os.kill(self.started[0], signal.SIGKILL)
