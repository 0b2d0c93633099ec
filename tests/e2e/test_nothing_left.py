"""After a thousand operations of every kind the server holds what it held before: nothing is left behind."""

from pathlib import Path

import aiohttp
import pytest
from _server import PASSWORD, remove_containers, server
from _traffic import Held, Traffic, held, settled

from harness import eventually

GROWTH = 40 << 20
"""Bytes that code, caches and the allocator may take for good in that time."""
HEADERS = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}


@pytest.mark.timeout(300)
async def test_a_thousand_operations_leave_nothing_behind(busybox: str, tmp_path: Path) -> None:
    try:
        async with server(tmp_path, SESSION_GRACE=1, AUTH_ATTEMPTS=1000000) as one:

            async def take() -> Held:
                return await held(one.process.pid, tmp_path, one.session)

            async def traffic(operations: int, seed: int) -> Traffic:
                clients = Traffic(one.url, HEADERS, busybox, engine_share=0.03, seed=seed)
                await clients.begin()
                await clients.run(operations)
                await clients.end()
                return clients

            await traffic(200, seed=1)
            before = await settled(take, 4)
            clients = await traffic(800, seed=2)
            assert clients.answers[200] > 300, clients.answers
            assert clients.answers[401] > 10, clients.answers

            async def as_before() -> Held | None:
                now = await take()
                grown = now.descriptors > before.descriptors or now.tasks > before.tasks or now.children > 1
                return None if grown else now

            after = await eventually(as_before, timeout=40, what=f"as it was: {before}")
            assert after.staged == 0
            assert after.threads <= 24
            assert after.memory - before.memory < GROWTH, (before, after)
            assert not list((tmp_path / "mounts").iterdir())
            assert not (tmp_path / "logs" / "sessions" / "open").read_text()
    finally:
        remove_containers(tmp_path)
