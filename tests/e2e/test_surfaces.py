"""What holds on /containers and on /api/v1 alike: each test runs on both."""

import itertools
import socket
from pathlib import Path

import aiohttp
import pytest
from surfaces import V1, Main, Surface

from harness import Client, eventually, make_settings, serve

NUMBERS = itertools.count(1)


@pytest.fixture(params=[Main, V1], ids=["main", "v1"])
def surface(request: pytest.FixtureRequest, client: Client) -> Surface:
    made: Surface = request.param(client)
    return made


@pytest.fixture
def other(surface: Surface, client: Client) -> Surface:
    """The other of the two."""
    return V1(client) if isinstance(surface, Main) else Main(client)


@pytest.fixture
def name() -> str:
    return f"one.of-{next(NUMBERS)}_x"


async def created(surface: Surface, name: str, **fields: object) -> None:
    status, body = await surface.create(name, **{"command": "sleep 100000", **fields})
    assert status in (200, 201), body


async def test_the_life_of_a_named_container(surface: Surface, name: str) -> None:
    await created(surface, name, command="sh -c 'echo \"$GREETING\"; exec sleep 100000'", env={"GREETING": "it's $5"})
    assert (await surface.statuses())[name] == "running"

    async def printed() -> bool:
        return await surface.logs(name, 10) == "it's $5\n"

    await eventually(printed)
    assert await surface.run(name, "echo out; exit 3") == (3, "out\n")
    for verb, status in (("stop", "exited"), ("stop", "exited"), ("start", "running"), ("start", "running")):
        code, body = await surface.step(name, verb)
        assert code == 200, body
        assert (await surface.statuses())[name] == status
    assert await surface.logs(name, 1) == "it's $5\n"
    assert await surface.logs(name, 0) == ""
    code, body = await surface.remove(name)
    assert code == 422, body
    code, body = await surface.remove(name, force="true")
    assert code == 200, body
    assert name not in await surface.statuses()
    assert (await surface.remove(name))[0] == 404


async def test_it_is_the_same_container_on_both(surface: Surface, other: Surface, name: str) -> None:
    await created(surface, name)
    assert (await other.statuses())[name] == "running"
    await surface.run(name, "echo shared >/tmp/mark")
    assert await other.run(name, "cat /tmp/mark") == (0, "shared\n")
    assert (await other.step(name, "stop"))[0] == 200
    assert (await surface.statuses())[name] == "exited"
    assert (await other.remove(name))[0] == 200
    assert name not in await surface.statuses()


async def test_a_name_belongs_to_one(surface: Surface, other: Surface, name: str) -> None:
    await created(surface, name)
    for second in (surface, other):
        status, body = await second.create(name, command="sleep 100000")
        assert status == 409, body
        assert name in str(body)
    await surface.remove(name, force="true")
    await created(other, name)
    await other.remove(name, force="true")


async def test_a_create_that_cannot_start_leaves_nothing(surface: Surface, name: str) -> None:
    before = await surface.statuses()
    with socket.create_server(("0.0.0.0", 0)) as taken:
        status, body = await surface.create(name, command="sleep 1", ports=[(taken.getsockname()[1], 80)])
    assert status == 409, body
    status, body = await surface.create(name, command="sleep 1", image="no.such.registry.invalid/image:1")
    assert status == 404, body
    assert await surface.statuses() == before
    await created(surface, name)
    await surface.remove(name, force="true")


async def test_every_step_of_an_unknown_container_is_404(surface: Surface) -> None:
    path = await surface.path("nobody")
    steps = [("POST", "/start", None), ("POST", "/stop", None), ("DELETE", "", None), ("GET", "/logs", None)]
    for method, rest, body in [*steps, ("POST", "/exec", {"command": "true"})]:
        status, answer = await surface.request(method, path + rest, json=body)
        assert status == 404, (method, rest, answer)


async def test_exec_needs_a_running_container(surface: Surface, name: str) -> None:
    await created(surface, name)
    await surface.step(name, "stop")
    status, body = await surface.request("POST", f"{await surface.path(name)}/exec", json={"command": "true"})
    assert status == 422, body
    await surface.remove(name)


async def test_exec_runs_as_the_user_asked_for(surface: Surface, name: str) -> None:
    await created(surface, name, user="1234:1234")
    assert await surface.run(name, "id -u") == (0, "1234\n")
    assert await surface.run(name, "id -u", user="0") == (0, "0\n")
    await surface.remove(name, force="true")


@pytest.mark.parametrize("kind", [Main, V1], ids=["main", "v1"])
async def test_a_command_past_its_time_is_ended_with_408(
    kind: type[Surface], tmp_path: Path, name: str, busybox: str
) -> None:
    async with serve(make_settings(tmp_path, request_timeout=8.0)) as client:
        surface = kind(client)
        await created(surface, name)
        path = f"{await surface.path(name)}/exec"
        status, body = await surface.request("POST", path, json={"command": "sleep 77777"})
        assert status == 408, body
        assert await surface.run(name, "ps | grep '[s]leep 77777'") == (1, "")


BAD = {
    "image": ["", "A B", "x" * 500, 3, None, ["x"], "-x", "x:y:z"],
    "name": ["", "a/b", "-x", "ü", 3, "n" * 64, "a\0b"],
    "command": [3, "", "'", [], [""], [3], ["x", None], "a\0b"],
    "user": ["", "a b", "root; id", 3, "1:2:3", "-1"],
    "colour": ["red"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
async def test_every_wrong_field_is_a_400_that_names_it(surface: Surface, field: str, value: object) -> None:
    before = await surface.statuses()
    body = surface.new("fine", command="sleep 1") | {field: value}
    status, answer = await surface.request("POST", surface.collection, json=body)
    assert status == 400, answer
    assert field in surface.faults(answer).lower()
    assert await surface.statuses() == before


async def test_every_fault_is_told_at_once(surface: Surface) -> None:
    body = {"name": "a/b", "colour": "red", "user": "a b"}
    status, answer = await surface.request("POST", surface.collection, json=body)
    assert status == 400
    told = surface.faults(answer).lower()
    for word in ("image is required", '"colour"', "name", "user"):
        assert word in told, told


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"image": "\\ud800"}', "application/json", 400),
        (b"[" * 10000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_a_body_that_is_no_json_is_refused(surface: Surface, body: bytes, kind: str, expected: int) -> None:
    status, answer = await surface.request("POST", surface.collection, data=body, headers={"Content-Type": kind})
    assert status == expected, answer


async def test_no_credentials_and_a_foreign_page_are_refused(surface: Surface) -> None:
    url = surface.client.url + surface.collection
    async with aiohttp.ClientSession() as stranger, stranger.get(url) as response:
        assert response.status == 401
        surface.check_envelope(401, await response.json())
    foreign = {"Origin": "https://elsewhere.example"}
    status, answer = await surface.request("POST", surface.collection, json=surface.new("x"), headers=foreign)
    assert status == 403, answer


async def test_unknown_paths_methods_and_parameters_are_told(surface: Surface) -> None:
    status, answer = await surface.request("GET", surface.collection + "/x/y/z")
    assert status == 404, answer
    status, answer = await surface.request("PUT", surface.collection)
    assert status == 405, answer
    status, answer = await surface.request("GET", surface.collection, params={"colour": "red"})
    assert status == 400
    assert "colour" in surface.faults(answer)
