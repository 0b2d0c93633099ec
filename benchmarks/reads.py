"""What reads cost with many containers: the list and a state, against the engine's own ways to ask, in one run.

    python benchmarks/reads.py [--running N] [--stopped N] [--json FILE] [--publish]

The server has one processor for itself and the client another. Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from _raw import DOCKER, Connection, Latency, get, latency, rate
from _report import Comparison, publish
from _server import Server, remove_containers, server

IMAGE = "python:3.12-slim"
APP = {"image": IMAGE, "command": ["sleep", "100000"], "resources": {"memory": "16m", "pids": 8}}
COMPOSE = str(Path(sys.executable).with_name("docker-compose"))
US, ENGINE, DOCKER_CLI, COMPOSE_CLI = "container-manager", "the engine's API", "docker", "Compose"
FEW = "with 20 containers"
PAGE = 20


def command(*words: str, times: int = 5) -> float:
    """Median ms of a command."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


async def many(count: int, step: Callable[[], Awaitable[object]]) -> None:
    """`step` as often as told, four at a time."""
    gate = asyncio.Semaphore(4)

    async def one() -> None:
        async with gate:
            await step()

    await asyncio.gather(*(one() for _ in range(count)))


def alone(one: Server) -> None:
    """The server gets one processor, this client another."""
    for thread in os.listdir(f"/proc/{one.process.pid}/task"):
        os.sched_setaffinity(int(thread), {0})
    os.sched_setaffinity(0, {1})


def shared(one: Server) -> None:
    """Both on every processor again."""
    for process in (0, *map(int, os.listdir(f"/proc/{one.process.pid}/task"))):
        os.sched_setaffinity(process, range(os.cpu_count() or 1))


def saturated(one: Server, port: int, path: str) -> tuple[float, float]:
    """Answers a second when the server has its hands full, and the ms of its processor that each takes."""
    seconds = 4.0
    before = one.processor()
    answers = rate(port, path, seconds)
    return answers, (one.processor() - before) / (answers * seconds) * 1e3


def running(one: Server, port: int, count: int, cuid: str) -> list[Comparison]:
    """The list and a state, asked in every way."""
    everything, state = f"/containers?limit={count}", f"/containers/{cuid}/status"
    ours, engines = latency(port, everything), latency(DOCKER, "/containers/json?all=1", 50)
    state_ours, state_engines = latency(port, state), latency(DOCKER, f"/containers/{cuid}/json", 100)
    (lists, list_cost), (states, state_cost) = saturated(one, port, everything), saturated(one, port, state)
    return [
        Comparison(
            f"list of {count} running, median",
            "ms",
            {
                US: ours.p50,
                ENGINE: engines.p50,
                DOCKER_CLI: command("docker", "ps", "--all"),
                COMPOSE_CLI: command(COMPOSE, "ls", "--all"),
            },
            "< 5 ms",
        ),
        Comparison(f"list of {count} running, p99", "ms", {US: ours.p99, ENGINE: engines.p99}),
        Comparison(
            "state of one, median",
            "ms",
            {
                US: state_ours.p50,
                ENGINE: state_engines.p50,
                DOCKER_CLI: command("docker", "inspect", cuid),
                COMPOSE_CLI: command(COMPOSE, "-p", cuid, "ps", "--all"),
            },
            "< 2 ms",
        ),
        Comparison("state of one, p99", "ms", {US: state_ours.p99, ENGINE: state_engines.p99}),
        Comparison("lists for a second of one processor", "lists", {US: 1e3 / list_cost}, "≥ 2,000"),
        Comparison("states for a second of one processor", "states", {US: 1e3 / state_cost}),
        Comparison("lists a second", "a second", {US: lists, ENGINE: rate(DOCKER, "/containers/json?all=1")}),
        Comparison("states a second", "a second", {US: states}),
    ]


