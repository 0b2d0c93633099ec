"""Files, measured on this machine: archives in and out, each against the tool that people use for it, in one run.

    python benchmarks/files.py [--json FILE]

A server of its own (no engine needed) gets the archives over HTTP. Times end when the answer is there: the server
has synced everything to the disk by then, `unzip` and `zip` have not.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from _server import PASSWORD, Server, server

MIB = 1 << 20


class Watch:
    """Another client meanwhile: times of `GET …/status`, and the most memory that the server took."""

    def __init__(self, server: Server, cuid: str) -> None:
        self.server, self.cuid = server, cuid
        self.times: list[float] = []
        self.base = self.peak = server.memory()

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        async with aiohttp.ClientSession(self.server.url, headers=headers) as session:
            while True:
                start = time.perf_counter()
                async with session.get(f"/containers/{self.cuid}/status") as response:
                    await response.read()
                self.times.append(time.perf_counter() - start)
                self.peak = max(self.peak, self.server.memory())
                await asyncio.sleep(0.005)

    def told(self) -> dict[str, Any]:
        times = sorted(self.times) or [0.0]
        return {
            "status_p50_ms": round(times[len(times) // 2] * 1e3, 2),
            "status_p99_ms": round(times[int(len(times) * 0.99)] * 1e3, 2),
            "status_requests": len(self.times),
            "extra_memory_mib": round((self.peak - self.base) / MIB, 1),
        }


def source_tree(root: Path, size: int) -> None:
    """Source code and some binaries, from this Python's own library, until `size` bytes are there."""
    library = Path(os.__file__).parent
    files = sorted(
        path for path in library.rglob("*") if path.is_file() and path.suffix in (".py", ".so", ".txt", ".exe")
    )
    written = copy = 0
    while written < size:
        for path in files:
            target = root / str(copy) / path.relative_to(library)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            written += target.stat().st_size
            if written >= size:
                break
        copy += 1


def small_tree(root: Path, count: int) -> None:
    """`count` files of about 2 KB in 200 directories."""
    random.seed(1)
    words = [os.urandom(5).hex() for _ in range(500)]
    for number in range(count):
        directory = root / f"d{number % 200}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{number}.txt").write_text(" ".join(random.choices(words, k=180)))


def sizes_of(tree: Path) -> list[int]:
    return [path.stat().st_size for path in tree.rglob("*") if path.is_file()]


def run(command: list[str], where: Path, output: Path | None = None) -> float:
    start = time.perf_counter()
    with (output or Path(os.devnull)).open("wb") as stdout:
        subprocess.run(command, cwd=where, stdout=stdout, check=True)
    return time.perf_counter() - start


async def timed(action: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await action()
    return time.perf_counter() - start


async def in_and_out(work: Path, name: str, tree: Path, rounds: int) -> dict[str, Any]:
    """One tree as an archive into a container and out again, against unzip and `zip -r -`; the best of `rounds`."""
    archive = work / f"{name}.zip"
    sizes = sizes_of(tree)
    size = sum(sizes)
    zips, unzips, ins, outs = [], [], [], []
    told: dict[str, Any] = {}
    for turn in range(rounds):
        zips.append(run(["zip", "-qr", "-", "."], tree, archive))
        target = work / f"unzip-{name}-{turn}"
        target.mkdir()
        unzips.append(run(["unzip", "-q", str(archive)], target))
        async with server(_fresh(work / f"data-{name}-{turn}")) as one:
            cuid, other = await one.create(), await one.create()
            async with Watch(one, other) as watch_in:
                ins.append(await timed(lambda one=one, cuid=cuid: one.upload(cuid, archive)))  # type: ignore[misc]
            async with Watch(one, other) as watch_out:
                start = time.perf_counter()
                packed = await one.download(cuid)
                outs.append(time.perf_counter() - start)
            told = {"in": watch_in.told(), "out": watch_out.told()}
    return {
        "files": len(sizes),
        "mib": round(size / MIB, 1),
        "archive_mib": round(archive.stat().st_size / MIB, 1),
        "unzip_s": round(min(unzips), 3),
        "upload_s": round(min(ins), 3),
        "upload_of_unzip": round(min(ins) / min(unzips), 2),
        "zip_s": round(min(zips), 3),
        "download_s": round(min(outs), 3),
        "download_of_zip_rate": round(min(zips) / min(outs), 2),
        "download_of_zip_size": round(packed / archive.stat().st_size, 3),
        "meanwhile": told,
    }


async def large(work: Path) -> dict[str, Any]:
    """An archive of 1 GiB, in and out: how much memory the server takes."""
    archive = work / "large.zip"
    block = os.urandom(MIB)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for number in range(8):
            with out.open(f"{number}.bin", "w") as file:
                for _ in range(128):
                    file.write(block)
    async with server(_fresh(work / "data-large")) as one:
        cuid, other = await one.create(), await one.create()
        async with Watch(one, other) as watch_in:
            seconds_in = await timed(lambda: one.upload(cuid, archive))
        async with Watch(one, other) as watch_out:
            seconds_out = await timed(lambda: one.download(cuid))
    return {
        "archive_mib": round(archive.stat().st_size / MIB),
        "in": {"seconds": round(seconds_in, 2), **watch_in.told()},
        "out": {"seconds": round(seconds_out, 2), **watch_out.told()},
    }


def _fresh(path: Path) -> Path:
    path.mkdir()
    return path


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-large", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=os.environ.get("BENCHMARK_DIR")) as name:
        work = Path(name)
        source_tree(work / "source", 650 * MIB)
        small_tree(work / "small", 20_000)
        figures: dict[str, Any] = {
            "source code": await in_and_out(work, "source", work / "source", arguments.rounds),
            "20,000 small files": await in_and_out(work, "small", work / "small", arguments.rounds),
        }
        if not arguments.skip_large:
            figures["1 GiB archive"] = await large(work)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
