"""Whatever is asked, however oddly: the answer is JSON in the one shape of its surface, with the same id everywhere."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from small_app import CUID, SmallApp, small_app
from yarl import URL

MAIN = {"error", "code", "message", "status", "request_id", "timestamp", "details"}
V1 = {"success", "error", "timestamp"}
JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallApp]:
    async with small_app(tmp_path_factory.mktemp("data"), auth_attempts=0) as app:
        yield app


ODD: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nothing", {}, 404, "ROUTE_NOT_FOUND"),
    ("GET", "/things/", {}, 404, "ROUTE_NOT_FOUND"),
    ("GET", "//things", {}, 404, "ROUTE_NOT_FOUND"),
    ("GET", "/%00%FF%2e%2e/x", {}, 404, "ROUTE_NOT_FOUND"),
    ("POST", "/healthz", {}, 405, "METHOD_NOT_ALLOWED"),
    ("OPTIONS", "/things", {}, 405, "METHOD_NOT_ALLOWED"),
    ("TRACE", "/things", {}, 405, "METHOD_NOT_ALLOWED"),
    ("GET", "/things/not-a-cuid", {}, 404, "CONTAINER_NOT_FOUND"),
    ("GET", f"/things/{CUID[:-1]}G", {}, 404, "CONTAINER_NOT_FOUND"),
    ("GET", f"/things/{CUID.upper()}", {}, 404, "CONTAINER_NOT_FOUND"),
    ("GET", f"/things/{CUID}%0A", {}, 404, "CONTAINER_NOT_FOUND"),
    ("GET", "/things/%00", {}, 404, "CONTAINER_NOT_FOUND"),
    ("POST", "/taken/%00", {}, 404, "NOT_FOUND"),
    ("POST", "/taken/x", {}, 409, "NAME_IN_USE"),
    ("GET", "/things?colour=red", {}, 400, "UNKNOWN_FIELD"),
    ("GET", "/things?force=perhaps", {}, 400, "INVALID_VALUE"),
    ("GET", "/things?status=%FF", {}, 400, "BAD_QUERY"),
    ("GET", "/things?" + "&" * 300, {}, 400, "BAD_QUERY"),
    ("POST", "/things", {}, 400, "MISSING_IMAGE"),
    ("POST", "/things", {"headers": JSON}, 400, "MISSING_IMAGE"),
    ("POST", "/things", {"data": b"{", "headers": JSON}, 400, "BAD_JSON"),
    ("POST", "/things", {"data": b"[" * 100_000, "headers": JSON}, 400, "BAD_JSON"),
    ("POST", "/things", {"data": b'{"image":"\xff"}', "headers": JSON}, 400, "BAD_JSON"),
    (
        "POST",
        "/things",
        {"data": b"{}", "headers": {"Content-Type": "application/json; charset=klingon"}},
        400,
        "BAD_CHARSET",
    ),
    ("POST", "/things", {"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("POST", "/things", {"data": b"{}", "headers": {"Content-Type": "~~;;=\xff"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("POST", "/things", {"data": {"a": "b"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (
        "POST",
        "/things",
        {"data": b"{}", "headers": {**JSON, "Content-Encoding": "gzip"}},
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    ),
    ("POST", "/things", {"data": b"x" * (5 << 20), "headers": JSON}, 413, "TOO_LARGE"),
    ("POST", f"/things/{CUID}/start", {"data": b'{"a": 1}', "headers": JSON}, 400, "UNKNOWN_FIELD"),
    ("POST", "/zip", {"data": b"PK", "headers": {"Content-Type": "text/plain"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("POST", "/zip", {"data": b"PK", "headers": {"Content-Type": ""}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("GET", "/boom", {}, 500, "INTERNAL_ERROR"),
    ("GET", "/boom", {"headers": {"Accept": "text/html"}}, 500, "INTERNAL_ERROR"),
    ("POST", "/full", {}, 507, "NO_SPACE"),
    ("GET", f"/ws/{CUID}", {}, 400, "BAD_REQUEST"),
    ("GET", "/livez", {"headers": {"Authorization": "nonsense"}}, 200, ""),
]


@pytest.mark.parametrize(("method", "path", "given", "status", "code"), ODD)
async def test_the_main_surface(
    app: SmallApp, method: str, path: str, given: dict[str, Any], status: int, code: str
) -> None:
    request_id = str(uuid.uuid4())
    given = {**given, "headers": {**given.get("headers", {}), "X-Request-ID": request_id}}
    url = _url(app, path)
    async with app.session.request(method, url, **given) as response:
        body = await response.json()
        assert response.status == status
        assert response.headers["X-Request-ID"] == request_id
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        if status == 200:
            return
        assert set(body) == MAIN
        assert (body["code"], body["status"], body["request_id"]) == (code, status, request_id)
        assert isinstance(body["details"], dict)
        assert "secret" not in json.dumps(body)
        if status == 405:
            assert response.headers["Allow"]
    line = await app.last_line()
    assert line["request_id"] == request_id
    assert (line["status"], line["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path", "given", "error"),
    [
        ("GET", "/nothing", {}, {"code": 404, "type": "PodmanAPIError"}),
        ("GET", "", {}, {"code": 404, "type": "PodmanAPIError"}),
        ("DELETE", "/things", {}, {"code": 405, "type": "ValidationError"}),
        ("POST", "/things", {}, {"code": 400, "type": "ValidationError", "message": "Image is required"}),
        ("POST", "/things", {"json": {"image": "a", "x": 1}}, {"code": 400, "type": "ValidationError"}),
        ("POST", "/things", {"data": b"x"}, {"code": 415, "type": "ValidationError"}),
        ("POST", "/taken/x", {}, {"code": 409, "type": "PodmanAPIError", "message": "x is taken"}),
        ("GET", "/boom", {}, {"code": 500, "type": "InternalError"}),
        ("GET", "/boom", {"headers": {"Authorization": ""}}, {"code": 401, "type": "PodmanAPIError"}),
    ],
)
async def test_the_v1_surface(
    app: SmallApp, method: str, path: str, given: dict[str, Any], error: dict[str, Any]
) -> None:
    async with app.session.request(method, "/api/v1" + path, **given) as response:
        body = await response.json()
        assert set(body) == V1
        assert body["success"] is False
        assert set(body["error"]) == {"message", "code", "type"}
        assert response.status == error["code"]
        assert body["error"] == {**body["error"], **error}


async def test_v1_successes_have_their_envelope(app: SmallApp) -> None:
    async with app.session.post("/api/v1/things", json={"image": "a"}) as response:
        body = await response.json()
        assert response.status == 200
        assert body["success"] is True
        assert body["got"]["image"] == "a"
        assert body["timestamp"]


MALFORMED = [
    b"BREW /things HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GARBAGE\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /livez HTTP/9.9\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    b"POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    b"GET http://[::1/livez HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("request_bytes", MALFORMED, ids=range(len(MALFORMED)))
async def test_what_is_no_http(app: SmallApp, request_bytes: bytes) -> None:
    answer = await app.raw(request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert b"application/json" in head
    assert set(json.loads(body)) == MAIN
    assert f"X-Request-ID: {json.loads(body)['request_id']}".encode() in head
    line = await app.last_line()
    assert (line["action"], line["status"]) == ("request.malformed", 400)


@pytest.mark.parametrize(
    "target", [b"*", b"http://a/livez/x", b"/?x", b"/a%ZZ", "/caf\u00e9".encode(), b"/\xff", b"/a?b=%ZZ"]
)
async def test_odd_targets(app: SmallApp, target: bytes) -> None:
    answer = await app.raw(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"400", b"401")
    assert set(json.loads(body)) == MAIN


async def test_a_broken_chunk_is_no_server_error(app: SmallApp) -> None:
    credentials = app.session.headers["Authorization"].encode()
    answer = await app.raw(
        b"POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: "
        + credentials
        + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert set(json.loads(body)) == MAIN


async def test_a_stream_that_fails_half_way_is_cut(app: SmallApp) -> None:
    async with app.session.get("/cut") as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    line = await app.last_line()
    assert (line["action"], line["error"]["code"]) == ("thing.cut", "INTERNAL_ERROR")


async def test_stacktraces_only_in_development(app: SmallApp, tmp_path: Path) -> None:
    async with small_app(tmp_path, app_env="development") as other, other.session.get("/boom") as response:
        body = await response.json()
        assert set(body) == {*MAIN, "stacktrace"}
        assert "RuntimeError" in body["stacktrace"]


def _url(app: SmallApp, path: str) -> URL:
    return URL(f"http://127.0.0.1:{app.port}{path}", encoded=True)
