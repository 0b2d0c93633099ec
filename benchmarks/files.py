"""Files, measured on this machine: archives in and out, each against the tool that people use for it, in one run.

    python benchmarks/files.py [--rounds N] [--skip-large] [--json FILE] [--publish]

A server of its own (no engine needed) gets the archives over HTTP, from curl. Times end when the answer is there: the
server has synced everything to the disk by then, `unzip` and `zip` have not. The two take turns, and nothing is deleted
before the end: ext4 makes files several times slower just after many were deleted.

What another client sees meanwhile, and the memory that it takes, are measured in rounds of their own, so that they
cost the others nothing.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
from _report import Comparison, publish
from _server import PASSWORD, Server, server

MIB = 1 << 20
US = "container-manager"
SOURCE_BYTES = 650 * MIB
SMALL_FILES = 20_000
LOOK_SECONDS = 0.05


class Watch:
    """Another client meanwhile: times of `GET …/status`, and the most memory that the server and its helpers took."""

    def __init__(self, server: Server, cuid: str) -> None:
        self.server, self.cuid = server, cuid
        self.times: list[float] = []
        self.base = self.peak = memory(server.process.pid)

    async def __aenter__(self) -> "Watch":
        self._tasks = [asyncio.create_task(self._ask()), asyncio.create_task(self._weigh())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self) -> None:
        headers = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
        async with aiohttp.ClientSession(self.server.url, headers=headers) as session:
            while True:
                start = time.perf_counter()
                async with session.get(f"/containers/{self.cuid}/status") as response:
                    await response.read()
                self.times.append(time.perf_counter() - start)
                await asyncio.sleep(0.005)

    async def _weigh(self) -> None:
        while True:
            self.peak = max(self.peak, memory(self.server.process.pid))
            await asyncio.sleep(LOOK_SECONDS)

    def told(self) -> dict[str, Any]:
        times = sorted(self.times) or [0.0]
        return {
            "status_p50_ms": round(times[len(times) // 2] * 1e3, 2),
            "status_p99_ms": round(times[int(len(times) * 0.99)] * 1e3, 2),
            "status_requests": len(self.times),
            "extra_memory_mib": round((self.peak - self.base) / MIB, 1),
        }


def memory(process: int) -> int:
    """Bytes that the server and its helpers take, what they share counted once; not the engine's clients."""
    total = 0
    try:
        if os.readlink(f"/proc/{process}/exe") == os.path.realpath(sys.executable):
            with open(f"/proc/{process}/smaps_rollup") as rollup:
                total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            total += sum(memory(int(child)) for child in children.read_text().split())
    except (OSError, StopIteration):
        # It has ended meanwhile.
        pass
    return total


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


def large_archive(path: Path) -> None:
    """A GiB that cannot be packed any smaller."""
    block = os.urandom(MIB)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(8):
            with archive.open(f"{number}.bin", "w") as file:
                for _ in range(128):
                    file.write(block)


async def run(*command: str | Path, where: Path | None = None, output: Path | None = None) -> tuple[float, bytes]:
    """Seconds that `command` takes, and its output unless that goes to a file.

    Everything is synced before: what one leaves to be written, the other should not have to wait for.
    """
    await asyncio.to_thread(os.sync)
    with (output or Path(os.devnull)).open("wb") as file:
        start = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *command, cwd=where, stdin=subprocess.DEVNULL, stdout=file if output else subprocess.PIPE
        )
        printed, _ = await process.communicate()
        seconds = time.perf_counter() - start
    assert process.returncode == 0, command
    return seconds, printed


def curl(one: Server, path: str, *more: str | Path) -> list[str | Path]:
    return ["curl", "-sSf", "-u", f"admin:{PASSWORD}", "-o", os.devnull, *more, one.url + path]


async def upload(one: Server, cuid: str, archive: Path) -> float:
    options = ("-X", "POST", "-H", "Content-Type: application/zip", "-T", archive)
    return (await run(*curl(one, f"/containers/{cuid}/upload-zip", *options)))[0]


async def download(one: Server, cuid: str) -> tuple[float, int]:
    seconds, size = await run(*curl(one, f"/containers/{cuid}/download-zip", "-w", "%{size_download}"))
    return seconds, int(size)