async def after_a_change(one: Server, port: int, cuid: str, count: int) -> float:
    """Median ms of the first list after a change, when it has to be made anew."""
    taken = []
    connection = Connection(port, f"/containers?limit={count}")
    for number in range(20):
        async with one.session.patch(f"/containers/{cuid}", json={"tags": [str(number)]}) as response:
            assert response.status == 200, await response.text()
        began = time.perf_counter()
        connection.ask()
        taken.append((time.perf_counter() - began) * 1e3)
    connection.close()
    return statistics.median(taken)


def pages(port: int) -> dict[str, Latency]:
    """Pages of the list of all: its ends, its middle, and what filters leave."""
    cursors, cursor = [""], ""
    while (
        cursor := get(port, f"/containers?limit={PAGE}&cursor={cursor}".removesuffix("&cursor="))["next_cursor"] or ""
    ):
        cursors.append(f"&cursor={cursor}")
    queries = {
        "first page": "",
        "middle page": cursors[len(cursors) // 2],
        "last page": cursors[-1],
        "page of those that exited": "&status=exited",
        "page of a tag": "&tag=few",
        "page of a tag that none has": "&tag=none",
    }
    return {what: latency(port, f"/containers?limit={PAGE}{query}") for what, query in queries.items()}


async def measured(data_dir: Path, many_running: int, many_stopped: int) -> list[Comparison]:
    figures: list[Comparison] = []
    async with server(data_dir) as one:
        port = int(one.url.rsplit(":", 1)[1])
        await many(PAGE, lambda: one.create(tags=["few"]))
        alone(one)
        few = pages(port)
        shared(one)

        async def start() -> None:
            cuid = await one.create(**APP)
            await one.act("POST", f"/containers/{cuid}/start")

        await many(many_running, start)
        listed = get(port, "/containers?limit=1000&status=running")["containers"]
        assert len(listed) == many_running
        cuid = listed[0]["cuid"]
        alone(one)
        figures += running(one, port, many_running, cuid)
        shared(one)
        unused = get(port, "/containers?limit=1")["containers"][0]["cuid"]
        changed = await after_a_change(one, port, unused, many_running)
        figures.append(Comparison(f"first list of {many_running} after a change, median", "ms", {US: changed}))

        started = iter([row["cuid"] for row in listed])
        await many(many_running, lambda: one.act("POST", f"/containers/{next(started)}/stop"))
        await many(many_stopped - PAGE - many_running, one.create)
        alone(one)
        for what, taken in pages(port).items():
            figures.append(
                Comparison(f"{what}, {many_stopped:,} stopped", "ms", {US: taken.p50, FEW: few[what].p50}, "as with 20")
            )
        shared(one)
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        async with server(data_dir) as one:
            port = int(one.url.rsplit(":", 1)[1])
            assert len(get(port, "/containers?limit=1000")["containers"]) == min(1000, many_stopped)
            taken.append(time.perf_counter() - began)
    figures.append(Comparison(f"start with {many_stopped:,} files", "s", {US: statistics.median(taken)}, "< 3 s"))
    return figures


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--running", type=int, default=300)
    parser.add_argument("--stopped", type=int, default=2000, help="all in all, those that ran included")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        data_dir = Path(name)
        try:
            figures = await measured(data_dir, arguments.running, arguments.stopped)
        finally:
            remove_containers(data_dir)
    print(json.dumps([{"what": one.what, "unit": one.unit, **one.values} for one in figures], indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps([one.values for one in figures], indent=2) + "\n")
    if arguments.publish:
        note = (
            "The client is a bare socket on the other processor. A page of the list is encoded once for as long as "
            "nothing changes; the first list after a change is the one that pays. The engine's figures are of a "
            "kept-open connection to its socket; `docker` is `docker ps` and `docker inspect`, Compose is its `ls` and "
            "the `ps` of one project. A second of one processor is one that the server has had, whatever else ran "
            "there."
        )
        publish("reads", "Reads", figures, note)


if __name__ == "__main__":
    asyncio.run(main())
