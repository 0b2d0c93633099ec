"""Archives: hostile ones change nothing, good ones of every tool come out whole."""

import contextlib
import io
import os
import shutil
import stat
import struct
import subprocess
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hostile
import pytest
from forge import Forged, build
from good import GOOD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container_manager.errors import BadZip, NoSpace
from container_manager.store.archive_file import ArchiveFile
from container_manager.store.archive_names import leads_out, split_name
from container_manager.store.archive_tree import Limits, judge
from container_manager.store.archive_unpack import Unpacked, unpack
from container_manager.store.archive_write import zip_directory
from container_manager.store.mount import Mount
from container_manager.store.tree import remove_tree

LIMITS = Limits(unpacked=8 << 20, entries=2000, free=0)
HOSTILE = hostile.cases()


class Target:
    """A directory to unpack into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def take(self, data: bytes, limits: Limits = LIMITS) -> Unpacked:
        source = os.memfd_create("archive")
        into = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.write(source, data)
            return unpack(judge(ArchiveFile(source), limits), into, (1000, 1000), limits, lambda _: None)
        finally:
            os.close(into)
            os.close(source)

    def tree(self) -> dict[str, bytes | None]:
        found = sorted(self.root.rglob("*"))
        return {str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None for path in found}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "beside").write_text("untouched")
    return Target(tmp_path / "target")


# --- hostile ------------------------------------------------------------------------------------


def test_the_corpus_is_large() -> None:
    assert len(HOSTILE) >= 150
    assert len({name for name, _ in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in HOSTILE])
def test_a_hostile_archive_is_refused(target: Target, data: bytes) -> None:
    with pytest.raises(BadZip) as caught:
        target.take(data)
    assert caught.value.details["reason"]
    assert set(caught.value.details) == {"entry", "reason"}
    assert sorted(os.listdir(target.root.parent)) == ["beside", "target"]


def test_too_little_disk_is_told(target: Target) -> None:
    with pytest.raises(NoSpace):
        target.take(build(Forged(b"a")), Limits(8 << 20, 10, 1 << 62))


# --- good ---------------------------------------------------------------------------------------

CONTENT = {"a.txt": b"hello", "dir/b.bin": bytes(range(256)) * 500, "dir/empty": b"", "dir/sub/c": b"x" * 100_000}


def with_zipfile(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in CONTENT.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """Somewhere that cannot seek, as a socket cannot: writers use data descriptors then."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += memoryview(data)  # type: ignore[arg-type]
        return len(memoryview(data))  # type: ignore[arg-type]


def with_zipfile_streaming(force_zip64: bool) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, data in CONTENT.items():
            with archive.open(name, "w", force_zip64=force_zip64) as file:
                file.write(data)
    return bytes(pipe.data)


def with_tool(*command: str) -> Callable[[Path], bytes]:
    def make(where: Path) -> bytes:
        for name, data in CONTENT.items():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            (where / name).write_bytes(data)
        if shutil.which(command[0]) is None:
            pytest.fail(f"{command[0]} is missing: the tests need it", pytrace=False)
        done = subprocess.run(command, cwd=where, capture_output=True, timeout=60, check=True, stdin=subprocess.DEVNULL)
        out = where / "out.zip"
        return out.read_bytes() if out.exists() else done.stdout

    return make


