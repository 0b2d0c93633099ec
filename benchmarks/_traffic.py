"""A mixture of everything that clients do, well and badly, and what a server holds meanwhile."""

import asyncio
import base64
import contextlib
import io
import json
import os
import random
import re
import socket
import time
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

LIMITS = {"memory": "64m", "pids": 64, "cpus": 1}
AT_ONCE = 12
"""Clients that do one thing after the other."""
APPS = 7
"""Containers that are there all the time; others come and go."""
ENGINE = {
    "start": 14,
    "stop": 14,
    "restart": 10,
    "pause": 8,
    "exec": 12,
    "shell": 12,
    "torn": 8,
    "logs": 8,
    "whole_life": 14,
}
"""How often each operation that needs the engine comes, relatively."""
OTHERS = {
    "list": 14, "state": 18, "show": 8, "create": 6, "delete": 6, "patch": 8, "upload": 8, "cut_upload": 3,
    "download": 6, "download_zip": 4, "files": 5, "events": 4, "health": 3, "metrics": 1, "refused": 5, "wrong": 8,
}  # fmt: skip
"""The same for those that do not."""


@dataclass(frozen=True)
class Held:
    """What a server process has at one moment. `memory` is bytes resident."""

    memory: int
    descriptors: int
    threads: int
    children: int
    tasks: int
    staged: int
    """Files in staging/, and whatever is no Compose file beside those."""


async def held(process: int, data_dir: Path, session: aiohttp.ClientSession) -> Held:
    """Ask the kernel, the disk, and the server for its tasks."""
    async with session.get("/metrics") as response:
        text = await response.text()
    tasks = re.search(r"^container_manager_tasks (\S+)", text, re.MULTILINE)
    assert tasks, text

    return await asyncio.to_thread(_held, process, data_dir, int(float(tasks[1])))


def _held(process: int, data_dir: Path, tasks: int) -> Held:
    status = Path(f"/proc/{process}/status").read_text()
    children = 0
    for thread in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            children += len((thread / "children").read_text().split())
    staged = [path for path in (data_dir / "staging").rglob("*") if not path.is_dir()]
    staged += [path for path in (data_dir / "compose").iterdir() if path.suffix != ".yml"]
    return Held(
        memory=int(re.search(r"VmRSS:\s*(\d+)", status)[1]) * 1024,  # type: ignore[index]
        descriptors=len(os.listdir(f"/proc/{process}/fd")),
        threads=int(re.search(r"Threads:\s*(\d+)", status)[1]),  # type: ignore[index]
        children=children,
        tasks=tasks,
        staged=len(staged),
    )


