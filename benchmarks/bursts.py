"""Many starts at once: their rate and order, and what readers and a terminal feel meanwhile. Then many connections.

    python benchmarks/bursts.py [--count N] [--sweep N] [--json FILE] [--publish]

The rate is compared with the Compose binary run by hand on the same files, so many at once as suits it best; the same
sweep tells how many MAX_WORKERS should be. Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import aiohttp
from _raw import Connection, Latency
from _report import Comparison, publish
from _server import PASSWORD, Server, remove_containers, server

IMAGE = "python:3.12-slim"
APP = {"image": IMAGE, "command": ["sleep", "100000"], "resources": {"memory": "16m", "pids": 8}}
COMPOSE = str(Path(sys.executable).with_name("docker-compose"))
AT_ONCE = (1, 2, 3, 4, 6, 8)
US, HAND, QUIET = "container-manager", "Compose by hand", "nothing else going on"
HEADERS = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
TERMINALS_EACH = 20


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A DATA_DIR with nothing in it; what was started from it is removed behind it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        try:
            yield Path(name)
        finally:
            remove_containers(Path(name))


# --- the rate ---------------------------------------------------------------------------------------------


async def burst(one: Server, count: int) -> tuple[float, list[int]]:
    """`count` creates and starts at once: seconds, and the numbers of the requests in the order of their answers."""
    answered: list[int] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(one.url, headers=HEADERS, connector=connector) as session:

        async def start(number: int) -> None:
            async with session.post("/containers", json={**APP, "start": True}) as response:
                assert response.status == 201, await response.text()
                assert (await response.json())["status"] == "running"
            answered.append(number)

        began = time.perf_counter()
        tasks = []
        for number in range(count):
            tasks.append(asyncio.create_task(start(number)))
            # So that they arrive in this order.
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)
        return time.perf_counter() - began, answered


def by_hand(files: list[Path], at_once: int) -> float:
    """Seconds of `docker-compose up` for each of `files`."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/"}

    def up(file: Path) -> None:
        subprocess.run([COMPOSE, "-f", str(file), "up", "--detach"], check=True, capture_output=True, env=environment)

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(up, files))
    return time.perf_counter() - began


async def sweep(count: int) -> dict[int, dict[str, float]]:
    """Starts a second by how many are worked on at once, of both."""
    rates: dict[int, dict[str, float]] = {}
    for at_once in AT_ONCE:
        with folder() as data_dir:
            async with server(data_dir, MAX_WORKERS=at_once) as one:
                # The network is made once, by the server's first start.
                await burst(one, 1)
                seconds, _ = await burst(one, count)
                remove_containers(data_dir)
                cuids = await asyncio.gather(*(one.create(**APP) for _ in range(count)))
            files = [data_dir / "compose" / f"{cuid}.yml" for cuid in cuids]
            by_compose = await asyncio.to_thread(by_hand, files, at_once)
            rates[at_once] = {US: count / seconds, HAND: count / by_compose}
            print(f"{at_once} at once: {rates[at_once]}", file=sys.stderr, flush=True)
    return rates


# --- what others feel meanwhile ---------------------------------------------------------------------------


def elsewhere() -> None:
    """Readers are on other machines: this process does not wait for a processor of this one as the server does."""
    with contextlib.suppress(PermissionError):
        os.nice(-15)


def reads(port: int, path: str, stop: Event, results: Any) -> None:
    """Ask for `path` a hundred times a second, in a process of its own."""
    taken = []
    elsewhere()
    connection = Connection(port, path)
    connection.ask()
    while not stop.is_set():
        began = time.perf_counter()
        connection.ask()
        taken.append(time.perf_counter() - began)
        time.sleep(0.01)
    results.put((path, taken))


def timer(stop: Event, results: Any) -> None:
    """Sleep, and see how much later this process runs again: what the machine itself makes everybody wait."""
    taken = []
    while not stop.is_set():
        began = time.perf_counter()
        time.sleep(0.01)
        taken.append(time.perf_counter() - began - 0.01)
    results.put(("timer", taken))