TOOLS = {
    "zip": with_tool("zip", "-qr", "out.zip", "a.txt", "dir"),
    "zip -0": with_tool("zip", "-0qr", "out.zip", "a.txt", "dir"),
    "zip -9 without directories": with_tool("zip", "-9Dqr", "out.zip", "a.txt", "dir"),
    "zip to a pipe": with_tool("sh", "-c", "zip -qr - a.txt dir | cat"),
    "zip from a pipe in a pipe": with_tool("sh", "-c", "zip -qr - . -x out.zip | cat"),
    "zip -fz-": with_tool("zip", "-qrfz", "out.zip", "a.txt", "dir"),
    "zip with a comment": with_tool("sh", "-c", "echo a comment | zip -qrz out.zip a.txt dir >&2"),
    "self-extracting": with_tool(
        "sh", "-c", "zip -qr in.zip a.txt dir && (echo '#!/bin/sh'; cat in.zip) > out.zip && rm in.zip"
    ),
    "self-extracting, adjusted": with_tool(
        "sh", "-c", "zip -qr in.zip a.txt dir && (echo '#!/bin/sh'; cat in.zip) > out.zip && zip -qA out.zip; rm in.zip"
    ),
    "7z": with_tool("7z", "a", "-tzip", "-bso0", "out.zip", "a.txt", "dir"),
    "7z -mx9": with_tool("7z", "a", "-tzip", "-mx9", "-bso0", "out.zip", "a.txt", "dir"),
    "7z stored": with_tool("7z", "a", "-tzip", "-mx0", "-bso0", "out.zip", "a.txt", "dir"),
    "python -m zipfile": with_tool("python3", "-m", "zipfile", "-c", "out.zip", "a.txt", "dir"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_what_tools_make_is_taken(target: Target, tmp_path: Path, tool: str) -> None:
    where = tmp_path / "where"
    where.mkdir()
    unpacked = target.take(TOOLS[tool](where))
    assert {name: data for name, data in target.tree().items() if data is not None} == CONTENT
    assert unpacked.files == len(CONTENT)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_python_archives_are_taken(target: Target, method: int) -> None:
    target.take(with_zipfile(method))
    assert {name: data for name, data in target.tree().items() if data is not None} == CONTENT


@pytest.mark.parametrize("force_zip64", [False, True])
def test_streamed_archives_are_taken(target: Target, force_zip64: bool) -> None:
    target.take(with_zipfile_streaming(force_zip64))
    assert {name: data for name, data in target.tree().items() if data is not None} == CONTENT


@pytest.mark.parametrize("name", GOOD)
def test_a_good_archive_comes_out_whole(target: Target, name: str) -> None:
    data, expected = GOOD[name]
    target.take(data)
    assert target.tree() == dict(sorted(expected.items()))


def test_links_are_left_out_and_told(target: Target) -> None:
    assert target.take(GOOD["links inside"][0]).skipped == ("l", "m/n", "o")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o755, 0o755), (0o644, 0o644), (0o600, 0o600), (0o444, 0o644), (0o7755, 0o755), (0o4711, 0o711), (0o2777, 0o777)],
)
def test_execute_bits_survive_and_special_bits_do_not(target: Target, mode: int, expected: int) -> None:
    target.take(build(Forged(b"f", mode=stat.S_IFREG | mode), Forged(b"d/", b"", mode=stat.S_IFDIR | 0o7777)))
    assert stat.S_IMODE((target.root / "f").stat().st_mode) == expected
    assert stat.S_IMODE((target.root / "d").stat().st_mode) == 0o777
    assert (target.root / "f").stat().st_uid == (target.root / "d").stat().st_uid == 1000


def test_without_modes_files_get_usual_ones(target: Target) -> None:
    target.take(build(Forged(b"d/f", mode=0, host=0)))
    assert stat.S_IMODE((target.root / "d/f").stat().st_mode) == 0o644
    assert stat.S_IMODE((target.root / "d").stat().st_mode) == 0o755


def test_times_are_kept(target: Target) -> None:
    extra = struct.pack("<2HBl", 0x5455, 5, 1, 1_234_567_890)
    target.take(build(Forged(b"utc", central_extra=extra), Forged(b"local")))
    assert (target.root / "utc").stat().st_mtime == 1_234_567_890
    assert (target.root / "local").stat().st_mtime > 1_500_000_000


# --- properties ---------------------------------------------------------------------------------

