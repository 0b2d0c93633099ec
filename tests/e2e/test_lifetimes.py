"""Containers that end by themselves: after their time, or unused."""

import asyncio
import json
import time
from typing import Any

from container_manager.api.context import SERVICES
from container_manager.services.lifetimes import Lifetimes
from harness import PATIENCE, Client, docker, eventually


class Clock:
    """Monotonic seconds that a test can move on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def lifetimes(client: Client, clock: Clock) -> Lifetimes:
    """A second pair of eyes on the same containers, with a clock of the test's own."""
    parts = client.app[SERVICES]
    return Lifetimes(parts.engine, parts.registry, parts.lifecycle, parts.audit, parts.terminals, clock)


def audited(client: Client, cuid: str) -> list[dict]:
    lines = (client.settings.data_dir / "logs" / "actions.jsonl").read_text().splitlines()
    return [
        entry for entry in map(json.loads, lines) if entry["cuid"] == cuid and entry["action"] == "container.expire"
    ]


async def test_a_container_stops_when_its_time_is_over_and_says_so(client: Client) -> None:
    cuid = await client.run(ttl=1)
    state = await client.wait(cuid, "exited")
    assert state["exit_code"] == 143
    entry = (await eventually(lambda: audited(client, cuid)))[0]
    assert (entry["actor"], entry["error"]) == ("container-manager", None)
    assert entry["details"] == {"reason": "its time is over"}


async def test_its_terminals_are_warned_before(client: Client) -> None:
    cuid = await client.run(ttl=5000)
    clock = Clock()
    watcher = lifetimes(client, clock)
    await watcher.check()
    async with client.websocket(cuid, cols="80", rows="24") as terminal:
        await terminal.receive_json()
        clock.ahead = 4950
        await watcher.check()
        await shows(terminal, "This container stops in 50 s: its time is over")
        assert (await client.status(cuid))["status"] == "running"
        clock.ahead = 5001
        await watcher.check()
    assert (await client.status(cuid))["status"] == "exited"


async def test_unused_is_stopped_and_used_is_not(client: Client) -> None:
    cuid = await client.run(command=["sh", "-c", "while true; do nc -l -p 7000; done"], idle_timeout=1000)
    clock = Clock()
    watcher = lifetimes(client, clock)
    await watcher.check()
    # A request counts …
    clock.ahead = 900
    watcher.used(cuid)
    clock.ahead = 1800
    await watcher.check()
    assert (await client.status(cuid))["status"] == "running"
    # … and so does what comes to its ports: here from inside.
    await client.exec(cuid, "sh", "-c", "echo x | nc -w 1 127.0.0.1 7000")
    clock.ahead = 1899
    await watcher.check()
    clock.ahead = 2800
    await watcher.check()
    assert (await client.status(cuid))["status"] == "running"
    # What it asks for itself, elsewhere, is no use of it.
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"answer\n")
        writer.close()
        answered.set()

    gateway = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", cuid).strip()
    async with await asyncio.start_server(answer, gateway) as elsewhere:
        port = elsewhere.sockets[0].getsockname()[1]
        await client.exec(cuid, "sh", "-c", f"echo x | nc -w 5 {gateway} {port}")
        await asyncio.wait_for(answered.wait(), PATIENCE)
    clock.ahead = 3801
    await watcher.check()
    assert (await client.status(cuid))["status"] == "exited"


async def test_what_is_typed_counts_and_an_unused_terminal_is_warned(client: Client) -> None:
    cuid = await client.run(idle_timeout=1000)
    clock = Clock()
    watcher = lifetimes(client, clock)
    await watcher.check()
    async with client.websocket(cuid, mode="shell") as terminal:
        await terminal.send_json({"type": "stdin", "data": "echo he''llo\n", "encoding": "utf8"})
        await shows(terminal, "hello")
        clock.ahead = 900
        await watcher.check()
        # That it is open is no use; but what came was.
        clock.ahead = 1850
        await watcher.check()
        await shows(terminal, "This container stops in 50 s: nobody used it")
        assert (await client.status(cuid))["status"] == "running"
        clock.ahead = 1901
        await watcher.check()
        await shows(terminal, "This container stops now: nobody used it")
    assert (await client.status(cuid))["status"] == "exited"


async def test_without_bounds_nothing_ends(client: Client) -> None:
    cuid = await client.run()
    configured = await client.call("GET", f"/containers/{cuid}")
    assert (configured["ttl"], configured["idle_timeout"]) == (0, 0)
    clock = Clock()
    watcher = lifetimes(client, clock)
    await watcher.check()
    clock.ahead = 1e9
    await watcher.check()
    assert (await client.status(cuid))["status"] == "running"


async def test_a_bound_that_comes_later_counts_from_the_start(client: Client) -> None:
    cuid = await client.run()
    clock = Clock()
    watcher = lifetimes(client, clock)
    await watcher.check()
    clock.ahead = 5000
    await client.call("PATCH", f"/containers/{cuid}", json={"ttl": 4000})
    await watcher.check()
    assert (await client.status(cuid))["status"] == "exited"


async def shows(terminal: Any, text: str) -> None:
    """Read until the terminal has shown `text`."""
    shown = ""
    async with asyncio.timeout(PATIENCE):
        while text not in shown:
            shown += (await terminal.receive_json()).get("data", "")


async def test_bounds_can_be_changed_while_it_runs(client: Client) -> None:
    cuid = await client.run(ttl=5000)
    before = await client.status(cuid)
    answer = await client.call("PATCH", f"/containers/{cuid}", json={"ttl": 0, "idle_timeout": 60})
    assert (answer["applied"], answer["ttl"], answer["idle_timeout"]) == ("at_once", 0, 60)
    assert (await client.status(cuid))["started_at"] == before["started_at"]
    error = await client.refused(
        "PATCH", f"/containers/{cuid}", status=400, code="INVALID_VALUE", json={"ttl": -1, "idle_timeout": "x"}
    )
    assert [fault["field"] for fault in error["details"]["errors"]] == ["ttl", "idle_timeout"]
