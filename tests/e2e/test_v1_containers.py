"""What /api/v1 has that the main surface does not: its forms of ports and volumes, its exec, health, metrics."""

import asyncio
import base64
import itertools
import os
import socket
from pathlib import Path

import aiohttp
import pytest
from surfaces import V1

from container_manager.settings import Settings
from harness import BUSYBOX, Client, eventually, make_settings

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared").resolve()
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def server_settings(
    tmp_path_factory: pytest.TempPathFactory, busybox: str, python_image: str, shared: Path
) -> Settings:
    return make_settings(tmp_path_factory.mktemp("data"), allowed_volumes=(shared,))


@pytest.fixture
def v1(client: Client) -> V1:
    return V1(client)


@pytest.fixture
def name() -> str:
    return f"v1-{next(NUMBERS)}"


@pytest.fixture
async def running(v1: V1, name: str) -> str:
    status, body = await v1.create(name, command="sleep 100000")
    assert status == 200, body
    return name


async def test_answers_are_those_of_the_guide(v1: V1, name: str) -> None:
    _, body = await v1.create(name, command="sleep 300", env={"ENV_VAR": "value"}, user="root")
    short_id = body["container"].pop("id")
    assert body["container"] == {"name": name, "status": "running"}
    assert len(short_id) == 12
    assert await v1.run(name, "echo $ENV_VAR") == (0, "value\n")
    listed = (await v1.ok("GET", "/api/v1/containers"))["containers"]
    assert {"id": short_id, "name": name, "status": "running", "image": BUSYBOX} in listed
    assert (await v1.step(name, "stop"))[1]["container"] == {"name": name, "status": "stopped"}
    assert (await v1.step(name, "start"))[1]["container"] == {"name": name, "status": "started"}
    assert (await v1.remove(name, force="true"))[1]["container"] == {"name": name, "removed": True}


async def test_a_command_is_split_as_a_shell_splits_words(v1: V1, name: str) -> None:
    await v1.create(name, command="""sh -c 'printf "<%s>" "$@"; echo; exec sleep 100000' sh "two words" 'it''s' \\$x""")

    async def printed() -> bool:
        return await v1.logs(name, 5) == "<two words><its><$x>\n"

    await eventually(printed)


async def test_a_bare_interpreter_has_nothing_to_run(v1: V1, name: str) -> None:
    status, body = await v1.create(name, image="python:3.12-slim")
    assert status == 422, body
    assert name not in await v1.statuses()


async def test_a_container_of_the_main_surface_is_here_once_it_has_a_name(v1: V1, client: Client, name: str) -> None:
    unnamed = await client.create()
    await client.create(name=name)
    listed = {one["name"]: one for one in (await v1.ok("GET", "/api/v1/containers"))["containers"]}
    assert listed[name]["status"] == "created"
    assert len(listed[name]["id"]) == 12
    assert None not in listed
    status, _ = await v1.request("POST", f"/api/v1/containers/{unnamed}/start")
    assert status == 404


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def test_ports_are_published_in_both_forms(v1: V1, name: str) -> None:
    host, docker_py = free_port(), free_port()
    ports = {str(host): "8000", "8000/tcp": ["127.0.0.1", docker_py]}
    serve = "while true; do echo it answers | nc -l -p 8000; done"
    body = {"image": BUSYBOX, "name": name, "command": ["sh", "-c", serve], "ports": ports}
    status, answer = await v1.request("POST", "/api/v1/containers", json=body)
    assert status == 200, answer
    for port in (host, docker_py):

        async def answers(port: int = port) -> bool:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            try:
                return await reader.read(10) == b"it answers"
            except ConnectionError:
                return False
            finally:
                writer.close()

        await eventually(answers)


async def test_volumes_are_mounted_in_every_form(v1: V1, shared: Path, name: str) -> None:
    folders = [shared / f"{name}-{number}" for number in range(4)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "file").write_text(f"number {number}")
    mounted: list[object] = [
        {str(folders[0]): "/data"},
        {str(folders[1]): {"bind": "/data", "mode": "rw"}},
        [f"{folders[2]}:/data:ro"],
        [{"type": "bind", "source": str(folders[3]), "target": "/data", "read_only": True}],
    ]
    for number, volumes in enumerate(mounted):
        one = f"{name}-{number}"
        status, body = await v1.create(one, command="sleep 100000", volumes=volumes)
        assert status == 200, body
        assert await v1.run(one, "cat /data/file") == (0, f"number {number}")
        code, _ = await v1.run(one, "echo written >/data/new")
        assert (code == 0) == (number < 2)
        assert (folders[number] / "new").exists() == (number < 2)
        await v1.remove(one, force="true")
        assert (folders[number] / "file").exists()


@pytest.mark.parametrize(
    "volumes",
    [
        {"/": "/host"},
        {"/etc": "/data"},
        {"/var/run/docker.sock": "/var/run/docker.sock"},
        {"SHARED/../x": "/data"},
        {"SHARED/link": "/data"},
        {"SHARED/link": {"bind": "/data"}},
        ["SHARED/link:/data"],
        [{"type": "bind", "source": "SHARED/link", "target": "/data"}],
        ["relative:/data"],
        ["name:/data"],
        {"DATA": "/data"},
    ],
)
async def test_other_host_paths_are_refused_in_every_form(
    v1: V1, client: Client, shared: Path, name: str, volumes: object
) -> None:
    if not (shared / "link").is_symlink():
        os.symlink("/etc", shared / "link")

    def placed(value: object) -> object:
        if isinstance(value, str):
            return value.replace("SHARED", str(shared)).replace("DATA", str(client.settings.data_dir))
        if isinstance(value, list):
            return [placed(item) for item in value]
        return {placed(key): placed(item) for key, item in value.items()} if isinstance(value, dict) else value

    status, body = await v1.create(name, command="sleep 1", volumes=placed(volumes))
    assert status == 403, body
    assert name not in await v1.statuses()