QUIET = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(
    name=st.text(min_size=1, max_size=60) | st.text(alphabet="./\\%2eC: ．a", min_size=1, max_size=20),
    host=st.sampled_from([0, 3]),
)
def test_a_name_is_refused_or_lies_below(name: str, host: int) -> None:
    try:
        name.encode()
        parts, _ = split_name(name, host)
    except (BadZip, UnicodeEncodeError):
        return
    assert all(part not in ("", ".", "..") and "/" not in part for part in parts)
    assert os.path.normpath("/root/" + "/".join(parts)).startswith("/root")


@QUIET
@given(target=st.text(alphabet="./ap\\b", max_size=15), depth=st.integers(1, 4))
def test_a_link_that_is_taken_stays_inside(target: str, depth: int) -> None:
    where = tuple("d" * depth)
    if not leads_out(target, where):
        inside = target[4:] if target.startswith("/app") else "/".join(where[:-1]) + "/" + target
        assert os.path.normpath("/r/" * 1 + inside).startswith("/r")
        assert os.path.commonpath(["/r", os.path.normpath("/r/" + inside)]) == "/r"


SEEDS = [data for data, _ in GOOD.values()] + [with_zipfile(zipfile.ZIP_DEFLATED), with_zipfile_streaming(True)]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_archive_is_taken_or_refused_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, max(0, len(archive) - 1)))
        match data.draw(st.sampled_from(["set", "flip", "cut", "insert", "copy", "max"])):
            case "set":
                archive[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
            case "flip":
                archive[at : at + 1] = bytes(
                    byte ^ (1 << data.draw(st.integers(0, 7))) for byte in archive[at : at + 1]
                )
            case "cut":
                del archive[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                archive[at:at] = data.draw(st.binary(max_size=10))
            case "copy":
                archive[at:at] = archive[: data.draw(st.integers(0, 200))]
            case "max":
                archive[at : at + 4] = b"\xff" * 4
    root = tmp_path_factory.mktemp("mutated")
    with contextlib.suppress(BadZip):
        Target(root / "target").take(bytes(archive))
    assert os.listdir(root) == ["target"]
    shutil.rmtree(root)


# --- zip out ------------------------------------------------------------------------------------


def packed(root: Path) -> bytes:
    with ThreadPoolExecutor(2) as pool, Mount(os.open(root, os.O_RDONLY | os.O_DIRECTORY)) as mount:
        return b"".join(zip_directory(mount, pool))


def test_other_tools_read_what_is_packed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub/empty").mkdir(parents=True)
    (root / "small ü").write_bytes(b"x" * 3000)
    (root / "random").write_bytes(os.urandom(2_500_000))
    (root / "sub/large").write_bytes(b"line of text\n" * 300_000)
    (root / "none").touch()
    os.utime(root / "none", (-5, -5))
    os.utime(root / "small ü", (1 << 33, 1 << 33))
    archive = tmp_path / "a.zip"
    archive.write_bytes(packed(root))
    subprocess.run(["unzip", "-tqq", archive], check=True, timeout=60)
    subprocess.run(["7z", "t", "-bso0", archive], check=True, timeout=60)
    with zipfile.ZipFile(archive) as read:
        assert read.testzip() is None
        assert read.read("sub/large") == (root / "sub/large").read_bytes()
        assert read.getinfo("random").compress_type == zipfile.ZIP_STORED


def test_names_that_are_no_unicode_are_kept(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / os.fsdecode(b"caf\xe9")).write_text("x")
    with zipfile.ZipFile(io.BytesIO(packed(root))) as read:
        assert read.infolist()[0].flag_bits & 0x800 == 0
        assert read.namelist() == [b"caf\xe9".decode("cp437")]


def test_a_tree_of_3000_levels_is_packed(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    with zipfile.ZipFile(io.BytesIO(packed(tmp_path))) as read:
        assert len(read.namelist()) == 3000
    parent = os.open(tmp_path, os.O_RDONLY)
    remove_tree(parent, "d")
    os.close(parent)
    assert os.listdir(tmp_path) == []
