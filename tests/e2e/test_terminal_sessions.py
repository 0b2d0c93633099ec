"""Sessions as resources: shared, come back to, recorded, followed, limited; tickets; the audit log."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from terminal_client import Screen, connected, nothing_left

from container_manager.api.context import SERVICES
from container_manager.settings import Settings
from harness import PYTHON_IMAGE, Client, eventually, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = ["sleep", "1000000"]


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory, busybox: str, python_image: str) -> Settings:
    return make_settings(tmp_path_factory.mktemp("data"), max_sessions=4, max_viewers=3, session_grace=2.0)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def no_session_stays(client: Client, app: str) -> AsyncIterator[None]:
    yield
    for session in (await client.call("GET", f"/containers/{app}/sessions"))["sessions"]:
        await client.call("DELETE", f"/containers/{app}/sessions/{session['sid']}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(server: Client) -> str:
    return await server.run(image=PYTHON_IMAGE, command=SLEEP)


async def opened(client: Client, cuid: str, **body: object) -> dict[str, object]:
    answer: dict[str, object] = await client.call("POST", f"/containers/{cuid}/sessions", expect=201, json=body)
    return answer


async def test_a_session_is_a_resource(client: Client, app: str) -> None:
    session = await opened(client, app, cols=90, rows=20)
    sid = session["sid"]
    assert (session["cuid"], session["cols"], session["rows"]) == (app, 90, 20)
    assert (session["viewers"], session["recording"], session["mode"]) == ({}, None, "shell")
    assert [one["sid"] for one in (await client.call("GET", f"/containers/{app}/sessions"))["sessions"]] == [sid]
    assert (await client.call("GET", f"/containers/{app}/sessions/{sid}"))["sid"] == sid
    async with connected(client, app, session=sid) as screen:
        await screen.type("stty size\n")
        await screen.shows("20 90")
        assert (await client.call("GET", f"/containers/{app}/sessions/{sid}"))["viewers"] == {"owner": 1}
        await client.call("DELETE", f"/containers/{app}/sessions/{sid}")
        assert await screen.exit() == {"type": "exit", "code": 129, "reason": "it was ended by request"}
    await client.refused("GET", f"/containers/{app}/sessions/{sid}", status=404, code="SESSION_NOT_FOUND")
    await client.refused("DELETE", f"/containers/{app}/sessions/{sid}", status=404, code="SESSION_NOT_FOUND")
    await nothing_left(client, app)


async def test_a_reload_finds_the_same_shell(client: Client, app: str) -> None:
    sid = (await opened(client, app))["sid"]
    async with connected(client, app, session=sid) as screen:
        await screen.prompt()
        await screen.type("kept=still' 'here; printf '\\033[6n'; echo mar''ker\n")
        await screen.shows("marker")
        assert "\x1b[6n" in screen.text
    async with connected(client, app, session=sid, cols=70, rows=15) as screen:
        await screen.shows("marker")
        assert "\x1b[6n" not in screen.text, "no answer is typed a second time"
        await screen.type("echo $kept\n")
        await screen.shows("still here")
        await screen.has_size(70, 15)
        await screen.send(type="close")
        await screen.end()
    await nothing_left(client, app)


async def test_a_lost_connection_can_come_back(client: Client, app: str) -> None:
    async with connected(client, app, mode="shell") as screen:
        await screen.prompt()
        await screen.type("kept=found; echo rea''dy\n")
        await screen.shows("ready")
        sid = screen.sid
        screen.socket._response.connection.transport.abort()
    async with connected(client, app, session=sid) as again:
        await again.type("echo $kept\n")
        await again.shows("found")
        await again.send(type="close")
    await nothing_left(client, app)


async def test_a_session_ends_when_nobody_comes_back(client: Client, app: str) -> None:
    sid = (await opened(client, app))["sid"]
    async with connected(client, app, session=sid) as screen:
        await screen.prompt()

    async def gone() -> bool:
        return not (await client.call("GET", f"/containers/{app}/sessions"))["sessions"]

    await eventually(gone)
    await nothing_left(client, app)


async def test_several_share_one_session(client: Client, app: str) -> None:
    sid = (await opened(client, app))["sid"]
    async with (
        connected(client, app, session=sid, cols=100, rows=40) as owner,
        connected(client, app, session=sid, role="helper", cols=80, rows=50) as helper,
        connected(client, app, session=sid, role="observer") as observer,
    ):
        await owner.prompt()
        await helper.type("echo ty''ped by the helper\n")
        for screen in (owner, helper, observer):
            await screen.shows("typed by the helper")
        await owner.has_size(80, 40)
        await observer.until(lambda seen: {"type": "size", "cols": 80, "rows": 40} in seen.frames)
        await observer.type("echo no\n")
        await observer.send(type="signal", name="KILL")
        await observer.until(lambda seen: len(seen.errors) == 2)
        assert {error["code"] for error in observer.errors} == {"ROLE_REFUSED"}
        assert {error["status"] for error in observer.errors} == {403}
        viewers = (await client.call("GET", f"/containers/{app}/sessions/{sid}"))["viewers"]
        assert viewers == {"owner": 1, "helper": 1, "observer": 1}
        await client.refused("GET", f"/ws/{app}?session={sid}", status=422, code="LIMIT_REACHED")
        await helper.send(type="close")
        assert await helper.end() == (1000, "left")
        await owner.type("exit 6\n")
        for screen in (owner, observer):
            assert await screen.exit() == {"type": "exit", "code": 6}
    await nothing_left(client, app)


async def test_sessions_are_limited(client: Client, app: str) -> None:
    sids = [(await opened(client, app))["sid"] for _ in range(4)]
    refused = await client.refused(
        "POST", f"/containers/{app}/sessions", status=422, code="LIMIT_REACHED", json={"cols": 80, "rows": 24}
    )
    assert refused["details"] == {"limit": 4, "setting": "MAX_SESSIONS"}
    await client.refused("GET", f"/ws/{app}", status=422, code="LIMIT_REACHED")
    for sid in sids:
        await client.call("DELETE", f"/containers/{app}/sessions/{sid}")
    await nothing_left(client, app)


async def test_a_recording_is_listed_played_and_deleted(client: Client, app: str) -> None:
    session = await opened(client, app, record=True, record_input=True, cols=60, rows=18)
    name = session["recording"]
    assert name == f"{session['sid']}.cast"
    async with connected(client, app, session=session["sid"]) as screen:
        await screen.prompt()
        await screen.send(type="resize", cols=70, rows=20)
        await screen.type("echo recor''ded é\n")
        await screen.shows("recorded é")
        listed = (await client.call("GET", f"/containers/{app}/recordings"))["recordings"]
        assert [(one["name"], one["live"], one["user"]) for one in listed] == [(name, True, "admin")]
        await screen.type("exit 3\n")
        await screen.exit()

    async def whole() -> list[list[object]]:
        async with client.session.get(f"/containers/{app}/recordings/{name}") as response:
            assert response.status == 200
            assert response.content_type == "application/x-asciicast"
            lines = [json.loads(line) for line in (await response.text()).splitlines()]
        return lines if lines[-1][1:] == ["m", "exit 3"] else []

    header, *events = await eventually(whole)
    assert (header["version"], header["width"], header["height"]) == (2, 60, 18)
    assert "recorded é" in "".join(data for _, kind, data in events if kind == "o")
    assert "echo recor''ded é\n" in [data for _, kind, data in events if kind == "i"]
    assert "70x20" in [data for _, kind, data in events if kind == "r"]
    assert [moment for moment, _, _ in events] == sorted(moment for moment, _, _ in events)
    lines = [json.loads(line) for line in (client.settings.data_dir / "logs/actions.jsonl").read_text().splitlines()]
    opening = next(
        line for line in lines if line["action"] == "session.opened" and line["details"]["session"] == session["sid"]
    )
    assert opening["details"]["recording"] == name
    assert "recor''ded" not in json.dumps(lines)
    await client.call("DELETE", f"/containers/{app}/recordings/{name}")
    for method in ("GET", "DELETE"):
        await client.refused(method, f"/containers/{app}/recordings/{name}", status=404, code="RECORDING_NOT_FOUND")
    for wrong in ("..%2f..%2fcompose", "x", "%00", "open"):
        async with client.session.get(f"/containers/{app}/recordings/{wrong}") as response:
            assert response.status == 404


async def test_events_tell_what_is_typed_and_shown(client: Client, app: str) -> None:
    sid = (await opened(client, app))["sid"]
    async with (
        client.session.get(f"/containers/{app}/sessions/{sid}/events") as stream,
        connected(client, app, session=sid) as screen,
    ):
        assert stream.content_type == "text/event-stream"
        await screen.type("echo fol''lowed; exit\n")
        await screen.exit()
        async with asyncio.timeout(20):
            text = (await stream.read()).decode()
    events = [
        (block.split("\n")[0].removeprefix("event: "), json.loads(block.split("\n")[1].removeprefix("data: ")))
        for block in text.split("\n\n")
        if block.startswith("event:")
    ]
    assert "followed" in "".join(data["data"] for kind, data in events if kind == "output")
    assert "echo fol''lowed; exit\n" in [data["data"] for kind, data in events if kind == "input"]
    kind, data = events[-1]
    assert (kind, data["code"]) == ("exit", 0)
    assert {"at", "offset"} <= set(data)


async def test_tickets(client: Client, app: str) -> None:
    sid = (await opened(client, app))["sid"]
    tickets = [
        (await client.call("POST", "/ws-tickets", expect=201, json={"cuid": app, "session": sid, "role": role}))[
            "ticket"
        ]
        for role in ("owner", "observer", "observer")
    ]
    async with aiohttp.ClientSession(client.url) as browser:
        query = {"session": sid, "ticket": tickets[0]}
        async with browser.ws_connect(f"/ws/{app}", params=query) as socket:
            screen = Screen(socket)
            await screen.type("echo let' 'in\n")
            await screen.shows("let in")
        for params, status in (
            (query, 401),
            ({"session": sid, "ticket": "wrong"}, 401),
            ({"session": sid, "ticket": tickets[1], "role": "owner"}, 403),
            ({"ticket": tickets[2]}, 400),
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await browser.ws_connect(f"/ws/{app}", params=params)
            assert caught.value.status == status
    await client.call("DELETE", f"/containers/{app}/sessions/{sid}")
    await client.refused(
        "POST", "/ws-tickets", status=404, code="SESSION_NOT_FOUND", json={"cuid": app, "session": "0" * 32}
    )
    await client.refused("POST", "/ws-tickets", status=404, code="CONTAINER_NOT_FOUND", json={"cuid": "nothing"})
    await client.refused("POST", "/ws-tickets", status=400, code="INVALID_VALUE", json={"cuid": app, "role": "helper"})


async def test_a_ticket_is_for_one_container(client: Client, app: str) -> None:
    ticket = (await client.call("POST", "/ws-tickets", expect=201, json={"cuid": app}))["ticket"]
    other = await client.run()
    async with aiohttp.ClientSession(client.url) as browser:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await browser.ws_connect(f"/ws/{other}", params={"ticket": ticket})
        assert caught.value.status == 401


async def test_the_server_ends_its_sessions_with_itself(settings: Settings, busybox: str) -> None:
    async with serve(settings) as client:
        cuid = await client.run()
        async with connected(client, cuid, mode="shell") as screen:
            await screen.prompt()
            await screen.type("(trap '' HUP TERM; sleep 980 &) ; echo rea''dy\n")
            await screen.shows("ready")
            async with asyncio.timeout(20):
                await client.app.shutdown()
            assert await screen.end() == (1001, "the server shuts down")
            await client.app[SERVICES].terminals.close()
        await nothing_left(client, cuid)
