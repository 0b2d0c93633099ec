"""Who is let in: right credentials always, all others never; pages of other sites change nothing."""

import base64
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from small_app import CUID, ROUTES, SmallApp, small_app

from container_manager.api.auth import MOST_ADDRESSES, WINDOW, Attempts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallApp]:
    async with small_app(
        tmp_path_factory.mktemp("data"),
        auth_attempts=0,
        app_pass="pässword: with a colon",
        allowed_origins=("https://school.example",),
    ) as app:
        yield app


def basic(text: str, charset: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(charset)).decode()


WRONG = [
    None,
    "",
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic YWRtaW4",
    "Basic \xff\xfe",
    "Bearer abc",
    basic("admin:wrong"),
    basic("admin"),
    basic("admin:"),
    basic(":"),
    basic("Admin:pässword: with a colon"),
    basic("admin:pässword: with a colon", "latin-1"),
    basic("admin:pässword: with a colon") + " x",
    "Basic " + "A" * 4000,
]


@pytest.mark.parametrize("header", WRONG)
async def test_wrong_credentials_are_401(app: SmallApp, header: str | None) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as session:
        headers = {} if header is None else {"Authorization": header}
        async with session.get("/things", headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Basic realm="container-manager", charset="UTF-8"'
            assert (await response.json())["code"] == "UNAUTHORIZED"
    line = await app.last_line()
    assert (line["action"], line["actor"], line["error"]["error"]) == ("auth.refused", None, "auth_error")


@pytest.mark.parametrize("header", ["basic", "BASIC", "Basic "])
async def test_right_credentials_are_let_in(app: SmallApp, header: str) -> None:
    token = basic("admin:pässword: with a colon").partition(" ")[2]
    async with app.session.get("/things", headers={"Authorization": f"{header} {token}"}) as response:
        assert response.status == 200
    assert (await app.last_line())["actor"] == "admin"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_but_livez_needs_them(app: SmallApp, route: Any) -> None:
    path = route.template.replace("{cuid}", CUID).replace("{name}", "x")
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as session,
        session.request(route.method, path, data=b"{" if route.changes else None) as response,
    ):
        assert response.status == (200 if route.path == "/livez" else 401)


async def test_unknown_paths_need_them_too(app: SmallApp) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as session:
        for method, path in [("GET", "/nothing"), ("POST", "/livez"), ("GET", "/livez/"), ("GET", "/api/v1/nothing")]:
            async with session.request(method, path) as response:
                assert response.status == 401
        async with session.head("/livez") as response:
            assert response.status == 200


async def test_nobody_is_told_to_send_a_body_first(app: SmallApp) -> None:
    answer = await app.raw(
        b"POST /things HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 401")


async def test_who_is_let_in_is_told_to_go_on(app: SmallApp) -> None:
    async with app.session.post("/things", json={"image": "a"}, expect100=True) as response:
        assert response.status == 201


async def test_too_many_wrong_ones_are_429_and_right_ones_are_let_in(tmp_path: Path) -> None:
    async with small_app(tmp_path, auth_attempts=3) as app:
        wrong = {"Authorization": basic("admin:wrong")}
        statuses = []
        for _ in range(5):
            async with app.session.get("/things", headers=wrong) as response:
                statuses.append(response.status)
                body = await response.json()
        assert statuses == [401, 401, 401, 429, 429]
        assert body["code"] == "TOO_MANY_ATTEMPTS"
        assert 0 < int(response.headers["Retry-After"]) <= 60
        assert (await app.last_line())["action"] == "auth.refused"
        async with app.session.get("/things") as response:
            assert response.status == 200


async def test_clients_of_a_trusted_proxy_are_slowed_one_by_one(tmp_path: Path) -> None:
    async with small_app(tmp_path, auth_attempts=1, trusted_proxies=(ipaddress.ip_network("127.0.0.0/8"),)) as app:
        for client, statuses in (("203.0.113.1", [401, 429]), ("203.0.113.2", [401, 429])):
            headers = {"Authorization": basic("admin:wrong"), "X-Forwarded-For": f"198.51.100.7, {client}"}
            for status in statuses:
                async with app.session.get("/things", headers=headers) as response:
                    assert response.status == status
            assert (await app.last_line())["remote"] == client
        async with app.session.get("/things", headers={"X-Forwarded-For": "203.0.113.1"}) as response:
            assert response.status == 200
        assert (await app.last_line())["remote"] == "203.0.113.1"


