"""The mount: nothing leads out of it, whichever way the kernel offers, races included."""

import contextlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_manager.errors import (
    AppError,
    Conflict,
    ContainerNotFound,
    FileNotFound,
    IoError,
    PathExists,
    PathOutsideMount,
    ValidationError,
)
from container_manager.models import Layout, new_cuid
from container_manager.store import beneath
from container_manager.store.mount import Mount
from container_manager.store.mounts import Mounts
from container_manager.store.paths import parse_path, shown
from container_manager.store.staging import Staging

RACE_SECONDS = 1.5
WAYS = {"openat2": beneath.by_kernel, "walk": beneath.by_walk}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture(params=list(WAYS))
def mount(request: pytest.FixtureRequest, root: Path) -> Iterator[Mount]:
    """The mount, opened each way."""
    with Mount(os.open(root, os.O_RDONLY | os.O_DIRECTORY), WAYS[request.param]) as mount:
        yield mount


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


def read(mount: Mount, path: str) -> bytes:
    with contextlib.closing(mount.open_file(parse_path(path))) as file:
        return os.read(file.descriptor, 100)


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        (".", ()),
        ("/app", ()),
        ("/app/", ()),
        ("a/b", ("a", "b")),
        ("/app/a/b", ("a", "b")),
        ("app/a", ("app", "a")),
        ("./a//b/./", ("a", "b")),
        ("//app//a", ("a",)),
        ("...", ("...",)),
        ("a\\..\\b", ("a\\..\\b",)),
        ("%2e%2e", ("%2e%2e",)),
    ],
)
def test_paths_are_relative_to_the_mount(text: str, parts: tuple[str, ...]) -> None:
    assert parse_path(text) == parts


@pytest.mark.parametrize("text", ["..", "a/..", "../a", "/", "/etc", "/application", "/app/..", "a/../../b", "/./etc"])
def test_paths_that_lead_out_are_refused(text: str) -> None:
    with pytest.raises(PathOutsideMount):
        parse_path(text)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "x" * 256, "ü" * 128, "a/" * 3000])
def test_paths_that_no_file_has_are_refused(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_path(text)
    assert caught.value.code == "INVALID_VALUE"
    assert str(caught.value.details).isprintable()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=50) | st.text(alphabet="./ap\\\0\ud800", max_size=20))
def test_every_path_is_refused_or_lies_below(text: str) -> None:
    with contextlib.suppress(ValidationError):
        parts = parse_path(text)
        assert all(part and part not in (".", "..") and "/" not in part and "\0" not in part for part in parts)
        assert shown(parts).encode()


# --- confinement --------------------------------------------------------------------------------


def test_links_out_are_never_followed(mount: Mount, root: Path, staging: Staging) -> None:
    os.symlink("../outside", root / "relative")
    os.symlink(root.parent / "outside", root / "absolute")
    os.symlink("/proc/self/root", root / "magic")
    os.symlink("loop", root / "loop")
    os.symlink("../outside/secret", root / "file")
    for path in ("relative/secret", "absolute/secret", "magic/etc/passwd", "loop/x", "file", "loop"):
        with pytest.raises(PathOutsideMount):
            read(mount, path)
    for path in ("relative", "absolute", "magic", "loop"):
        for follow in (True, False):
            with pytest.raises(PathOutsideMount):
                mount.open_directory(parse_path(path), follow=follow)
        with pytest.raises(PathOutsideMount):
            mount.search(parse_path(path))
    for change in (
        lambda: mount.move(parse_path("relative/secret"), parse_path("mine"), overwrite=True),
        lambda: mount.remove(parse_path("absolute/secret"), staging, recursive=True),
    ):
        with pytest.raises(PathOutsideMount):
            change()
    mount.remove(("relative",), staging, recursive=True)
    assert (root.parent / "outside/secret").read_text() == "secret"


def test_links_inside_are_followed_by_the_kernels_way(root: Path) -> None:
    (root / "releases/1").mkdir(parents=True)
    (root / "releases/1/file").write_text("inside")
    os.symlink("releases/1", root / "current")
    os.symlink("../../current/file", root / "releases/1/up")
    with Mount(os.open(root, os.O_RDONLY), beneath.by_kernel) as mount:
        assert read(mount, "current/file") == read(mount, "releases/1/up") == b"inside"
        with pytest.raises(PathOutsideMount):
            mount.open_directory(("current",), follow=False)


