"""A server that is killed with SIGKILL: uploads are whole or absent, and those in parts go on."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from harness import PATIENCE, zipped

ROOT = Path(__file__).parents[2]
ROUNDS = 8
PASSWORD = "test-password"
FILES = 400


@contextlib.contextmanager
def server(data_dir: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server process on `data_dir`: its address, and itself; killed at the end."""
    log = data_dir / "server.out"
    environment = {
        "PATH": os.environ["PATH"],
        "APP_PASS": PASSWORD,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "DATA_DIR": str(data_dir),
        "MIN_FREE_BYTES": "0",
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "container_manager"],
            cwd=data_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"http://\S+:\d+", log.read_text(errors="replace"))):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.02)
        yield found[0], process
    finally:
        process.kill()
        process.wait()


def call(url: str, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, url + path, auth=("admin", PASSWORD), timeout=PATIENCE, **options)


def version_of(root: Path) -> set[str]:
    """The versions that the files of a tree have; one, unless something is mixed."""
    return {path.read_text().split()[0] for path in root.rglob("*") if path.is_file()}


def archive(version: int) -> bytes:
    """Every second one is so large that processes of their own unpack it."""
    files = {f"d{number % 7}/{number}.txt": f"v{version} {'x' * 2000}" for number in range(FILES - 1)}
    return zipped(files | {"large.txt": f"v{version} {os.urandom((version // 2 % 2) * (5 << 20)).hex()}"})


def inside(directory: Path) -> list[str]:
    """Processes that have something below `directory` open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(link).startswith(f"{directory}/"):
                found.append(link.parts[2])
    return found


def upload(url: str, path: str, body: bytes, answers: list[int]) -> None:
    headers = {"Content-Type": "application/zip"}
    with contextlib.suppress(requests.ConnectionError):
        answers.append(call(url, "POST", path, data=body, headers=headers).status_code)


def test_a_killed_upload_is_whole_or_absent(tmp_path: Path) -> None:
    """Each round's server first puts right what the one before was killed in."""
    random.seed(9)
    cuid, before, answers = "", set[str](), list[int]()
    for version in range(ROUNDS + 1):
        with server(tmp_path) as (url, process):
            if not cuid:
                cuid = call(url, "POST", "/containers", json={"image": "example/none:1"}).json()["cuid"]
            root = tmp_path / "mounts" / cuid
            after = version_of(root)
            assert os.listdir(tmp_path / "staging/work") == []
            assert len([path for path in root.rglob("*") if path.is_file()]) == (FILES if after else 0)
            # What was acknowledged is there; what was not, is there whole or not at all.
            assert after == {f"v{version - 1}"} or (after == before and not answers)
            before, answers = after, []
            path = f"/containers/{cuid}/upload-zip?mode={('merge', 'replace')[version % 2]}"
            sender = threading.Thread(target=upload, args=(url, path, archive(version), answers))
            sender.start()
            time.sleep(random.uniform(0.01, 0.4))
            os.kill(process.pid, signal.SIGKILL)
            sender.join()
            deadline = time.monotonic() + PATIENCE
            while inside(tmp_path / "staging") and time.monotonic() < deadline:
                time.sleep(0.01)
            assert inside(tmp_path / "staging") == []


def test_an_upload_in_parts_outlives_the_server(tmp_path: Path) -> None:
    body = zipped({"big.bin": os.urandom(3 << 20), "small": "x"})
    with server(tmp_path) as (url, process):
        cuid = call(url, "POST", "/containers", json={"image": "example/none:1"}).json()["cuid"]
        path = call(url, "POST", f"/containers/{cuid}/uploads", json={"size": len(body)}).headers["Location"]
        part = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        assert call(url, "PATCH", path, data=body[: 1 << 20], headers=part).json()["offset"] == 1 << 20
        os.kill(process.pid, signal.SIGKILL)
    with server(tmp_path) as (url, _):
        seen = call(url, "GET", path).json()
        assert (seen["state"], seen["offset"]) == ("receiving", 1 << 20)
        part["Upload-Offset"] = str(seen["offset"])
        done = call(url, "PATCH", path, data=body[seen["offset"] :], headers=part).json()
        assert (done["state"], done["result"]["files"]) == ("done", 2)
    assert (tmp_path / "mounts" / cuid / "big.bin").stat().st_size == 3 << 20