def archive(random_: random.Random) -> bytes:
    """A small zip of a few files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(random_.randint(1, 8)):
            made.writestr(f"folder{number % 3}/file{number}.txt", random_.randbytes(random_.randint(0, 20_000)))
    return buffer.getvalue()


class Traffic:
    """Clients of one server. What they count is what happened; a status that cannot be is an AssertionError."""

    def __init__(self, url: str, headers: dict[str, str], image: str, *, engine_share: float, seed: int = 1) -> None:
        self._url, self._headers, self._image = url, headers, image
        self._random = random.Random(seed)
        self._names = [*ENGINE, *OTHERS]
        rest = (1 - engine_share) / sum(OTHERS.values())
        self._weights = [weight * engine_share / sum(ENGINE.values()) for weight in ENGINE.values()]
        self._weights += [weight * rest for weight in OTHERS.values()]
        self._apps: list[str] = []
        self._spare: list[str] = []
        self.done: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.session = aiohttp.ClientSession(
            url, headers=headers, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(120)
        )

    async def begin(self) -> None:
        """The containers that are always there."""
        for _ in range(APPS):
            cuid = await self._created()
            await self._ask("POST", f"/containers/{cuid}/start", 200)
            self._apps.append(cuid)

    async def run(self, count: int, told: Callable[[int], Awaitable[None]] | None = None) -> None:
        """`count` operations; `told` hears how many are done, now and then."""
        left = iter(range(count))
        each = max(1, count // 100)

        async def client() -> None:
            for number in left:
                name = self._random.choices(self._names, self._weights)[0]
                await getattr(self, f"_{name}")()
                self.done[name] += 1
                if told is not None and number % each == 0:
                    await told(number)

        async with asyncio.TaskGroup() as clients:
            for _ in range(AT_ONCE):
                clients.create_task(client())

    async def end(self) -> None:
        """Delete everything."""
        for cuid in (*self._apps, *self._spare):
            await self._ask("DELETE", f"/containers/{cuid}?force=true", 200)
        self._apps.clear()
        self._spare.clear()
        await self.session.close()

    # --- with the engine --------------------------------------------------------------------------

    async def _start(self) -> None:
        await self._ask("POST", f"/containers/{self._app()}/start", 200, 422)

    async def _stop(self) -> None:
        cuid = self._app()
        await self._ask("POST", f"/containers/{cuid}/stop", 200, 422)
        await self._ask("POST", f"/containers/{cuid}/start", 200, 422)

    async def _restart(self) -> None:
        await self._ask("POST", f"/containers/{self._app()}/restart", 200, 422)

    async def _pause(self) -> None:
        # The one that nothing is run in: an engine with version 1 control groups gets stuck on a container that is
        # paused at the moment in which an exec begins in it.
        cuid = self._apps[0]
        await self._ask("POST", f"/containers/{cuid}/pause", 200, 422)
        await self._ask("POST", f"/containers/{cuid}/unpause", 200, 422)

    async def _exec(self) -> None:
        body = {"command": ["sh", "-c", "echo out; echo err >&2"]}
        await self._ask("POST", f"/containers/{self._app()}/exec", 200, 422, json=body)

    async def _logs(self) -> None:
        """Follow for a moment, then leave."""
        async with self.session.get(f"/containers/{self._app()}/logs?follow=true") as response:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(0.2):
                    await response.read()

    async def _shell(self) -> None:
        """A terminal that is used and closed."""
        async with self._terminal() as websocket:
            if websocket is None:
                return
            await websocket.send_json({"type": "stdin", "data": "echo $((6*7))-done; exit\n"})
            async for message in websocket:
                assert message.type is aiohttp.WSMsgType.TEXT, message

    async def _torn(self) -> None:
        """A terminal whose client is gone without a word."""
        async with self._terminal() as websocket:
            if websocket is None:
                return
            await websocket.send_json({"type": "stdin", "data": "sleep 1000\n"})
            await websocket.receive()
            websocket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    @contextlib.asynccontextmanager
    async def _terminal(self):  # type: ignore[no-untyped-def]
        try:
            websocket = await self.session.ws_connect(f"/ws/{self._app()}?mode=shell&cols=80&rows=24")
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status != 422:
                raise
            self.answers[refused.status] += 1
            yield None
            return
        self.answers[101] += 1
        try:
            with contextlib.suppress(ConnectionError):
                yield websocket
        finally:
            await websocket.close()

    async def _whole_life(self) -> None:
        cuid = await self._created()
        await self._ask("POST", f"/containers/{cuid}/start", 200)
        await self._ask("DELETE", f"/containers/{cuid}?force=true", 200)

    # --- without it -------------------------------------------------------------------------------

    async def _list(self) -> None:
        query = self._random.choice(["", "?limit=5", "?status=running", "?tag=one", "?status=exited,created&limit=3"])
        await self._ask("GET", f"/containers{query}", 200)

    async def _state(self) -> None:
        await self._ask("GET", f"/containers/{self._any()}/status", 200, 404)

    async def _show(self) -> None:
        await self._ask("GET", f"/containers/{self._any()}", 200, 404)

    async def _create(self) -> None:
        self._spare.append(await self._created())

    async def _delete(self) -> None:
        if self._spare:
            cuid = self._spare.pop(self._random.randrange(len(self._spare)))
            await self._ask("DELETE", f"/containers/{cuid}", 200)

    async def _patch(self) -> None:
        body = {
            "tags": self._random.sample(["one", "two", "three"], 2),
            "env": {"SOME": self._random.choice(["a", None])},
        }
        await self._ask("PATCH", f"/containers/{self._some()}", 200, 404, json=body)

    async def _upload(self) -> None:
        mode = self._random.choice(["merge", "replace"])
        url = f"/containers/{self._some()}/upload-zip?mode={mode}"
        await self._ask("POST", url, 200, 404, data=archive(self._random), headers={"Content-Type": "application/zip"})

    async def _cut_upload(self) -> None:
        """A client that leaves in the middle of its archive."""
        host, _, port = self._url.removeprefix("http://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST /containers/{self._some()}/upload-zip HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\n"
            f"Authorization: {self._headers['Authorization']}\r\nContent-Length: 100000\r\n\r\n"
        )
        writer.write(head.encode() + archive(self._random)[:1000])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.transport.abort()

    async def _download(self) -> None:
        await self._ask("GET", f"/containers/{self._some()}/download?path=folder0/file0.txt", 200, 404)

    async def _download_zip(self) -> None:
        await self._ask("GET", f"/containers/{self._some()}/download-zip", 200, 404)

    async def _files(self) -> None:
        await self._ask("GET", f"/containers/{self._some()}/files", 200, 404)

    async def _events(self) -> None:
        """Listen for a moment, then leave."""
        async with self.session.get("/events") as response:
            assert response.status == 200
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(0.1):
                    await response.read()

    async def _health(self) -> None:
        await self._ask("GET", "/healthz", 200)

    async def _metrics(self) -> None:
        await self._ask("GET", "/metrics", 200)

    async def _refused(self) -> None:
        """Wrong credentials; all from one address, so that later ones are slowed."""
        wrong = "Basic " + base64.b64encode(b"admin:wrong").decode()
        await self._ask("GET", "/containers", 401, 429, headers={"Authorization": wrong})

    async def _wrong(self) -> None:
        """Requests that cannot be right."""
        some = self._some()
        zip_type = {"Content-Type": "application/zip"}
        requests = [
            ("POST", "/containers", 400, {"json": {}}),
            ("POST", "/containers", 400, {"json": {"image": "x", "unknown": 1}}),
            ("POST", "/containers", 400, {"data": b"{", "headers": {"Content-Type": "application/json"}}),
            ("POST", "/containers", 415, {"data": b"image=x"}),
            ("POST", "/containers", 403, {"json": {"image": "x"}, "headers": {"Origin": "http://evil.example"}}),
            ("GET", "/nothing/here", 404, {}),
            ("PUT", "/containers", 405, {}),
            ("GET", "/containers?limit=none", 400, {}),
            ("GET", "/containers/c00000000-0000-4000-8000-000000000000/status", 404, {}),
            ("POST", f"/containers/{some}/upload-zip", 400, {"data": b"no zip at all", "headers": zip_type}),
            ("GET", f"/containers/{some}/download?path=../../../etc/passwd", 400, {}),
            ("GET", f"/containers/{some}/download?path=missing", 404, {}),
        ]
        method, path, status, options = self._random.choice(requests)
        await self._ask(method, path, status, 404, **options)  # type: ignore[arg-type]

    # --- tools ------------------------------------------------------------------------------------

    async def _ask(self, method: str, path: str, *expected: int, **options: object) -> bytes:
        async with self.session.request(method, path, **options) as response:  # type: ignore[arg-type]
            body = await response.read()
            self.answers[response.status] += 1
            assert response.status in expected, f"{method} {path}: {response.status} {body[:500]!r}"
            return body

    async def _created(self) -> str:
        fields = {"image": self._image, "command": ["sleep", "100000"], "resources": LIMITS, "tags": ["one"]}
        return str(json.loads(await self._ask("POST", "/containers", 201, json=fields))["cuid"])

    def _app(self) -> str:
        return self._random.choice(self._apps[1:])

    def _some(self) -> str:
        """One that does not run; it may be gone in a moment."""
        return self._random.choice(self._spare or self._apps)

    def _any(self) -> str:
        return self._random.choice(self._spare + self._apps)


async def settled(take: Callable[[], Awaitable[Held]], seconds: float) -> Held:
    """What is held once nothing is on its way any more: the least of the next moments."""
    least = await take()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        now = await take()
        least = min(least, now, key=lambda one: (one.descriptors, one.tasks, one.children, one.memory))
    return least
