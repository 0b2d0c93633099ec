"""What a step of a container's life costs through REST, against Compose run by hand, in one run.

    python benchmarks/lifecycle.py [--rounds N] [--json FILE]

Three containers with the same Compose file take each step in turn: one through this server, one by the Compose
binary (`docker-compose -f FILE`), one as a person types it (`docker compose -f FILE`). Medians, and their ratios.
Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _server import Server, server

IMAGE = "python:3.12-slim"
STEPS = ("stop", "start", "restart", "pause", "unpause")
WAYS = ("rest", "binary", "docker compose")
BINARY = Path(sys.executable).with_name("docker-compose")


class Bench:
    """Containers for each way of doing it."""

    def __init__(self, one: Server, data_dir: Path, config: Path) -> None:
        self.one, self.data_dir = one, data_dir
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(config), "DOCKER_CONFIG": str(config)}
        self.times: dict[tuple[str, str], list[float]] = {}

    async def started(self) -> str:
        cuid = await self.one.create(image=IMAGE, command=["sleep", "100000"])
        await self.one.act("POST", f"/containers/{cuid}/start")
        return cuid

    async def step(self, way: str, verb: str, cuid: str) -> None:
        began = time.perf_counter()
        if way == "rest":
            method, path = ("DELETE", f"{cuid}?force=true") if verb == "down" else ("POST", f"{cuid}/{verb}")
            await self.one.act(method, f"/containers/{path}")
        else:
            program = [str(BINARY)] if way == "binary" else ["docker", "compose"]
            command = [*program, "-f", str(self.data_dir / "compose" / f"{cuid}.yml"), verb]
            await asyncio.to_thread(subprocess.run, command, env=self.environment, check=True, capture_output=True)
        self.times.setdefault((verb, way), []).append(time.perf_counter() - began)

    async def round(self, containers: dict[str, str]) -> None:
        for verb in STEPS:
            for way in random.sample(WAYS, len(WAYS)):
                await self.step(way, verb, containers[way])
        for way in random.sample(WAYS, len(WAYS)):
            await self.step(way, "down", await self.started())


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        data_dir, config = Path(name) / "data", Path(name) / "docker"
        data_dir.mkdir()
        (config / "cli-plugins").mkdir(parents=True)
        (config / "cli-plugins" / "docker-compose").symlink_to(BINARY)
        async with server(data_dir) as one:
            bench = Bench(one, data_dir, config)
            containers = {way: await bench.started() for way in WAYS}
            for turn in range(arguments.rounds):
                await bench.round(containers)
                print(f"\rround {turn + 1} of {arguments.rounds}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            for cuid in [path.stem for path in (data_dir / "compose").glob("c*.yml")]:
                await one.act("DELETE", f"/containers/{cuid}?force=true")
    figures = {}
    print(f"{'step':8} {'REST':>8} {'binary':>8} {'docker compose':>15}   medians in ms, then ratios of REST")
    for verb in (*STEPS, "down"):
        rest, binary, typed = (statistics.median(bench.times[verb, way]) * 1e3 for way in WAYS)
        print(f"{verb:8} {rest:8.0f} {binary:8.0f} {typed:15.0f}   {rest / binary:.2f}  {rest / typed:.2f}")
        figures[verb] = {"rest_ms": round(rest, 1), "binary_ms": round(binary, 1), "docker_compose_ms": round(typed, 1)}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
