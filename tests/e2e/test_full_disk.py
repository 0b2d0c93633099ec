"""A data directory whose disk is full: what is refused, that nothing is half written, and that it heals."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from container_manager.settings import Settings
from harness import Client, eventually, make_settings, serve, zipped

SIZE = 4 << 20
INODES = 2000


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path_factory.mktemp("disk")
    options = f"size={SIZE},nr_inodes={INODES},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)


@pytest.fixture(scope="module")
def server_settings(disk: Path, busybox: str) -> Settings:
    return make_settings(disk, network="none", stop_timeout=1.0, default_pids=200)


def fill(path: Path) -> None:
    """Take all the space that there is."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below it, with the content of files."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


async def no_space(client: Client, method: str, path: str, **options: Any) -> None:
    error = await client.refused(method, path, status=507, code="NO_SPACE", **options)
    assert error["error"] == "io_error"


async def test_nothing_is_half_written_and_it_heals(client: Client, disk: Path) -> None:
    cuid = await client.create(command=["sleep", "1000000"])
    await client.upload(cuid, {"a.txt": "old", "b.txt": "old"})
    started = await client.call(
        "POST", f"/containers/{cuid}/uploads", expect=201, json={"kind": "file", "path": "part.bin", "size": 100_000}
    )
    before = {name: tree(disk / name) for name in ("compose", "mounts", "staging")}
    ballast = disk / "ballast"
    await asyncio.to_thread(fill, ballast)

    archive = zipped({"a.txt": "new", "b.txt": "new", "c.txt": "new" * 5000})
    await no_space(client, "POST", "/containers", json={"image": "tests-busybox:latest"})
    await no_space(client, "PATCH", f"/containers/{cuid}", json={"env": {"A": "1" * 5000}})
    await no_space(client, "PATCH", f"/containers/{cuid}/ports", json={"ports": [{"host": 0, "container": 80}]})
    await no_space(
        client, "POST", f"/containers/{cuid}/upload-zip", data=archive, headers={"Content-Type": "application/zip"}
    )
    await no_space(client, "PUT", f"/containers/{cuid}/files", params={"path": "a.txt"}, data=b"new" * 5000)
    await no_space(
        client,
        "PATCH",
        f"/containers/{cuid}/uploads/{started['id']}",
        data=b"x" * 100_000,
        headers={"Upload-Offset": "0"},
    )

    assert {name: tree(disk / name) for name in ("compose", "mounts", "staging")} == before
    assert (await client.call("GET", f"/containers/{cuid}"))["env"] == {}
    ballast.unlink()
    await client.upload(cuid, {"a.txt": "new", "b.txt": "new"})
    changed = await client.call("PATCH", f"/containers/{cuid}", json={"env": {"A": "1"}})
    assert changed["env"] == {"A": "1"}
    await client.delete(await client.create())
    assert (await client.act(cuid, "start"))["status"] == "running"


async def test_what_frees_space_works_on_a_full_disk(client: Client, disk: Path) -> None:
    cuid = await client.run()
    await client.upload(cuid, {"large.bin": b"x" * 500_000, **{f"d/{n}/f.txt": "x" for n in range(50)}})
    ballast = disk / "ballast"
    await asyncio.to_thread(fill, ballast)
    try:
        assert (await client.act(cuid, "stop"))["status"] == "exited"
        assert (await client.act(cuid, "start"))["status"] == "running"
        await client.call("DELETE", f"/containers/{cuid}/files", params={"path": "large.bin"})
        await client.delete(cuid)
        assert not (disk / "mounts" / cuid).exists()
    finally:
        ballast.unlink()


async def test_an_audit_log_that_cannot_be_written_is_told_and_comes_back(client: Client, disk: Path) -> None:
    ballast = disk / "ballast"
    await asyncio.to_thread(fill, ballast)

    async def told() -> Any:
        health = await client.call("GET", "/healthz")
        return health["status"] == "degraded" and health["audit"]

    try:
        # What is left of the log's last block takes some lines yet.
        assert "No space left" in await eventually(told, what="the failing audit log on /healthz")
    finally:
        ballast.unlink()

    async def well() -> bool:
        return (await client.call("GET", "/healthz"))["status"] == "healthy"

    await eventually(well, what="the audit log's return")
    text = (disk / "logs" / "actions.jsonl").read_text()
    assert text.endswith("\n")


async def test_a_server_starts_on_a_full_disk(client: Client, disk: Path, busybox: str) -> None:
    """Nothing that it must have needs room."""
    other = disk / "other"
    other.mkdir()
    settings = make_settings(other, network="none")
    async with serve(settings) as first:
        cuid = await first.create(command=["true"])
    ballast = disk / "ballast"
    await asyncio.to_thread(fill, ballast)
    try:
        async with serve(settings) as second:
            assert (await second.call("GET", f"/containers/{cuid}"))["problem"] is None
            await second.delete(cuid)
    finally:
        ballast.unlink()
