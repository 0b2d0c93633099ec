"""Reads are answered from memory: no process, no question to the engine, and never the state before a change."""

import asyncio
import subprocess
from typing import Any

import pytest

from harness import Client

ROUNDS = 3


async def test_no_read_starts_a_process(client: Client, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    running, created = await client.run(tags=["reads"]), await client.create(name="reads")
    cursor = (await client.call("GET", "/containers?limit=1"))["next_cursor"]
    paths = [
        "/containers",
        "/containers?status=running&tag=reads",
        f"/containers?limit=1&cursor={cursor}",
        *(f"/containers/{cuid}{rest}" for cuid in (running, created) for rest in ("", "/status")),
        "/api/v1/containers",
        "/healthz",
        "/metrics",
    ]
    started: list[Any] = []
    real = subprocess.Popen.__init__

    def recorded(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        started.append(args)
        real(self, args, *rest, **options)

    async def ask(path: str) -> None:
        async with client.session.get(path) as response:
            assert response.status == 200, await response.text()
            await response.read()

    await asyncio.gather(*map(ask, paths))
    monkeypatch.setattr(subprocess.Popen, "__init__", recorded)
    for _ in range(ROUNDS):
        started.clear()
        await asyncio.gather(*(ask(path) for path in paths * 10))
        # The follower of the engine looks at it now and then, whoever reads: one quiet round is proof.
        if not started:
            break
    assert not started, f"Reads started {started}"
    await client.act(running, "restart")
    assert started, "What does start a process was not seen: this test proves nothing"


async def test_a_list_that_was_asked_for_before_shows_what_changed(client: Client, busybox: str) -> None:
    async def listed(query: str) -> dict[str, dict[str, Any]]:
        page = await client.call("GET", f"/containers?limit=1000&tag=fresh{query}")
        return {row["cuid"]: row for row in page["containers"]}

    assert await listed("") == {}
    cuid = await client.create(tags=["fresh"], command=["sleep", "1000"])
    assert (await listed(""))[cuid]["status"] == "created"
    await client.act(cuid, "start")
    assert (await listed(""))[cuid]["status"] == "running"
    assert list(await listed("&status=running")) == [cuid]
    await client.call("PATCH", f"/containers/{cuid}", json={"env": {"NEW": "value"}})
    assert (await listed("&status=running"))[cuid]["env"] == {"NEW": "value"}
    await client.call("PATCH", f"/containers/{cuid}", json={"tags": ["other"]})
    assert await listed("") == {}
    await client.delete(cuid)
    assert cuid not in await listed("&status=running")
