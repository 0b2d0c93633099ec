"""A server whose clock is set, a day forward and a day back, while everything goes on."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from processes import ROOT, ServerProcess
from terminal_client import Screen

from harness import BUSYBOX, eventually, make_settings, remove_containers

SLEEP = """\
import select, time
# libfaketime takes the moment until which Python's own sleep waits for one of the calendar.
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
FOREVER = ["sleep", "1000000"]
HOURS = 3600


class Clock:
    """What the calendar says in one process; its monotonic clock goes on, as the kernel's does."""

    def __init__(self, file: Path) -> None:
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        assert library is not None, "libfaketime is missing: 'make test' installs it"
        self.file = file
        (file.parent / "python").mkdir()
        (file.parent / "python" / "sitecustomize.py").write_text(SLEEP)
        self.variables = {
            "PYTHONPATH": f"{file.parent / 'python'}:{ROOT}",
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set("+0d")

    def set(self, offset: str) -> None:
        """From now on it is another day."""
        new = self.file.with_suffix(".new")
        new.write_text(offset)
        os.replace(new, self.file)


class Events:
    """The stream of events, read by one client from the beginning to the end."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.read: list[str] = []

    async def until(self, text: str) -> None:
        """Read until an event with `text` has come."""
        async with asyncio.timeout(30):
            while not any(text in line for line in self.read):
                self.read.append((await self.response.content.readline()).decode())


async def call(http: aiohttp.ClientSession, method: str, path: str, status: int = 200, **options: Any) -> Any:
    async with http.request(method, path, **options) as response:
        assert response.status == status, await response.text()
        return await response.json()


@pytest.fixture
async def clock(tmp_path: Path, busybox: str) -> AsyncIterator[Clock]:
    yield Clock(tmp_path / "clock")
    await asyncio.to_thread(remove_containers, make_settings(tmp_path / "data"))


async def started(http: aiohttp.ClientSession, **fields: Any) -> str:
    answer = await call(
        http, "POST", "/containers", 201, json={"image": BUSYBOX, "command": FOREVER, "start": True, **fields}
    )
    return str(answer["cuid"])


async def test_a_clock_that_is_set_does_no_harm(tmp_path: Path, clock: Clock) -> None:
    server = await ServerProcess.serving(
        tmp_path / "data", **clock.variables, NETWORK="none", STOP_TIMEOUT="0", REQUEST_TIMEOUT="20"
    )
    try:
        async with server.client() as http:
            before = await date_of(http)
            ticking = ["sh", "-c", "while true; do echo tick; sleep 0.2; done"]
            cuid = await started(http, command=ticking, ttl=2 * HOURS, idle_timeout=2 * HOURS)
            session = await call(http, "POST", f"/containers/{cuid}/sessions", 201, json={"mode": "shell"})
            at_session = f"/ws/{cuid}?session={session['sid']}"
            async with http.ws_connect(at_session) as socket:
                await typed(Screen(socket), "X=kept")
            async with http.get("/events") as stream, http.ws_connect(at_session) as socket:
                events, terminal = Events(stream), Screen(socket)
                for offset in ("+1d", "-1d"):
                    ticket = (await call(http, "POST", "/ws-tickets", 201, json={"cuid": cuid}))["ticket"]
                    clock.set(offset)
                    moved = await date_of(http)
                    assert moved[:10] != before[:10], "the clock was not set"
                    # A ticket is as old as it is, and the terminal goes on; so does a new one, with new output.
                    by_ticket = f"/ws/{cuid}?ticket={ticket}&mode=logs"
                    async with aiohttp.ClientSession(server.url) as browser, browser.ws_connect(by_ticket) as logs:
                        await Screen(logs).shows("tick")
                    await typed(terminal, "echo $X$X", "keptkept")
                    # One who leaves and comes back in time finds the session.
                    async with http.ws_connect(at_session) as again:
                        await typed(Screen(again), "echo $X$X", "keptkept")
                    # Changes are told and done, timeouts are as long as they are.
                    await call(http, "PATCH", f"/containers/{cuid}", json={"ttl": 3 * HOURS})
                    await events.until("event: updated")
                    refused = await call(
                        http, "POST", f"/containers/{cuid}/exec", 408, json={"command": FOREVER, "timeout": 1}
                    )
                    assert refused["code"] == "TIMEOUT"
                    # Who has a long time does not end, who has a short one does: after that both were looked at.
                    short = await started(http, ttl=1)
                    long = await started(http, ttl=HOURS)
                    await eventually(lambda short=short: has_ended(http, short), what="the end of its time")
                    for one in (cuid, long):
                        assert (await call(http, "GET", f"/containers/{one}/status"))["status"] == "running"
                    for one in (short, long):
                        await call(http, "DELETE", f"/containers/{one}?force=true")
                    events.read.clear()
                await call(http, "DELETE", f"/containers/{cuid}?force=true")
                await events.until("event: deleted")
        assert await server.end() == 0, server.said
        assert "Traceback" not in server.said
    finally:
        await server.kill()


async def typed(screen: Screen, line: str, shown: str = "done") -> None:
    """Type a line, and see what the shell does with it."""
    await screen.type(f"{line}; echo do''ne\n")
    await screen.shows(shown)
    screen.frames.clear()


async def has_ended(http: aiohttp.ClientSession, cuid: str) -> bool:
    return bool((await call(http, "GET", f"/containers/{cuid}/status"))["status"] == "exited")


async def date_of(http: aiohttp.ClientSession) -> str:
    """What the server takes for the present moment."""
    return str((await call(http, "GET", "/containers/nothing", 404))["timestamp"])