async def in_and_out(one: Server, work: Path, name: str, rounds: int) -> dict[str, Any]:
    """One tree as an archive into a container and out again, against unzip and `zip -r -`, medians of `rounds`."""
    tree, archive = work / name, work / f"{name}.zip"
    files = [path for path in tree.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    times: dict[str, list[float]] = {"zip": [], "unzip": [], "upload": [], "download": []}
    packed = 0
    for turn in range(rounds):
        seconds, _ = await run("zip", "-qr", "-", ".", where=tree, output=archive)
        times["zip"].append(seconds)
        cuid, target = await one.create(), work / f"unzip-{name}-{turn}"
        target.mkdir()
        for ours in (True, False) if turn % 2 else (False, True):
            if ours:
                times["upload"].append(await upload(one, cuid, archive))
            else:
                times["unzip"].append((await run("unzip", "-q", archive, where=target))[0])
        seconds, packed = await download(one, cuid)
        times["download"].append(seconds)
    return {
        "files": len(files),
        "mib": round(size / MIB, 1),
        "archive_mib": round(archive.stat().st_size / MIB, 1),
        "download_mib": round(packed / MIB, 1),
        **{f"{what}_s": round(statistics.median(seconds), 3) for what, seconds in times.items()},
        "all_s": {what: [round(one, 3) for one in seconds] for what, seconds in times.items()},
        "meanwhile": await meanwhile(one, archive),
    }


async def meanwhile(one: Server, archive: Path) -> dict[str, Any]:
    """What another client sees while `archive` goes in and out once more."""
    cuid, other = await one.create(), await one.create()
    async with Watch(one, other) as watch_in:
        await upload(one, cuid, archive)
    async with Watch(one, other) as watch_out:
        await download(one, cuid)
    return {"in": watch_in.told(), "out": watch_out.told()}


async def measure(rounds: int, *, skip_large: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=os.environ.get("BENCHMARK_DIR")) as name:
        work = Path(name)
        source_tree(work / "source", SOURCE_BYTES)
        small_tree(work / "small", SMALL_FILES)
        if not skip_large:
            large_archive(work / "large.zip")
        os.sync()
        data = work / "data"
        data.mkdir()
        async with server(data) as one:
            # The first of everything loads code; that is no part of what comes later.
            await upload(one, warm := await one.create(), warming(work))
            await download(one, warm)
            figures = {what: await in_and_out(one, work, what, rounds) for what in ("small", "source")}
            if not skip_large:
                figures["large"] = {"meanwhile": await meanwhile(one, work / "large.zip")}
        return figures


def warming(work: Path) -> Path:
    archive = work / "warming.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("x", os.urandom(3 * MIB))
    return archive


def comparisons(figures: dict[str, Any]) -> list[Comparison]:
    found = []
    texts = {
        "source": ("{archive_mib:.0f} MiB archive of {files:,} files", "{mib:.0f} MiB of source code", "≤ 0.8 × unzip"),
        "small": ("archive of {files:,} small files", "{files:,} small files", "≤ 1.0 × unzip"),
    }
    for what in ("source", "small"):
        one = figures[what]
        comes_in, goes_out, goal = texts[what][0].format(**one), texts[what][1].format(**one), texts[what][2]
        found += [
            Comparison(f"In: {comes_in}", "s", {US: one["upload_s"], "unzip, zip": one["unzip_s"]}, goal),
            Comparison(
                f"Out: {goes_out}",
                "MiB/s",
                {US: one["mib"] / one["download_s"], "unzip, zip": one["mib"] / one["zip_s"]},
                "≥ 4 × zip" if what == "source" else "",
            ),
            Comparison(
                "Its size as a zip", "MiB", {US: one["download_mib"], "unzip, zip": one["archive_mib"]}, "≤ 1.1 × zip"
            ),
        ]
    names = {"source": "source code", "small": "small files", "large": "1 GiB archive"}
    for what, way in ((what, way) for what in figures for way in ("in", "out")):
        told = figures[what]["meanwhile"][way]
        label = f"{names[what]} {way}"
        found.append(
            Comparison(f"`GET …/status` meanwhile, p99: {label}", "ms", {US: told["status_p99_ms"]}, "< 20 ms")
        )
        if what == "large":
            found.append(Comparison(f"Extra memory: {label}", "MiB", {US: told["extra_memory_mib"]}, "< 64 MiB"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip-large", action="store_true")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.rounds, skip_large=arguments.skip_large))
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.publish:
        note = (
            f"Medians of {arguments.rounds} rounds, the two in turns. The server's times end when everything is on the "
            "disk; the tools do not wait for that. Memory is that of the server and its helper processes."
        )
        publish("files", "Files in and out", comparisons(figures), note)


if __name__ == "__main__":
    main()