def keys(url: str, stop: Event, results: Any) -> None:
    """Type keys and wait for their echo, in a process of its own."""
    results.put(("echo", asyncio.run(_keys(url, stop))))


async def _keys(url: str, stop: Event) -> list[float]:
    taken = []
    elsewhere()
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.ws_connect(url) as websocket:
        await websocket.send_json({"type": "stdin", "data": "cat > /dev/null\n"})
        with contextlib.suppress(TimeoutError):
            while True:
                await websocket.receive(1)
        number = 0
        while not stop.is_set():
            key = "abcdefghijklmnopqrstuvwxyz"[number % 26]
            began = time.perf_counter()
            await websocket.send_json({"type": "stdin", "data": key})
            while key not in (await websocket.receive_json(timeout=30)).get("data", ""):
                pass
            taken.append(time.perf_counter() - began)
            number += 1
            await asyncio.sleep(0.03)
    return taken


@contextlib.contextmanager
def watched(one: Server, cuid: str) -> Iterator[dict[str, Latency]]:
    """What two readers and a terminal feel within the block; filled when it is left."""
    port = int(one.url.rsplit(":", 1)[1])
    context = multiprocessing.get_context("spawn")
    stop, results, felt = context.Event(), context.Queue(), {}
    paths = ("/containers?limit=100", f"/containers/{cuid}/status")
    processes = [context.Process(target=reads, args=(port, path, stop, results)) for path in paths]
    url = f"{one.url}/ws/{cuid}?mode=shell&cols=100&rows=30"
    processes.append(context.Process(target=keys, args=(url, stop, results)))
    processes.append(context.Process(target=timer, args=(stop, results)))
    for process in processes:
        process.start()
    # They need a moment to start: it would be felt in the burst.
    time.sleep(4)
    try:
        yield felt
    finally:
        stop.set()
        for _ in processes:
            what, taken = results.get(timeout=60)
            felt[{paths[0]: "list", paths[1]: "state"}.get(what, what)] = Latency.of(taken)
        for process in processes:
            process.join()


async def crowded(count: int) -> list[Comparison]:
    """A burst among readers and a terminal."""
    with folder() as data_dir:
        async with server(data_dir) as one:
            cuid = await one.create(image=IMAGE, command=["sleep", "100000"], resources={"memory": "64m", "pids": 32})
            await one.act("POST", f"/containers/{cuid}/start")
            with watched(one, cuid) as quiet:
                await asyncio.sleep(5)
            with watched(one, cuid) as busy:
                seconds, answered = await burst(one, count)
    places = max(abs(place - number) for place, number in enumerate(answered))
    figures = [
        Comparison(f"{count} creates and starts at once, all of them", "s", {US: seconds}),
        Comparison("that succeeded", "", {US: len(answered)}, f"{count}"),
        Comparison("places by which one overtook at most", "", {US: places}, "about MAX_WORKERS"),
    ]
    for what, name, goal in (
        ("list", "list of containers", "< 20 ms"),
        ("state", "state of one", "< 20 ms"),
        ("echo", "key to echo in a terminal", ""),
    ):
        figures.append(Comparison(f"{name} meanwhile, median", "ms", {US: busy[what].p50, QUIET: quiet[what].p50}))
        figures.append(Comparison(f"{name} meanwhile, p99", "ms", {US: busy[what].p99, QUIET: quiet[what].p99}, goal))
    machine = {"the machine": busy["timer"].p99, QUIET: quiet["timer"].p99}
    figures.append(Comparison("what a process that only sleeps waits for a processor meanwhile, p99", "ms", machine))
    return figures


# --- many connections -------------------------------------------------------------------------------------


