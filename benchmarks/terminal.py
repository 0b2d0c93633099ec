"""A shell in a container over a websocket, against ttyd and terminado in the same run; and 500 of them at once.

    python benchmarks/terminal.py [--ttyd PATH] [--terminado PYTHON] [--many N] [--publish]

ttyd is the program's path, terminado a Python that has it; each is left out when it is not given. docs/performance.md
says how to build them. All run bash in the same container, the others by `docker-compose exec`; one client, which
costs next to nothing, types to all, in turns. Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _report import Comparison, publish, table
from _server import Server, server
from _websocket import Websocket

IMAGE = "python:3.12-slim"
ROUNDS = 3
PROMPTS = 15
ECHOES = 1500
LINE = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LINES = 900_000
END = "the-end-of-it"
PROMPT = b"# "
OF_ONE_CONTAINER = 50
"""Shells in each container when many are measured: its standard limit of processes allows ten times as many."""

TERMINADO = """
import sys, tornado.ioloop, tornado.web
from terminado import TermSocket, UniqueTermManager
manager = UniqueTermManager(shell_command=sys.argv[2:])
app = tornado.web.Application([(r"/ws", TermSocket, {"term_manager": manager})])
app.listen(int(sys.argv[1]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
"""


class Terminal:
    """A shell over `/ws/{cuid}`. Its frames are JSON: capital letters stand in none but those that show them."""

    def __init__(self, url: str, *headers: str) -> None:
        self.socket = Websocket(url, *headers)

    def type(self, text: str) -> None:
        self.socket.send(json.dumps({"type": "stdin", "data": text, "encoding": "utf8"}).encode())


class Ttyd(Terminal):
    """The same over ttyd's own protocol: a byte that says what it is, then bytes."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "Sec-WebSocket-Protocol: tty")
        self.socket.send(json.dumps({"AuthToken": "", "columns": 100, "rows": 30}).encode(), binary=True)

    def type(self, text: str) -> None:
        self.socket.send(b"0" + text.encode(), binary=True)


class Terminado(Terminal):
    """The same over terminado's: JSON arrays."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.socket.send(json.dumps(["set_size", 30, 100]).encode())

    def type(self, text: str) -> None:
        self.socket.send(json.dumps(["stdin", text]).encode())


Way = Callable[[], Terminal]


@contextlib.contextmanager
def shell(way: Way) -> Iterator[Terminal]:
    """A shell that shows its prompt."""
    terminal = way()
    try:
        terminal.socket.until(PROMPT)
        yield terminal
    finally:
        terminal.socket.close()


def first_prompt(way: Way) -> float:
    """ms from the connection's start to the shell's prompt."""
    began = time.perf_counter()
    with shell(way):
        return (time.perf_counter() - began) * 1e3


def echo(way: Way) -> list[float]:
    """µs from a key to its echo, once for each."""
    taken = []
    with shell(way) as terminal:
        terminal.type("cat > /dev/null\n")
        terminal.socket.drain(0.3)
        for number in range(ECHOES):
            key = chr(ord("A") + number % 26)
            began = time.perf_counter()
            terminal.type(key)
            terminal.socket.until(key.encode())
            taken.append((time.perf_counter() - began) * 1e6)
            if number % 50 == 49:
                terminal.type("\n")
                terminal.socket.drain(0.03)
    return taken


def bulk(way: Way) -> float:
    """MB of output a second, as a terminal shows it: a line ends with two characters."""
    with shell(way) as terminal:
        terminal.type(f"stty -echo; yes '{LINE}' | head -n {LINES}; echo {END}\n")
        terminal.socket.until(LINE.encode())
        began = time.perf_counter()
        terminal.socket.until(END.encode())
        return LINES * (len(LINE) + 2) / (time.perf_counter() - began) / 1e6


def interrupt(way: Way) -> float:
    """ms from Ctrl+C in the middle of a flood to the prompt."""
    with shell(way) as terminal:
        terminal.type("PS1='pro''mpt> '\n")
        terminal.socket.until(b"prompt> ")
        terminal.type(f"yes '{LINE}'\n")
        began = time.perf_counter()
        while time.perf_counter() - began < 0.5:
            terminal.socket.until(LINE.encode())
        began = time.perf_counter()
        terminal.type("\x03")
        terminal.socket.until(b"prompt> ")
        return (time.perf_counter() - began) * 1e3


def tried[T](measure: Callable[[Way], T], name: str, way: Way) -> T:
    """What `measure` finds. containerd 1.6 loses the streams of an exec now and then: that is told, and tried again."""
    for _ in range(3):
        try:
            return measure(way)
        except (AssertionError, OSError) as error:
            print(f"{name}: {measure.__name__}: {error!r}, again", file=sys.stderr)
    raise SystemExit(f"{name} fails every time")


def measured(ways: dict[str, Way]) -> list[Comparison]:
    """Every figure of every way; the ways take turns, so that what else the machine does meets all alike."""
    prompts: dict[str, list[float]] = {name: [] for name in ways}
    echoes: dict[str, list[float]] = {name: [] for name in ways}
    bulks: dict[str, list[float]] = {name: [] for name in ways}
    interrupts: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(PROMPTS):
        for name, way in ways.items():
            prompts[name].append(tried(first_prompt, name, way))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            echoes[name] += tried(echo, name, way)
            bulks[name].append(tried(bulk, name, way))
            interrupts[name].append(tried(interrupt, name, way))

    def medians(values: dict[str, list[float]]) -> dict[str, float]:
        return {name: round(statistics.median(taken), 1) for name, taken in values.items()}

    last = {name: round(sorted(taken)[int(len(taken) * 0.99)], 1) for name, taken in echoes.items()}
    return [
        Comparison("first prompt", "ms", medians(prompts), "≤ 1.0 × ttyd"),
        Comparison("echo of a key, median", "µs", medians(echoes), "≤ 1.0 × ttyd"),
        Comparison("echo of a key, 99 of 100 within", "µs", last),
        Comparison("bulk output", "MB/s", medians(bulks), "≥ 1.1 × ttyd"),
        Comparison("Ctrl+C in a flood, to the prompt", "ms", medians(interrupts), "≤ 500 ms"),
    ]


# --- many ---------------------------------------------------------------------------------------


def engines_memory() -> int:
    """Bytes resident of the engine: its daemons and its helpers for each container."""
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            if match := re.match(r"Name:\s+(?:dockerd|containerd\S*)\n.*VmRSS:\s+(\d+)", text, re.DOTALL):
                found += int(match[1]) * 1024
    return found


def containers_memory(cuids: list[str]) -> int:
    """Bytes that the containers use."""
    ids = subprocess.run(
        ["docker", "inspect", "--format", "{{.Id}}", *cuids], check=True, capture_output=True, text=True
    ).stdout.split()
    files = [
        file for id in ids for file in Path("/sys/fs/cgroup").glob(f"**/*{id}*/memory.*")
        if file.name in ("memory.current", "memory.usage_in_bytes")
    ]  # fmt: skip
    assert len(files) == len(ids), files
    return sum(int(file.read_text()) for file in files)


def processes(cuids: list[str]) -> int:
    """Processes in the containers, but for their init and their app."""
    found = 0
    for cuid in cuids:
        top = subprocess.run(["docker", "top", cuid], check=True, capture_output=True, text=True).stdout
        found += len(top.splitlines()) - 3
    return found


async def many(one: Server, count: int, headers: str) -> list[Comparison]:
    """What `count` shells that wait for input cost all together."""
    cuids = []
    for _ in range(-(-count // OF_ONE_CONTAINER)):
        cuids.append(await one.create(image=IMAGE, command=["sleep", "1000000"]))
        await one.act("POST", f"/containers/{cuids[-1]}/start")

    def sizes() -> tuple[int, int, int]:
        return one.memory(), engines_memory(), containers_memory(cuids)

    def opened(number: int) -> Terminal:
        url = f"{one.url}/ws/{cuids[number % len(cuids)]}?mode=shell&cols=100&rows=30"
        terminal = Terminal(url, headers)
        terminal.socket.until(PROMPT)
        return terminal

    before, descriptors = sizes(), one.descriptors()
    with ThreadPoolExecutor(4) as pool:
        terminals = await asyncio.to_thread(lambda: list(pool.map(opened, range(count))))
    after = sizes()
    grown = [round((now - then) / 2**20, 1) for then, now in zip(before, after, strict=True)]
    opened_descriptors = one.descriptors() - descriptors
    for terminal in terminals:
        terminal.socket.close()
    left = await after_all(one, cuids, descriptors)
    for cuid in cuids:
        await one.act("DELETE", f"/containers/{cuid}?force=true")
    who = "container-manager"
    return [
        Comparison(f"{count} idle shells in {len(cuids)} containers, everything", "MiB", {who: sum(grown)}, "≤ 4 GiB"),
        Comparison("of that the server", "MiB", {who: grown[0]}),
        Comparison("of that the engine", "MiB", {who: grown[1]}),
        Comparison("of that the containers, their shells included", "MiB", {who: grown[2]}),
        Comparison("descriptors of the server, for each", "", {who: round(opened_descriptors / count, 2)}),
        Comparison("processes and descriptors left, all connections torn", "", {who: left}, "none"),
    ]


async def after_all(one: Server, cuids: list[str], descriptors: int) -> int:
    """Processes in the containers and descriptors of the server that are left once SESSION_GRACE is over."""
    until = time.monotonic() + 120
    while True:
        left = processes(cuids) + max(0, one.descriptors() - descriptors)
        if not left or time.monotonic() > until:
            return left
        await asyncio.sleep(0.5)


# --- the others ---------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def program(*argv: str, port: int) -> AsyncIterator[None]:
    """A server to compare with, once it listens."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdout=quiet, stderr=quiet, cwd="/")
    try:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            assert process.returncode is None, argv
            await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def compared(one: Server, headers: str, ttyd: str | None, terminado: str | None) -> list[Comparison]:
    cuid = await one.create(image=IMAGE, command=["sleep", "1000000"], resources={"cpus": 2, "memory": "1g"})
    await one.act("POST", f"/containers/{cuid}/start")
    url = f"{one.url}/ws/{cuid}?mode=shell&cols=100&rows=30"
    ways: dict[str, Way] = {"container-manager": lambda: Terminal(url, headers)}
    compose = str(Path(sys.executable).with_name("docker-compose"))
    command = [compose, "--project-name", cuid, "exec", "--env=TERM=xterm-256color", cuid, "bash"]
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(one.act, "DELETE", f"/containers/{cuid}?force=true")
        if ttyd:
            port = free_port()
            # The client answers no pings.
            options = ["--interface", "127.0.0.1", "--writable", "--ping-interval", "300"]
            argv = [ttyd, "--port", str(port), *options, *command]
            await stack.enter_async_context(program(*argv, port=port))
            ways["ttyd"] = lambda at=port: Ttyd(f"http://127.0.0.1:{at}/ws")  # type: ignore[misc]
        if terminado:
            port = free_port()
            await stack.enter_async_context(program(terminado, "-c", TERMINADO, str(port), *command, port=port))
            ways["terminado"] = lambda at=port: Terminado(f"http://127.0.0.1:{at}/ws")  # type: ignore[misc]
        await asyncio.to_thread(first_prompt, ways["container-manager"])
        return await asyncio.to_thread(measured, ways)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ttyd", default=os.environ.get("TTYD"), help="the program; TTYD by default")
    parser.add_argument(
        "--terminado", default=os.environ.get("TERMINADO"), help="a Python that has it; TERMINADO by default"
    )
    parser.add_argument("--many", type=int, default=500, help="how many at once for the figure of memory; 0: none")
    parser.add_argument("--publish", action="store_true", help="write the figures into docs/performance.md")
    arguments = parser.parse_args()
    comparisons: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        async with server(Path(name), MAX_SESSIONS=OF_ONE_CONTAINER, SESSION_GRACE=1) as one:
            headers = f"Authorization: {one.session.headers['Authorization']}"
            if arguments.many:
                comparisons = await many(one, arguments.many, headers)
            comparisons = await compared(one, headers, arguments.ttyd, arguments.terminado) + comparisons
    print(table(comparisons))
    if arguments.publish:
        note = "A ratio below 1 is faster where time is measured, above 1 where MB/s are."
        publish("terminal", "A shell in a container, over a websocket", comparisons, note)


if __name__ == "__main__":
    asyncio.run(main())