def test_only_regular_files_are_opened(mount: Mount, root: Path) -> None:
    os.mkfifo(root / "pipe")
    os.mknod(root / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    (root / "directory").mkdir()
    for name in ("pipe", "zero", "directory", "absent", "pipe/x", "."):
        with pytest.raises(FileNotFound):
            mount.open_file(parse_path(name))
    kinds = {entry.name: entry.kind for entry in mount.list(())[0]}
    assert kinds == {"pipe": "other", "zero": "other", "directory": "directory"}


def test_a_race_of_links_leaks_nothing(mount: Mount, root: Path) -> None:
    """One thread swaps a directory and a link to outside, others read, list and stat through it."""
    (root / "real").mkdir()
    (root / "real/secret").write_text("mine")
    os.symlink(root.parent / "outside", root / "link")
    os.mkdir(root / "swap")
    (root / "swap/secret").write_text("mine")
    ends = time.monotonic() + RACE_SECONDS
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for one, other in (("swap", "aside"), ("link", "swap"), ("swap", "link"), ("aside", "swap")):
                os.rename(root / one, root / other)

    swapper = threading.Thread(target=swap)
    swapper.start()
    reads = refused = 0
    try:
        while time.monotonic() < ends or not (reads and refused):
            try:
                assert read(mount, "swap/secret") == b"mine"
                entries, _ = mount.list(("swap",))
                assert all(entry.size == 4 for entry in entries)
                reads += 1
            except (FileNotFound, PathOutsideMount):
                refused += 1
    finally:
        done.set()
        swapper.join()


def test_the_walk_is_there_when_the_kernel_lacks_openat2(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(beneath, "_openat2", missing)
    beneath.best.cache_clear()
    try:
        assert beneath.best() is beneath.by_walk
    finally:
        beneath.best.cache_clear()
    monkeypatch.undo()
    assert beneath.best() is beneath.by_kernel
    beneath.best.cache_clear()


# --- changing -----------------------------------------------------------------------------------


def test_moving(mount: Mount, root: Path) -> None:
    (root / "a").write_text("a")
    (root / "b").write_text("b")
    (root / "d/full").mkdir(parents=True)
    with pytest.raises(PathExists):
        mount.move(("a",), ("b",), overwrite=False)
    mount.move(("a",), ("b",), overwrite=True)
    assert (root / "b").read_text() == "a"
    for source, target, error in (
        (("b",), ("d",), PathExists),
        (("d",), ("b",), PathExists),
        (("gone",), ("x",), FileNotFound),
        (("b",), ("no", "x"), FileNotFound),
        (("d",), ("d", "full", "x"), ValidationError),
        ((), ("x",), ValidationError),
    ):
        with pytest.raises(error):
            mount.move(source, target, overwrite=True)
    (root / "e/x").mkdir(parents=True)
    with pytest.raises(Conflict):
        mount.move(("e",), ("d",), overwrite=True)


def test_removing(mount: Mount, root: Path, staging: Staging) -> None:
    (root / "full/sub").mkdir(parents=True)
    (root / "file").write_text("x")
    with pytest.raises(Conflict):
        mount.remove(("full",), staging, recursive=False)
    with pytest.raises(ValidationError):
        mount.remove((), staging, recursive=True)
    mount.remove(("full", "sub"), staging, recursive=False)
    mount.remove(("full",), staging, recursive=True)
    mount.remove(("file",), staging, recursive=False)
    assert list(root.iterdir()) == []
    assert list(staging.path.iterdir()) == []


def test_any_tree_can_be_removed(mount: Mount, root: Path, staging: Staging) -> None:
    """3,000 levels, foreign owners, directories without permissions, special files."""
    os.mkdir(root / "deep")
    at = os.open(root / "deep", os.O_RDONLY)
    for level in range(3000):
        os.mkdir("d", dir_fd=at)
        if level % 100 == 0:
            os.mkfifo("pipe", dir_fd=at)
            os.symlink("/", "link", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.fchown(below, level % 7, 12345)
        os.fchmod(below, 0o000 if level % 2 else 0o555)
        os.close(at)
        at = below
    os.close(at)
    mount.remove(("deep",), staging, recursive=True)
    assert list(root.iterdir()) == []
    assert list(staging.path.iterdir()) == []


def test_listing_is_paged_by_name(mount: Mount, root: Path) -> None:
    for number in range(30):
        (root / f"{number:02}").touch()
    first, more = mount.list((), limit=20)
    assert ([entry.name for entry in first], more) == ([f"{number:02}" for number in range(20)], True)
    rest, more = mount.list((), after="19", limit=20)
    assert ([entry.name for entry in rest], more) == ([f"{number:02}" for number in range(20, 30)], False)


# --- all mounts ---------------------------------------------------------------------------------


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    layout = Layout(tmp_path)
    layout.mounts.mkdir()
    return Mounts(layout, (1000, 1000))


def test_a_mount_is_made_found_and_removed(mounts: Mounts) -> None:
    cuid = new_cuid()
    with pytest.raises(ContainerNotFound):
        mounts.open(cuid)
    mounts.create(cuid)
    mounts.create(cuid)
    path = mounts.layout.mount(cuid)
    assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (1000, 1000, 0o755)
    assert not mounts.has_file(cuid, "boot.py")
    (path / "boot.py").write_text("")
    assert mounts.has_file(cuid, "boot.py")
    (path / "boot.py").unlink()
    os.symlink("/etc/passwd", path / "boot.py")
    assert not mounts.has_file(cuid, "boot.py")
    mounts.remove(cuid)
    mounts.remove(cuid)
    assert os.listdir(mounts.layout.mounts) == os.listdir(mounts.staging.path) == []


def test_the_start_removes_litter_and_makes_what_is_missing(mounts: Mounts) -> None:
    known, kept, cut_off = new_cuid(), new_cuid(), new_cuid()
    mounts.create(kept)
    (mounts.layout.mount(kept) / "file").touch()
    mounts.create(cut_off)
    (mounts.staging.path / "0123/tree/deep").mkdir(parents=True)
    (mounts.staging.path / "file").write_text("litter")
    mounts.sweep({known})
    assert os.listdir(mounts.staging.path) == []
    assert sorted(os.listdir(mounts.layout.mounts)) == sorted([known, kept])


def test_staging_on_another_disk_is_told(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(Staging):
        def open(self) -> int:
            return os.open("/proc", os.O_RDONLY)

    mounts.staging = Elsewhere(mounts.staging.path)
    with pytest.raises(IoError, match="same file system"):
        mounts.sweep(set())


def test_a_mount_that_is_a_link_is_not_opened(mounts: Mounts, tmp_path: Path) -> None:
    cuid = new_cuid()
    os.symlink("/etc", mounts.layout.mount(cuid))
    with pytest.raises((AppError, OSError)):
        mounts.open(cuid)
