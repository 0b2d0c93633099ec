"""A shell in a container over a websocket: first prompt, echo and bulk output, against others in the same run.

    python benchmarks/terminal.py [--ttyd PATH] [--terminado PYTHON] [--json FILE]

ttyd is the program's path, terminado a Python that has it; each is left out when it is not given. All of them run
the same shell in the same container by `docker compose exec`. Needs a running engine and the image python:3.12-slim.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
from _server import server

IMAGE = "python:3.12-slim"
PROMPTS = 15
ECHOES = 1500
BULK = 60 << 20
LINE = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ"
END = "the-end-of-it"

TERMINADO = """
import sys, tornado.ioloop, tornado.web
from terminado import TermSocket, UniqueTermManager
manager = UniqueTermManager(shell_command=sys.argv[2:])
app = tornado.web.Application([(r"/ws", TermSocket, {"term_manager": manager})])
app.listen(int(sys.argv[1]), "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
"""


class Ours:
    """`/ws/{cuid}?mode=shell`."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url, self.headers = url, headers
        self.protocols: tuple[str, ...] = ()

    async def begin(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """The size is in the URL."""

    async def type(self, websocket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        await websocket.send_str(json.dumps({"type": "stdin", "data": text, "encoding": "utf8"}))

    def shown(self, data: Any) -> str:
        frame = json.loads(data)
        if frame.get("encoding") == "base64":
            return base64.b64decode(frame["data"]).decode(errors="replace")
        return str(frame.get("data", ""))

    def payload(self, data: Any) -> int:
        """Bytes of output in a message, without the cost of reading it whole."""
        return len(data) - 45 - data.count("\\n") - data.count("\\r")


class Ttyd(Ours):
    """ttyd's own protocol: a byte that says what it is, then bytes."""

    def __init__(self, url: str) -> None:
        super().__init__(url, {})
        self.protocols = ("tty",)

    async def begin(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        await websocket.send_bytes(json.dumps({"AuthToken": "", "columns": 100, "rows": 30}).encode())

    async def type(self, websocket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        await websocket.send_bytes(b"0" + text.encode())

    def shown(self, data: Any) -> str:
        return data[1:].decode(errors="replace") if data[:1] == b"0" else ""

    def payload(self, data: Any) -> int:
        return len(data) - 1


class Terminado(Ours):
    """terminado's: JSON arrays."""

    def __init__(self, url: str) -> None:
        super().__init__(url, {})

    async def begin(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        await websocket.send_str(json.dumps(["set_size", 30, 100]))

    async def type(self, websocket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        await websocket.send_str(json.dumps(["stdin", text]))

    def shown(self, data: Any) -> str:
        kind, *rest = json.loads(data)
        return rest[0] if kind == "stdout" else ""

    def payload(self, data: Any) -> int:
        return len(data) - 12 - data.count("\\n") - data.count("\\r")


@contextlib.asynccontextmanager
async def terminal(way: Ours) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession(headers=way.headers) as session,
        session.ws_connect(way.url, protocols=way.protocols, max_msg_size=0) as websocket,
    ):
        await way.begin(websocket)
        yield websocket


async def until(way: Ours, websocket: aiohttp.ClientWebSocketResponse, text: str) -> None:
    """Read until `text` was shown."""
    shown = ""
    while text not in shown:
        message = await websocket.receive(30)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        shown = shown[-200:] + way.shown(message.data)


async def first_prompt(way: Ours) -> float:
    """ms from the connection's start to the shell's prompt."""
    began = time.perf_counter()
    async with terminal(way) as websocket:
        await until(way, websocket, "# ")
        return (time.perf_counter() - began) * 1e3


async def echo(way: Ours) -> list[float]:
    """µs from a key to its echo, once for each."""
    taken = []
    async with terminal(way) as websocket:
        await until(way, websocket, "# ")
        await way.type(websocket, "cat > /dev/null\n")
        await until(way, websocket, "/dev/null")
        await asyncio.sleep(0.3)
        for number in range(ECHOES):
            key = chr(ord("a") + number % 26)
            began = time.perf_counter()
            await way.type(websocket, key)
            await until(way, websocket, key)
            taken.append((time.perf_counter() - began) * 1e6)
            if number % 50 == 49:
                await way.type(websocket, "\n")
                await asyncio.sleep(0.01)
                while True:
                    with contextlib.suppress(TimeoutError):
                        await websocket.receive(0.02)
                        continue
                    break
    return taken


async def bulk(way: Ours) -> float:
    """MB of output a second."""
    async with terminal(way) as websocket:
        await until(way, websocket, "# ")
        command = f"yes '{LINE}' | head -c {BULK}; echo {END[:4]}''{END[4:]}\n"
        await way.type(websocket, command)
        received = 0
        began = 0.0
        while True:
            data = (await websocket.receive(60)).data
            began = began or time.perf_counter()
            received += way.payload(data)
            # The marker stands in the last small messages: large ones need not be searched.
            tail = data[-400:]
            if (END in tail) if isinstance(tail, str) else (END.encode() in tail):
                return received / (time.perf_counter() - began) / 1e6


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


async def measured(ways: dict[str, Ours]) -> dict[str, dict[str, float]]:
    """Every figure of every way; the ways take turns, so that what else the machine does meets all alike."""
    prompts: dict[str, list[float]] = {name: [] for name in ways}
    echoes: dict[str, list[float]] = {name: [] for name in ways}
    bulks: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(PROMPTS):
        for name, way in ways.items():
            prompts[name].append(await first_prompt(way))
    for _ in range(3):
        for name, way in ways.items():
            echoes[name] += await echo(way)
    for _ in range(3):
        for name, way in ways.items():
            bulks[name].append(await bulk(way))
    return {
        name: {
            "first_prompt_ms": round(statistics.median(prompts[name]), 1),
            "echo_p50_us": round(statistics.median(echoes[name])),
            "echo_p99_us": round(sorted(echoes[name])[int(len(echoes[name]) * 0.99)]),
            "bulk_mb_s": round(statistics.median(bulks[name]), 1),
        }
        for name in ways
    }


async def many_terminals(url: str, headers: dict[str, str], count: int, memory: Callable[[], int]) -> dict[str, float]:
    """What `count` idle terminals cost the server itself."""
    before = memory()
    async with contextlib.AsyncExitStack() as stack:
        way = Ours(url, headers)

        async def open_one() -> None:
            websocket = await stack.enter_async_context(terminal(way))
            await until(way, websocket, "# ")

        for _ in range(count // 4):
            await asyncio.gather(*(open_one() for _ in range(4)))
        return {"terminals": count, "server_kb_each": round((memory() - before) / count / 1024)}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ttyd", help="the program")
    parser.add_argument("--terminado", help="a Python that has it")
    parser.add_argument("--terminals", type=int, default=28, help="how many at once for the figure of memory")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        async with server(Path(name)) as one, contextlib.AsyncExitStack() as stack:
            cuid = await one.create(image=IMAGE, command=["sleep", "1000000"], resources={"cpus": 2, "memory": "1g"})
            await one.act("POST", f"/containers/{cuid}/start")
            headers = {"Authorization": str(one.session.headers["Authorization"])}
            url = f"{one.url}/ws/{cuid}?mode=shell&cols=100&rows=30"
            ways: dict[str, Ours] = {"container-manager": Ours(url, headers)}
            compose = str(Path(sys.executable).with_name("docker-compose"))
            shell = [compose, "--project-name", cuid, "exec", "--env=TERM=xterm-256color", cuid, "bash"]
            try:
                if arguments.ttyd:
                    port = free_port()
                    argv = [arguments.ttyd, "--port", str(port), "--interface", "127.0.0.1", "--writable", *shell]
                    await stack.enter_async_context(program(*argv, port=port))
                    ways["ttyd"] = Ttyd(f"http://127.0.0.1:{port}/ws")
                if arguments.terminado:
                    port = free_port()
                    argv = [arguments.terminado, "-c", TERMINADO, str(port), *shell]
                    await stack.enter_async_context(program(*argv, port=port))
                    ways["terminado"] = Terminado(f"http://127.0.0.1:{port}/ws")
                await first_prompt(ways["container-manager"])
                memory = await many_terminals(url, headers, arguments.terminals, one.memory)
                figures: dict[str, Any] = await measured(ways) | {"memory": memory}
            finally:
                await one.act("DELETE", f"/containers/{cuid}?force=true")
    print(json.dumps(figures, indent=2))
    print(f"{os.cpu_count()} processors", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
