"""What a step of a container's life costs through REST, against Compose run by hand, in one run.

    python benchmarks/lifecycle.py [--rounds N] [--json FILE] [--publish]

Containers with the same Compose file take each step in turn: one through this server, one by the Compose binary
(`docker-compose -f FILE`), one as a person types it (`docker compose -f FILE`); once without ports and once with one.
Medians, and their ratios. Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _report import Comparison, publish
from _server import Server, server

APP = {"image": "python:3.12-slim", "command": ["sleep", "100000"], "resources": {"pids": 20, "memory": "64m"}}
STEPS = ("stop", "start", "restart", "pause", "unpause")
FIRST, LAST = "first start", "delete"
BY_HAND = {FIRST: ("up", "--detach"), LAST: ("down",)}
US, BINARY, TYPED = WAYS = ("container-manager", "Compose binary", "docker compose")
KINDS = ("without ports", "with a port")
PROGRAM = Path(sys.executable).with_name("docker-compose")
GOAL = "≤ 1.10 × binary, < docker compose"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Bench:
    """Containers for each way of doing it."""

    def __init__(self, one: Server, data_dir: Path, config: Path) -> None:
        self.one, self.data_dir = one, data_dir
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(config), "DOCKER_CONFIG": str(config)}
        self.seconds: dict[tuple[str, str, str], list[float]] = {}

    async def create(self, kind: str) -> str:
        ports: dict[str, Any] = {"ports": [{"host": free_port(), "container": 80}]} if kind == KINDS[1] else {}
        return await self.one.create(**APP, **ports)

    async def step(self, kind: str, way: str, step: str, cuid: str) -> None:
        began = time.perf_counter()
        if way == US:
            verb = "start" if step == FIRST else step
            method, path = ("DELETE", f"{cuid}?force=true") if step == LAST else ("POST", f"{cuid}/{verb}")
            await self.one.act(method, f"/containers/{path}")
        else:
            program = [str(PROGRAM)] if way == BINARY else ["docker", "compose"]
            file = str(self.data_dir / "compose" / f"{cuid}.yml")
            command = [*program, "-f", file, *BY_HAND.get(step, (step,))]
            await asyncio.to_thread(subprocess.run, command, env=self.environment, check=True, capture_output=True)
        self.seconds.setdefault((kind, step, way), []).append(time.perf_counter() - began)

    async def round(self, containers: dict[tuple[str, str], str]) -> None:
        """Every step of those that live long, then the first and the last one of others."""
        for step in STEPS:
            for kind, way in random.sample(list(containers), len(containers)):
                await self.step(kind, way, step, containers[kind, way])
        for kind, way in random.sample(list(containers), len(containers)):
            cuid = await self.create(kind)
            await self.step(kind, way, FIRST, cuid)
            await self.step(kind, way, LAST, cuid)

    def medians(self) -> list[Comparison]:
        return [
            Comparison(
                f"{step}, {kind}",
                "ms",
                {way: round(statistics.median(self.seconds[kind, step, way]) * 1e3, 1) for way in WAYS},
                GOAL,
            )
            for kind in KINDS
            for step in (FIRST, *STEPS, LAST)
        ]


async def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        data_dir, config = Path(name) / "data", Path(name) / "docker"
        data_dir.mkdir()
        (config / "cli-plugins").mkdir(parents=True)
        (config / "cli-plugins" / "docker-compose").symlink_to(PROGRAM)
        async with server(data_dir) as one:
            bench = Bench(one, data_dir, config)
            try:
                containers = {(kind, way): await bench.create(kind) for kind in KINDS for way in WAYS}
                for cuid in containers.values():
                    await one.act("POST", f"/containers/{cuid}/start")
                for turn in range(rounds):
                    await bench.round(containers)
                    print(f"\rround {turn + 1} of {rounds}", end="", file=sys.stderr, flush=True)
                print(file=sys.stderr)
            finally:
                for cuid in [path.stem for path in (data_dir / "compose").glob("c*.yml")]:
                    await one.act("DELETE", f"/containers/{cuid}?force=true")
    return bench.medians()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    comparisons = asyncio.run(measure(arguments.rounds))
    print(f"{'ms':28} {US:>18} {BINARY:>15} {TYPED:>15}   ratios")
    for one in comparisons:
        ours, binary, typed = one.values.values()
        print(f"{one.what:28} {ours:18.0f} {binary:15.0f} {typed:15.0f}   {ours / binary:.2f}  {ours / typed:.2f}")
    if arguments.json:
        figures = {one.what: one.values for one in comparisons}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.publish:
        note = f"Medians of {arguments.rounds} rounds, the three in random order. The ratio is to the Compose binary."
        publish("lifecycle", "A step of a container's life", comparisons, note)


if __name__ == "__main__":
    main()