async def test_whoever_is_no_proxy_cannot_choose_an_address(tmp_path: Path) -> None:
    async with small_app(tmp_path, auth_attempts=1) as app:
        for client, status in (("203.0.113.1", 401), ("203.0.113.2", 429)):
            headers = {"Authorization": basic("admin:wrong"), "X-Forwarded-For": client}
            async with app.session.get("/things", headers=headers) as response:
                assert response.status == status
        assert (await app.last_line())["remote"] == "127.0.0.1"


def test_attempts_count_for_a_minute() -> None:
    now = 0.0
    attempts = Attempts(2, clock=lambda: now)
    assert attempts.failed("a") is None
    now = 10.0
    assert attempts.failed("a") is None
    assert attempts.failed("a") == WINDOW - 10
    assert attempts.failed("b") is None
    now = WINDOW
    assert attempts.failed("a") is None
    assert attempts.failed("a") == 10


def test_a_network_of_ipv6_is_one_address() -> None:
    attempts = Attempts(1)
    assert attempts.failed("2001:db8::1") is None
    assert attempts.failed("2001:db8::2") is not None
    assert attempts.failed("2001:db8:0:1::1") is None


def test_attempts_are_kept_in_bounded_memory() -> None:
    attempts = Attempts(1)
    for number in range(MOST_ADDRESSES + 100):
        attempts.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._wrong) == MOST_ADDRESSES


ORIGINS = [
    (None, True),
    ("http://127.0.0.1:{port}", True),
    ("https://127.0.0.1:{port}", True),
    ("HTTP://127.0.0.1:{port}", True),
    ("https://school.example", True),
    ("https://SCHOOL.example", True),
    ("http://school.example", False),
    ("null", False),
    ("", False),
    ("http://127.0.0.1", False),
    ("http://127.0.0.1:1", False),
    ("http://localhost:{port}", False),
    ("http://evil.example", False),
    ("http://127.0.0.1:{port}.evil.example", False),
    ("http://127.0.0.1:{port}@evil.example", False),
    ("http://evil.example/127.0.0.1:{port}", False),
    ("file://", False),
    ("http://[::1", False),
    ("http://127.0.0.1:99999999", False),
]


@pytest.mark.parametrize(("origin", "fine"), ORIGINS)
async def test_changes_and_websockets_of_foreign_pages_are_refused(
    app: SmallApp, origin: str | None, fine: bool
) -> None:
    headers = {} if origin is None else {"Origin": origin.format(port=app.port)}
    async with app.session.post("/things", json={"image": "a"}, headers=headers) as response:
        assert response.status == (201 if fine else 403)
        if not fine:
            assert (await response.json())["code"] == "ORIGIN_REFUSED"
            assert (await app.last_line())["action"] == "origin.refused"
    async with app.session.get("/things", headers=headers) as response:
        assert response.status == 200
    if fine:
        async with app.session.ws_connect(f"/ws/{CUID}", headers=headers) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
    else:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await app.session.ws_connect(f"/ws/{CUID}", headers=headers)
        assert refused.value.status == 403


async def test_a_host_without_port_means_the_schemes_own(app: SmallApp) -> None:
    for origin, status in [("https://cm.example", 200), ("http://cm.example:80", 200), ("http://cm.example:81", 403)]:
        headers = {"Host": "cm.example", "Origin": origin}
        async with app.session.post(f"/things/{CUID}/start", headers=headers) as response:
            assert response.status == status


async def test_a_ticket_opens_its_websocket_once(app: SmallApp) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as session:
        async with session.ws_connect(f"/ws/{CUID}?ticket=good") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
        for path in (f"/ws/{CUID}?ticket=good", f"/ws/{CUID}?ticket=bad", "/things?ticket=good"):
            async with session.get(path) as response:
                assert response.status == 401


async def test_a_ticket_is_used_up_although_the_browser_sends_credentials_too(tmp_path: Path) -> None:
    async with small_app(tmp_path) as app:
        path = f"/ws/{CUID}?ticket=good"
        async with app.session.ws_connect(path), app.session.ws_connect(path):
            pass
        async with aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as session, session.get(path) as response:
            assert response.status == 401
