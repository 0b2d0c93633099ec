"""The wheel cache on disk: which files it serves, what it takes from whom it does not trust, how it stays small."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from container_manager.errors import ValidationError
from container_manager.models import Layout
from container_manager.services.wheels import index_variables
from container_manager.store.launcher import copy_launcher
from container_manager.store.requirements import LARGEST, plain_requirements
from container_manager.store.wheels import FRESH_SECONDS, WheelCache

NAME = "goods-1.0-py3-none-any.whl"
KEY = "c" + "0" * 40
OWNER = (1000, 1000)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("goods\n", ["goods"]),
        (
            "# all\n\ngoods == 1.0 , < 2 # why\r\nuvicorn[standard,x]~=0.3\n",
            ["goods == 1.0 , < 2", "uvicorn[standard,x]~=0.3"],
        ),
        (
            "a-b.c>=1.*; python_version < \"3.9\" and extra != 'x'",
            ["a-b.c>=1.*; python_version < \"3.9\" and extra != 'x'"],
        ),
    ],
)
def test_plain_files_are_served(text: str, lines: list[str]) -> None:
    assert plain_requirements(text.encode()) == lines


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://evil/simple",
        "-i http://evil/simple",
        "-r other.txt",
        "-e .",
        "./goods",
        "/etc/passwd",
        "goods @ http://evil/goods.whl",
        "http://evil/goods-1.0-py3-none-any.whl",
        "goods --hash=sha256:00",
        "goods==1 --config-settings x",
        "goods; os_name == 'x' --pre",
        "${NAME}",
        "goods \\\n--pre",
        "goods\x00",
        "göods",
        "goods\x0b--pre",
    ],
)
def test_one_line_that_says_more_and_the_file_is_not_served(line: str) -> None:
    assert plain_requirements(f"fine==1\n{line}\n".encode()) is None


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff", b"a\n" * LARGEST])
def test_nothing_to_serve(content: bytes) -> None:
    assert plain_requirements(content) is None


@pytest.mark.parametrize(
    ("env", "passed_on"),
    [
        ({"A": "1"}, {}),
        ({"PIP_INDEX_URL": "https://u:p@host/simple"}, {"PIP_INDEX_URL": "https://u:p@host/simple"}),
        ({"PIP_INDEX_URL": "file:///app/simple"}, None),
        ({"PIP_EXTRA_INDEX_URL": "https://host/simple /app/simple"}, None),
        ({"PIP_FIND_LINKS": "/app"}, None),
    ],
)
def test_index_settings_that_mean_the_same_elsewhere(env: dict[str, str], passed_on: dict[str, str] | None) -> None:
    assert index_variables(env) == passed_on


@pytest.fixture
def cache(tmp_path: Path) -> WheelCache:
    made = WheelCache(Layout(tmp_path), limit=1000)
    made.prepare()
    return made


def fetched(cache: WheelCache, name: str = NAME, size: int = 10) -> Path:
    incoming = cache.incoming(["goods"], OWNER)
    (incoming / "index").write_text("a" * 64)
    (incoming / "found" / name).write_bytes(b"x" * size)
    return incoming


def test_what_was_fetched_is_listed_with_its_sum(cache: WheelCache) -> None:
    incoming = fetched(cache)
    assert cache.take_in(KEY, "f" * 64, incoming) == 1
    cache.discard(incoming)
    assert cache.serves(KEY, "f" * 64)
    directory = cache.directory(KEY)
    wheel = (directory / NAME).stat()
    assert (wheel.st_uid, wheel.st_mode & 0o777) == (os.geteuid(), 0o644)
    first, line = (directory / f"{'f' * 64}.txt").read_text().splitlines()
    assert first == "# " + "a" * 64
    assert line.startswith(f"/opt/container-manager/wheels/{NAME} --hash=sha256:")


def link(found: Path) -> None:
    (found / NAME).unlink()
    (found / NAME).symlink_to("/etc/shadow")


def fifo(found: Path) -> None:
    (found / NAME).unlink()
    os.mkfifo(found / NAME)


def twin(found: Path) -> None:
    os.link(found / NAME, found.parent / "kept")


def directory(found: Path) -> None:
    (found / "x-1-py3-none-any.whl").mkdir()


def option(found: Path) -> None:
    (found / "x-1-py3-none-any.whl --pre").touch()


def lines(found: Path) -> None:
    (found / "x\n-1-py3-none-any.whl").touch()


def no_index(found: Path) -> None:
    (found.parent / "index").write_text("its own")


def linked_index(found: Path) -> None:
    (found.parent / "index").unlink()
    (found.parent / "index").symlink_to("/etc/hostname")


def elsewhere(found: Path) -> None:
    found.rename(found.parent / "away")
    found.symlink_to("away")


@pytest.mark.parametrize("harm", [link, fifo, twin, directory, option, lines, no_index, linked_index, elsewhere])
def test_who_fetches_is_not_trusted(cache: WheelCache, harm: Callable[[Path], None]) -> None:
    incoming = fetched(cache)
    harm(incoming / "found")
    with pytest.raises(ValidationError):
        cache.take_in(KEY, "f" * 64, incoming)
    cache.discard(incoming)
    assert list(cache.directory(KEY).iterdir()) == []


def test_it_keeps_the_newest_within_its_bounds(cache: WheelCache) -> None:
    for number in range(3):
        cache.take_in(KEY, str(number) * 64, fetched(cache, f"g{number}-1-py3-none-any.whl", 400))
        path = cache.directory(KEY) / f"{str(number) * 64}.txt"
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 100 + number))
    assert [cache.serves(KEY, str(number) * 64) for number in range(3)] == [False, True, True]
    assert len(list(cache.directory(KEY).glob("*.whl"))) == 2


def test_a_list_is_forgotten_in_time(cache: WheelCache) -> None:
    cache.take_in(KEY, "f" * 64, fetched(cache))
    path = cache.directory(KEY) / f"{'f' * 64}.txt"
    os.utime(path, (0, path.stat().st_mtime - FRESH_SECONDS - 1))
    cache.directory(KEY)
    assert not cache.serves(KEY, "f" * 64)


def test_what_a_killed_server_was_fetching_is_swept(cache: WheelCache) -> None:
    incoming = fetched(cache)
    cache.prepare()
    assert not incoming.exists()


def test_the_launcher_is_readable_whatever_the_umask_and_runs_on_old_pythons(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        copy_launcher(Layout(tmp_path))
    finally:
        os.umask(before)
    launcher = tmp_path / "launcher"
    assert {path.name: path.stat().st_mode & 0o777 for path in [launcher, *launcher.iterdir()]} == {
        "launcher": 0o755,
        "wheels": 0o755,
        "start.sh": 0o644,
        "install.py": 0o644,
    }
    ast.parse((launcher / "install.py").read_text(), feature_version=(3, 6))
    told = (launcher / "install.py").stat().st_ino
    copy_launcher(Layout(tmp_path))
    assert (launcher / "install.py").stat().st_ino == told
