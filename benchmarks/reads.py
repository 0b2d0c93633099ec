"""What reads cost with many containers: the list and a state, against the engine's own ways to ask, in one run.

    python benchmarks/reads.py [--running N] [--stopped N] [--json FILE]

Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _server import PASSWORD, Server, server

IMAGE = "python:3.12-slim"
LIMITS = {"memory": "16m", "pids": 8}


class Connection:
    """A kept-open connection that asks one thing again and again, with as little of a client as can be."""

    def __init__(self, port: int, path: str) -> None:
        credentials = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Basic {credentials}\r\n\r\n"
        self._port, self._request = port, head.encode()

    async def __aenter__(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self) -> bytes:
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return await self._reader.readexactly(length)


async def latency(port: int, path: str, times: int = 300) -> dict[str, float]:
    """One request after the other, in ms."""
    taken = []
    async with Connection(port, path) as connection:
        await connection.ask()
        for _ in range(times):
            began = time.perf_counter()
            await connection.ask()
            taken.append((time.perf_counter() - began) * 1e3)
    return {"p50_ms": round(statistics.median(taken), 2), "p99_ms": round(sorted(taken)[int(times * 0.99)], 2)}


async def rate(port: int, path: str, seconds: float = 4.0, connections: int = 8) -> float:
    """Answers a second over some connections at once."""
    count = 0

    async def ask_on(until: float) -> None:
        nonlocal count
        async with Connection(port, path) as connection:
            while time.perf_counter() < until:
                await connection.ask()
                count += 1

    began = time.perf_counter()
    await asyncio.gather(*(ask_on(began + seconds) for _ in range(connections)))
    return round(count / (time.perf_counter() - began))


def command(words: list[str], times: int = 5) -> float:
    """Median ms of a command."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        taken.append((time.perf_counter() - began) * 1e3)
    return round(statistics.median(taken), 1)


async def many(one: Server, count: int, make: Callable[[], Any]) -> None:
    """`count` containers, four at a time."""
    gate = asyncio.Semaphore(4)

    async def make_one() -> None:
        async with gate:
            await make()

    await asyncio.gather(*(make_one() for _ in range(count)))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--running", type=int, default=300)
    parser.add_argument("--stopped", type=int, default=2000)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        data_dir = Path(name)
        async with server(data_dir) as one:
            port = int(one.url.rsplit(":", 1)[1])

            async def start() -> None:
                cuid = await one.create(image=IMAGE, command=["sleep", "100000"], resources=LIMITS)
                await one.act("POST", f"/containers/{cuid}/start")

            began = time.perf_counter()
            await many(one, arguments.running, start)
            figures["starts_per_second"] = round(arguments.running / (time.perf_counter() - began), 1)
            cuid = next((data_dir / "compose").glob("c*.yml")).stem
            figures["list"] = await latency(port, f"/containers?limit={arguments.running}")
            figures["list_per_second"] = await rate(port, f"/containers?limit={arguments.running}")
            figures["status"] = await latency(port, f"/containers/{cuid}/status")
            figures["docker ps"] = {"p50_ms": command(["docker", "ps", "--all"])}
            api = ["curl", "-sf", "--unix-socket", "/var/run/docker.sock", "http://x/containers/json?all=1"]
            figures["the engine's API, by curl"] = {"p50_ms": command(api)}
            compose = Path(sys.executable).with_name("docker-compose")
            figures["compose ls"] = {"p50_ms": command([str(compose), "ls", "--all"])}
            for path in [path.stem for path in (data_dir / "compose").glob("c*.yml")]:
                await one.act("DELETE", f"/containers/{path}?force=true")

            await many(one, 20, lambda: one.create(tags=["few"]))
            figures["page of 20 among 20"] = await latency(port, "/containers?limit=20")
            await many(one, arguments.stopped - 20, one.create)
            figures[f"page of 20 among {arguments.stopped}"] = await latency(port, "/containers?limit=20")
        began = time.perf_counter()
        async with server(data_dir):
            figures[f"start with {arguments.stopped} files"] = {"seconds": round(time.perf_counter() - began, 2)}
    print(json.dumps(figures, indent=2))
    print(f"{os.cpu_count()} processors", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