async def connections(terminals: int, websockets: int) -> list[Comparison]:
    """What terminals, and others who look at them, cost the server in memory and descriptors."""
    with folder() as data_dir:
        async with server(data_dir) as one, contextlib.AsyncExitStack() as stack:
            connector = aiohttp.TCPConnector(limit=0)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(one.url, headers=HEADERS, connector=connector, timeout=aiohttp.ClientTimeout())
            )
            opened: list[tuple[str, str]] = []
            gate = asyncio.Semaphore(8)

            async def look(cuid: str, query: str) -> None:
                async with gate:
                    url = f"/ws/{cuid}?{query}"
                    # They only listen: nothing is sent, as by a page in a tab that nobody looks at.
                    websocket = await stack.enter_async_context(session.ws_connect(url, autoclose=False))
                    await websocket.receive(60)
                if "session=" not in query:
                    opened.append((cuid, websocket._response.headers["X-Session-ID"]))

            cuids = []
            for _ in range(-(-terminals // TERMINALS_EACH)):
                limits = {"memory": "256m", "pids": 128}
                cuids.append(await one.create(image=IMAGE, command=["sleep", "100000"], resources=limits))
                await one.act("POST", f"/containers/{cuids[-1]}/start")
            before = one.memory(), one.descriptors()
            shell = "mode=shell&cols=100&rows=30"
            await asyncio.gather(*(look(cuids[number // TERMINALS_EACH], shell) for number in range(terminals)))
            await asyncio.sleep(2)
            with_terminals = one.memory(), one.descriptors()
            lookers = [opened[number % terminals] for number in range(websockets)]
            await asyncio.gather(*(look(cuid, f"session={sid}&role=observer") for cuid, sid in lookers))
            await asyncio.sleep(2)
            with_all = one.memory(), one.descriptors()
    mib = 1 << 20
    return [
        Comparison("memory of the server, nobody connected", "MiB", {US: before[0] / mib}),
        Comparison(f"with {terminals} terminals", "MiB", {US: with_terminals[0] / mib}),
        Comparison(f"with {websockets:,} idle websockets more", "MiB", {US: with_all[0] / mib}),
        Comparison("a terminal", "KiB", {US: (with_terminals[0] - before[0]) / terminals / 1024}),
        Comparison("an idle websocket", "KiB", {US: (with_all[0] - with_terminals[0]) / websockets / 1024}),
        Comparison("descriptors, nobody connected", "", {US: before[1]}),
        Comparison("a terminal", "descriptors", {US: (with_terminals[1] - before[1]) / terminals}),
        Comparison("an idle websocket", "descriptors", {US: (with_all[1] - with_terminals[1]) / websockets}),
        Comparison("all of them", "descriptors", {US: with_all[1]}),
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="starts at once")
    parser.add_argument(
        "--sweep", type=int, default=16, help="starts for each number of workers; 0 leaves the sweep out"
    )
    parser.add_argument("--terminals", type=int, default=200)
    parser.add_argument("--websockets", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--publish", action="store_true", help="put the figures into docs/performance.md")
    arguments = parser.parse_args()
    figures = []
    if arguments.sweep:
        rates = await sweep(arguments.sweep)
        best = {who: max(rate[who] for rate in rates.values()) for who in (US, HAND)}
        figures.append(Comparison("starts a second, each at its best", "a second", best, "as fast as by hand"))
        for at_once, rate in rates.items():
            figures.append(Comparison(f"starts a second, {at_once} at once", "a second", rate))
    if arguments.count:
        figures += await crowded(arguments.count)
    if arguments.terminals:
        figures += await connections(arguments.terminals, arguments.websockets)
    told = [{"what": one.what, "unit": one.unit, "goal": one.goal, **one.values} for one in figures]
    print(json.dumps(told, indent=2, ensure_ascii=False))
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")
    if arguments.publish:
        note = (
            "Starts by hand find their files written; through the server they begin with the request. More at once "
            "than MAX_WORKERS' default of 3 gains little, and makes reads wait. Readers and the terminal run at a "
            "higher priority, as if on another machine: what they wait for is the server, and the server waits for a "
            "processor as the process that only sleeps does."
        )
        publish("bursts", "Bursts", figures, note)


if __name__ == "__main__":
    asyncio.run(main())