async def test_nobody_mounts_where_another_container_may_write(v1: V1, shared: Path, name: str) -> None:
    outer = shared / f"{name}-outer"
    (outer / "inner").mkdir(parents=True)
    assert (await v1.create(name, command="sleep 100000", volumes={str(outer): "/data"}))[0] == 200
    status, body = await v1.create(f"{name}-b", command="sleep 1", volumes={str(outer / "inner"): "/data"})
    assert status == 403, body
    await v1.remove(name, force="true")


async def test_exec_tells_both_streams_in_order_and_the_exit_code(v1: V1, running: str) -> None:
    line = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done; exit 42"
    expected = "".join(f"out {number}\nerr {number}\n" for number in range(1, 10))
    answer = await v1.ok("POST", f"/api/v1/containers/{running}/exec", json={"command": line})
    assert answer["execution"] == {"exit_code": 42, "output": expected, "success": False}
    assert await v1.run(running, "kill -9 $$") == (137, "")
    assert await v1.run(running, "no-such-program") == (127, "sh: no-such-program: not found\n")


async def test_output_that_is_no_text_comes_as_base64(v1: V1, running: str) -> None:
    answer = await v1.ok("POST", f"/api/v1/containers/{running}/exec", json={"command": "echo -ne '\\0\\377'"})
    assert answer["execution"]["encoding"] == "base64"
    assert base64.b64decode(answer["execution"]["output"]) == b"\0\xff"


async def test_exec_takes_bash_where_there_is_one(v1: V1, name: str, running: str) -> None:
    other = f"{name}-debian"
    status, body = await v1.create(other, image="python:3.12-slim", command="sleep 100000")
    assert status == 200, body
    assert await v1.run(other, "a=(x y); echo ${a[1]} $BASH_VERSION | cut -c1-3") == (0, "y 5\n")
    assert await v1.run(running, "echo $BASH_VERSION") == (0, "\n")


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("exec", {}, "command is required"),
        ("exec", {"command": ""}, "command"),
        ("exec", {"command": ["ls"]}, "command"),
        ("exec", {"command": "ls", "user": "a b"}, "user"),
        ("exec", {"command": "ls", "colour": 1}, '"colour"'),
        ("exec", {"command": "a\0b"}, "command"),
        ("users", {}, "username is required"),
        ("users", {"username": "anna", "password": 3}, "password"),
        ("users", {"username": "anna", "password": "p" * 513}, "password"),
        ("users", {"username": "anna", "shell": "bash"}, "shell"),
        ("users", {"username": "anna", "colour": 1}, '"colour"'),
        ("files", {"content": "x"}, "dest path is required"),
        ("files", {"dest_path": "/tmp/x"}, "content is required"),
        ("files", {"dest_path": "/tmp/x", "content": 3}, "content"),
        ("files", {"dest_path": "/tmp/x", "content": "x", "encoding": "rot13"}, "encoding"),
        ("files", {"dest_path": "/tmp/x", "content": "x", "colour": 1}, '"colour"'),
    ],
)
async def test_every_wrong_field_is_a_400_that_names_it(v1: V1, path: str, body: object, word: str) -> None:
    status, answer = await v1.request("POST", f"/api/v1/containers/any/{path}", json=body)
    assert status == 400, answer
    assert word in answer["error"]["message"].lower()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("environment", {"1X": "a"}),
        ("environment", {"X": 1}),
        ("environment", {"TAGS": "a"}),
        ("environment", ["X=1"]),
        ("ports", {"http": "80"}),
        ("ports", {"80": "99999"}),
        ("ports", ["80:80"]),
        ("volumes", {"/srv": "relative"}),
        ("volumes", {"/srv": {"bind": "/data", "mode": "z"}}),
        ("volumes", ["/srv"]),
        ("volumes", "x"),
    ],
)
async def test_every_wrong_field_of_create_is_a_400_that_names_it(v1: V1, field: str, value: object) -> None:
    status, answer = (
        await v1.create("fine", command="sleep 1", **{field: value})
        if field != "ports"
        else (await v1.request("POST", v1.collection, json={"image": BUSYBOX, "name": "fine", "ports": value}))
    )
    assert status == 400, answer
    assert field in answer["error"]["message"].lower()


async def test_health_and_metrics(v1: V1, client: Client) -> None:
    health = await v1.ok("GET", "/api/v1/health")
    assert (health["status"], health["podman"]) == ("healthy", "connected")
    figures = await v1.ok("GET", "/api/v1/metrics")
    assert figures["max_workers"] == client.settings.max_workers
    assert figures["active_threads"] >= 1
    assert figures["uptime_seconds"] >= 0
    assert figures["uptime_human"].count(":") == 2


async def test_without_credentials_nothing_is_told(client: Client) -> None:
    async with aiohttp.ClientSession(client.url) as stranger:
        for path in ("health", "metrics", "containers", "nowhere"):
            async with stranger.get(f"/api/v1/{path}") as response:
                assert response.status == 401
                assert (await response.json())["error"]["type"] == "PodmanAPIError"
