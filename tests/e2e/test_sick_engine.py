"""An engine that is stopped, killed, frozen or not there yet: what is refused, what goes on, and how it heals."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from processes import processes_with
from sick_engine import OwnEngine

from container_manager.api.context import SERVICES
from container_manager.engine.orphans import mark
from container_manager.settings import Settings
from harness import BUSYBOX, Client, eventually, make_settings, serve

REQUEST_TIMEOUT = 3.0
LATEST = REQUEST_TIMEOUT + 5.0
"""Seconds by which every answer must have come: the timeout, and a crowded machine."""
REFUSALS = {(503, "ENGINE_UNAVAILABLE"), (408, "TIMEOUT")}
FOREVER = ["sleep", "1000000"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sick(busybox: str) -> AsyncIterator[OwnEngine]:
    engine = OwnEngine()
    try:
        await engine.start()
        await engine.import_busybox()
        yield engine
    finally:
        await engine.close()


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory, sick: OwnEngine) -> Settings:
    return settings_for(sick, tmp_path_factory.mktemp("data"))


def settings_for(engine: OwnEngine, data_dir: Path) -> Settings:
    return make_settings(
        data_dir,
        docker_host=engine.address,
        request_timeout=REQUEST_TIMEOUT,
        stop_timeout=1.0,
        network="none",
        max_workers=2,
        default_pids=200,
    )


async def refused(client: Client, method: str, path: str, **options: Any) -> None:
    """The request is answered in time, with an error that blames the engine."""
    async with asyncio.timeout(LATEST), client.session.request(method, path, **options) as response:
        error = await response.json()
    assert (response.status, error["code"]) in REFUSALS, error
    assert error["error"] in ("compose_error", "timeout")
    assert error["status"] == response.status
    assert error["request_id"] == response.headers["X-Request-ID"]


async def told_on_healthz(client: Client) -> float:
    """How old the table is, once /healthz says that the engine is away."""
    found: dict[str, Any] = {}

    async def away() -> bool:
        async with client.session.get("/healthz") as response:
            found.update(await response.json())
            return response.status == 503

    await eventually(away, what="the engine's absence on /healthz")
    assert found["code"] == "ENGINE_UNAVAILABLE"
    return float(found["details"]["states_age_seconds"])


async def healthy(client: Client) -> None:
    async def answers() -> bool:
        async with client.session.get("/healthz") as response:
            return response.status == 200 and (await response.json())["states_age_seconds"] == 0

    await eventually(answers, what="the engine's return on /healthz")


async def reads_go_on(client: Client, *cuids: str) -> None:
    listed = await client.call("GET", "/containers", params={"limit": 200})
    assert {*cuids} <= {row["cuid"] for row in listed["containers"]}
    for cuid in cuids:
        assert (await client.call("GET", f"/containers/{cuid}"))["cuid"] == cuid
        assert (await client.status(cuid))["cuid"] == cuid


async def age_of(client: Client, path: str) -> float:
    """How old a read says that its states are; 0 when it says nothing."""
    async with client.session.get(path) as response:
        assert response.status == 200
        return float(response.headers.get("X-States-Age", "0"))


async def refuses_everything(client: Client, cuid: str, other: str) -> None:
    """Every kind of request that needs the engine, all at once: nobody waits for ever behind another."""
    await asyncio.gather(
        refused(client, "POST", f"/containers/{other}/start"),
        refused(client, "POST", f"/containers/{cuid}/stop"),
        refused(client, "POST", f"/containers/{cuid}/exec", json={"command": ["true"]}),
        refused(
            client, "POST", "/containers", json={"image": BUSYBOX, "command": FOREVER, "start": True, "name": "half"}
        ),
    )
    await asyncio.gather(
        refused(client, "PATCH", f"/containers/{cuid}", json={"env": {"A": "1"}}),
        refused(client, "DELETE", f"/containers/{other}"),
    )
    assert "A" not in (await client.call("GET", f"/containers/{cuid}"))["env"]


async def agrees_with(engine: OwnEngine, client: Client) -> None:
    """List and engine agree, and nothing is left of what was refused."""
    seen: dict[str, Any] = {}

    async def agreed() -> bool:
        listed = await client.call("GET", "/containers", params={"limit": 200})
        seen["listed"] = {row["cuid"]: row["status"] for row in listed["containers"]}
        rows = await engine.docker("ps", "--all", "--format", "{{.Names}} {{.State}}")
        seen["engine"] = dict(row.split() for row in rows.splitlines())
        seen["names"] = {row["name"] for row in listed["containers"]}
        ran = {cuid: status for cuid, status in seen["listed"].items() if status != "created"}
        return "half" not in seen["names"] and ran == {
            cuid: status for cuid, status in seen["engine"].items() if status != "created" or cuid not in seen["listed"]
        }

    try:
        await eventually(agreed, what="list and engine agree")
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen}") from None


async def no_program_is_left(client: Client, but: str = "events") -> None:
    """Of the programs that the server started, only the one that follows the engine runs."""

    def only_the_follower() -> bool:
        found = processes_with(mark(client.settings.data_dir))
        return len(found) == 1 and but in found[0]

    await eventually(only_the_follower, what="the end of every program but the follower")


async def pair(client: Client) -> tuple[str, str]:
    """A container that runs, and one that does not but has."""
    cuid = await client.run()
    other = await client.run()
    await client.act(other, "stop")
    return cuid, other


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_an_engine_that_ends_and_comes_back(client: Client, sick: OwnEngine, number: signal.Signals) -> None:
    cuid, other = await pair(client)
    await sick.stop(number)
    first = await told_on_healthz(client)
    await reads_go_on(client, cuid, other)
    await refused(client, "POST", f"/containers/{other}/start")
    await refused(client, "GET", f"/containers/{cuid}/logs")
    assert await told_on_healthz(client) > first
    reads = ("/containers", f"/containers/{cuid}", f"/containers/{cuid}/status")
    assert all([await age_of(client, path) > first for path in reads])
    await sick.start()
    await healthy(client)
    assert not any([await age_of(client, path) for path in reads])
    await agrees_with(sick, client)
    for one in (cuid, other):
        assert (await client.act(one, "start"))["status"] == "running"
    await agrees_with(sick, client)
    await no_program_is_left(client)


async def test_an_engine_that_hangs(client: Client, sick: OwnEngine) -> None:
    cuid, other = await pair(client)
    sick.send(signal.SIGSTOP)
    try:
        # Nobody knows yet: the first requests find it out.
        await refuses_everything(client, cuid, other)
        await told_on_healthz(client)
        await reads_go_on(client, cuid, other)
        await refuses_everything(client, cuid, other)
    finally:
        await sick.recover()
    await healthy(client)
    await agrees_with(sick, client)
    await no_program_is_left(client)
    assert (await client.act(cuid, "restart"))["status"] == "running"
    assert (await client.act(other, "start"))["status"] == "running"


async def test_who_waits_behind_others_at_a_hanging_engine_is_told_in_time(client: Client, sick: OwnEngine) -> None:
    cuids = [await client.create(command=FOREVER) for _ in range(10)]
    sick.send(signal.SIGSTOP)
    try:
        # Two of them occupy the engine; the others wait for a turn, or for their container.
        steps = [refused(client, "POST", f"/containers/{cuid}/start") for cuid in (*cuids, *[cuids[0]] * 10)]
        await asyncio.gather(*steps)
    finally:
        await sick.recover()
    await healthy(client)
    await asyncio.gather(*(client.act(cuid, "start") for cuid in cuids[:3]))
    await no_program_is_left(client)
    for cuid in cuids:
        await client.delete(cuid)


async def test_an_engine_that_is_slow_refuses_or_does_what_it_is_asked(client: Client, sick: OwnEngine) -> None:
    cuids = [(await pair(client))[1] for _ in range(2)]
    over = asyncio.Event()

    async def crawl() -> None:
        while not over.is_set():
            sick.send(signal.SIGSTOP)
            await asyncio.sleep(0.4)
            sick.send(signal.SIGCONT)
            await asyncio.sleep(0.02)

    async def step(cuid: str, verb: str) -> None:
        async with asyncio.timeout(LATEST), client.session.post(f"/containers/{cuid}/{verb}") as response:
            answer = await response.json()
        assert response.status == 200 or (response.status, answer["code"]) in REFUSALS, answer

    crawling = asyncio.create_task(crawl())
    try:
        for verb in ("start", "restart", "stop", "start"):
            await asyncio.gather(*(step(cuid, verb) for cuid in cuids), reads_go_on(client, *cuids))
    finally:
        over.set()
        await crawling
        await sick.recover()
    await healthy(client)
    await agrees_with(sick, client)
    await no_program_is_left(client)


async def test_an_engine_that_hangs_is_noticed_though_nobody_asks_it(
    client: Client, sick: OwnEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuid = await client.run()
    monkeypatch.setattr(client.app[SERVICES].engine._follower, "_interval", 1.0)
    # One look begins the shorter interval.
    client.app[SERVICES].engine._follower.doubt()
    sick.send(signal.SIGSTOP)
    try:
        assert await told_on_healthz(client) > 0
        await reads_go_on(client, cuid)
    finally:
        await sick.recover()
    await healthy(client)
    await client.delete(cuid)


async def test_a_terminal_and_a_log_outlive_nothing(client: Client, sick: OwnEngine) -> None:
    """A stream whose engine is killed ends; it does not hang."""
    cuid = await client.run()
    async with client.websocket(cuid, mode="shell") as terminal:
        await terminal.send_json({"type": "stdin", "data": "echo he''llo\n", "encoding": "utf8"})
        said = ""
        while "hello" not in said:
            said += (await terminal.receive_json(timeout=LATEST)).get("data", "")
        async with client.session.get(f"/containers/{cuid}/logs", params={"follow": "true"}) as logs:
            await sick.stop(signal.SIGKILL)
            async with asyncio.timeout(LATEST):
                await logs.read()
                async for _ in terminal:
                    pass
    await sick.start()
    await healthy(client)
    await no_program_is_left(client)


@pytest.mark.parametrize("hanging", [False, True], ids=["away", "hanging"])
async def test_a_server_that_starts_without_its_engine(tmp_path: Path, sick: OwnEngine, *, hanging: bool) -> None:
    settings = settings_for(sick, tmp_path)
    if hanging:
        sick.send(signal.SIGSTOP)
    else:
        await sick.stop()
    try:
        async with serve(settings) as client:
            cuid = await client.create(command=FOREVER)
            await client.upload(cuid, {"a.txt": "a"})
            await reads_go_on(client, cuid)
            assert await told_on_healthz(client) > 0
            await refused(client, "POST", f"/containers/{cuid}/start")
            if hanging:
                sick.send(signal.SIGCONT)
            else:
                await sick.start()
            await healthy(client)
            assert (await client.act(cuid, "start"))["status"] == "running"
            await client.delete(cuid)
            await no_program_is_left(client)
    finally:
        await sick.recover()
    assert processes_with(mark(settings.data_dir)) == []
