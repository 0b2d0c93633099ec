"""What tests share beyond fixtures: a server in the test's own loop, and a client with the usual steps."""

import asyncio
import contextlib
import io
import json
import os
import secrets
import subprocess
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from container_manager.models import LABEL
from container_manager.settings import Settings

PATIENCE = 60.0
"""Seconds after which something that should have happened counts as failed."""

BUSYBOX = "tests-busybox:latest"
PYTHON_IMAGE = "python:3.12-slim"

Files = Mapping[str, str | bytes]


def docker(*arguments: str, stdin: bytes | None = None, timeout: float = PATIENCE) -> str:
    """What `docker ARGUMENTS` prints; an AssertionError with its stderr when it fails. Blocks."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode()


def make_settings(data_dir: Path, **given: Any) -> Settings:
    """Settings of a server for tests: a password of its own, a free port of this machine alone."""
    defaults = {
        "app_pass": secrets.token_urlsafe(12),
        "host": "127.0.0.1",
        "port": 0,
        "data_dir": data_dir,
        "docker_host": os.environ.get("DOCKER_HOST", ""),
        "min_free_bytes": 0,
    }
    return Settings(**(defaults | given))


def zipped(files: Files) -> bytes:
    """A zip archive of `files`: name → content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


async def eventually(probe: Callable[[], Any], *, timeout: float = PATIENCE, what: str = "") -> Any:
    """The first truthy result of `probe`, plain or awaitable; an AssertionError when the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {timeout} s: {what or probe}"
        await asyncio.sleep(0.02)


class Client:
    """One user of one server. `session` is aiohttp's own, with base URL and credentials: use it for all else."""

    def __init__(self, session: aiohttp.ClientSession, url: str, settings: Settings, app: web.Application) -> None:
        self.session = session
        self.url = url
        self.settings = settings
        self.app = app
        self.created: list[str] = []

    async def call(self, method: str, path: str, *, expect: int = 200, **options: Any) -> Any:
        """The JSON answer (None for no body); an AssertionError that shows it when its status is not `expect`."""
        async with self.session.request(method, path, **options) as response:
            body = await response.read()
            assert response.status == expect, f"{method} {path}: {response.status} {body.decode(errors='replace')}"
            return json.loads(body) if body else None

    async def refused(self, method: str, path: str, *, status: int, code: str, **options: Any) -> dict[str, Any]:
        """The error body of a request that must be refused so."""
        error: dict[str, Any] = await self.call(method, path, expect=status, **options)
        assert error["code"] == code, error
        assert error["status"] == status, error
        return error

    async def create(self, image: str = BUSYBOX, **fields: Any) -> str:
        """The cuid of a new container."""
        answer = await self.call("POST", "/containers", expect=201, json={"image": image, **fields})
        cuid = str(answer["cuid"])
        self.created.append(cuid)
        return cuid

    async def upload(self, cuid: str, files: Files, **query: str) -> dict[str, Any]:
        """Upload `files` as one zip."""
        answer: dict[str, Any] = await self.call(
            "POST",
            f"/containers/{cuid}/upload-zip",
            params=query,
            data=zipped(files),
            headers={"Content-Type": "application/zip"},
        )
        return answer

    async def act(self, cuid: str, action: str, **query: str) -> dict[str, Any]:
        """start, stop, restart, pause or unpause."""
        answer: dict[str, Any] = await self.call("POST", f"/containers/{cuid}/{action}", params=query)
        return answer

    async def run(self, boot: str | None = None, *, image: str | None = None, **fields: Any) -> str:
        """The cuid of a started container: an app with that `boot.py`, or BusyBox with `command`."""
        if boot is None:
            cuid = await self.create(image or BUSYBOX, **{"command": ["sleep", "1000000"], **fields})
        else:
            cuid = await self.create(image or PYTHON_IMAGE, **fields)
            await self.upload(cuid, {"boot.py": boot})
        await self.act(cuid, "start")
        return cuid

    async def status(self, cuid: str) -> dict[str, Any]:
        """Its state."""
        answer: dict[str, Any] = await self.call("GET", f"/containers/{cuid}/status")
        return answer

    async def wait(self, cuid: str, *statuses: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Its state as soon as that is one of `statuses`."""
        seen: dict[str, Any] = {}

        async def reached() -> bool:
            seen.update(await self.status(cuid))
            return seen["status"] in statuses

        await eventually(reached, timeout=timeout, what=f"{cuid} {' or '.join(statuses)}")
        return seen

    async def logs(self, cuid: str, **query: str) -> str:
        """What it printed."""
        async with self.session.get(f"/containers/{cuid}/logs", params=query) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def exec(self, cuid: str, *command: str, **fields: Any) -> dict[str, Any]:
        """Run `command` in it: exit code, stdout, stderr."""
        answer: dict[str, Any] = await self.call(
            "POST", f"/containers/{cuid}/exec", json={"command": list(command), **fields}
        )
        return answer

    async def delete(self, cuid: str) -> None:
        """Delete it, running or not."""
        await self.call("DELETE", f"/containers/{cuid}", params={"force": "true"})

    def websocket(self, cuid: str, **query: str) -> Any:
        """aiohttp's context manager for a websocket to `/ws/{cuid}`."""
        return self.session.ws_connect(f"/ws/{cuid}", params=query, max_msg_size=0)


def _runner(settings: Settings) -> Any:
    # Imported here, so that tests of one part do not need all the others.
    from container_manager.api.server import Runner
    from container_manager.app import build

    return Runner(build(settings), shutdown_timeout=2.0)


@contextlib.asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Client]:
    """The real server in this loop, on a free port; at the end its containers are removed from the engine."""
    # In a thread, as it reads from the disk.
    runner = await asyncio.to_thread(_runner, settings)
    app = runner.app
    await runner.setup()
    client: Client | None = None
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        url = f"http://{settings.host}:{runner.addresses[0][1]}"
        headers = {"Authorization": aiohttp.encode_basic_auth(settings.app_user, settings.app_pass)}
        async with aiohttp.ClientSession(url, headers=headers, timeout=aiohttp.ClientTimeout(PATIENCE * 2)) as session:
            client = Client(session, url, settings, app)
            yield client
    finally:
        await runner.cleanup()
        created = client.created if client else []
        await asyncio.to_thread(remove_containers, settings, created)


def remove_containers(settings: Settings, created: Collection[str] = ()) -> None:
    """Remove from the engine the containers of this data directory, and only those; also where it is away by now."""
    ours = {path.stem for path in (settings.data_dir / "compose").glob("c*.yml")} | set(created)
    if not ours:
        return
    at = ["--host", settings.docker_host] if settings.docker_host else []
    with contextlib.suppress(AssertionError):
        told = f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'
        rows = docker(*at, "ps", "--all", "--filter", f"label={LABEL}", "--format", told)
        ids = [row.split()[0] for row in rows.splitlines() if row.split()[-1] in ours]
        if ids:
            docker(*at, "rm", "--force", "--volumes", *ids)
