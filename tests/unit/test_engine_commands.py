"""The command lines: arguments and environment as a real child gets them, from executables of the tests' own."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from container_manager.engine import compose
from container_manager.engine.compose import Compose
from container_manager.engine.docker import Docker
from container_manager.engine.engine import Engine
from container_manager.engine.engine_socket import EngineSocket
from container_manager.engine.exec import Inside, new_mark
from container_manager.engine.network import SharedNetwork
from container_manager.engine.pull import pull
from container_manager.errors import ComposeError, EngineTimeout, EngineUnavailable, ImageNotFound, NotRunning
from container_manager.models import LABEL, SESSION_VARIABLE, new_cuid
from harness import make_settings

CUID = new_cuid()

RECORDER = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), sys.stdin.read()]) + "\\n")
"""


class Fake:
    """An executable that notes how it was called and then does what `body` (Python) says."""

    def __init__(self, folder: Path, name: str, body: str = "") -> None:
        self.path = folder / name
        self._log = folder / f"{name}.log"
        self.path.write_text(RECORDER.format(python=sys.executable, log=str(self._log)) + body)
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        return [entry[0] for entry in self.entries]

    @property
    def entries(self) -> list[tuple[list[str], dict[str, str], str, str]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []


def fake_docker(folder: Path, body: str = "") -> tuple[Fake, Docker]:
    fake = Fake(folder, "docker", body)
    return fake, Docker(str(fake.path), {"PATH": os.environ["PATH"], "HOME": "/"}, 10)


@pytest.fixture
def verbs() -> Compose:
    return Compose("/bin/docker-compose", "5.6.1")


def test_up_is_a_function_of_one_file(verbs: Compose) -> None:
    argv = verbs.up(CUID, Path("/data/compose/x.yml"), 10.0)
    assert argv == [
        *("/bin/docker-compose", "--progress", "json", "--project-name", CUID, "--env-file", "/dev/null"),
        *("--project-directory", "/data/compose", "--file", "/data/compose/x.yml"),
        *("up", "--detach", "--no-build", "--pull", "never", "--timeout", "10"),
    ]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (lambda verbs: verbs.start(CUID), ["start"]),
        (lambda verbs: verbs.stop(CUID, 10), ["stop", "--timeout", "10"]),
        (lambda verbs: verbs.stop(CUID, 0.5), ["stop", "--timeout", "1"]),
        (lambda verbs: verbs.restart(CUID, 0), ["restart", "--timeout", "0"]),
        (lambda verbs: verbs.pause(CUID), ["pause"]),
        (lambda verbs: verbs.down(CUID, 3), ["down", "--volumes", "--timeout", "3"]),
    ],
)
def test_other_verbs_read_no_file(verbs: Compose, argv, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert argv(verbs) == ["/bin/docker-compose", "--progress", "json", "--project-name", CUID, *words]


def test_words_of_a_command_stand_behind_the_service(verbs: Compose) -> None:
    argv = verbs.exec(CUID, ["--help", "-x"], tty=False, user="-u", workdir="--w", env={"A": "-e B=1"})
    assert argv == [
        *("/bin/docker-compose", "--project-name", CUID, "exec", "--no-tty", "--user=-u", "--workdir=--w"),
        *("--env=A=-e B=1", CUID, "--help", "-x"),
    ]
    assert "--no-tty" not in verbs.exec(CUID, ["sh"], tty=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"tail": 0}, ["--tail=0"]),
        (
            {"tail": 5, "follow": True, "since": "2026-01-01T00:00:00Z", "timestamps": True},
            ["--follow", "--timestamps", "--tail=5", "--since=2026-01-01T00:00:00Z"],
        ),
    ],
)
def test_logs(tmp_path: Path, options: dict[str, object], words: list[str]) -> None:
    argv = Engine(make_settings(tmp_path)).logs_argv(CUID, **options)  # type: ignore[arg-type]
    assert argv[1:] == ["logs", *words, CUID]


async def test_the_first_compose_that_is_new_enough_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / name for name in ("old", "broken", "new")]
    for folder, version in zip(folders, ("print('2.40.1')", "sys.exit(1)", "print('v2.40.2-desktop.1')"), strict=True):
        folder.mkdir()
        Fake(folder, "docker-compose", version)
    monkeypatch.setattr(compose, "candidates", lambda environment: iter(f / "docker-compose" for f in folders))
    assert await compose.find({}, 10) == (str(folders[2] / "docker-compose"), "2.40.2-desktop.1")
    monkeypatch.setattr(compose, "candidates", lambda environment: iter([folders[0] / "docker-compose"]))
    with pytest.raises(EngineUnavailable, match=r"Compose 2\.40\.2 or newer.* is version 2\.40\.1"):
        await compose.find({}, 10)


def test_compose_is_looked_for_beside_python_as_a_plugin_and_on_path(tmp_path: Path) -> None:
    Fake(tmp_path, "docker-compose")
    found = [str(path) for path in compose.candidates({"HOME": "/home/me", "PATH": str(tmp_path)})]
    assert found[0] == str(Path(sys.executable).parent / "docker-compose")
    assert found[1] == "/home/me/.docker/cli-plugins/docker-compose"
    assert "/usr/libexec/docker/cli-plugins/docker-compose" in found
    assert found[-1] == str(tmp_path / "docker-compose")


async def test_a_missing_docker_command_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="docker command is not found"):
        await Engine(make_settings(tmp_path)).start()


async def test_before_the_start_there_is_no_engine(tmp_path: Path) -> None:
    engine = Engine(make_settings(tmp_path))
    assert not engine.available
    with pytest.raises(EngineUnavailable):
        await engine.info()
    with pytest.raises(ComposeError):
        await engine.pause(CUID)


async def test_values_of_an_exec_are_on_no_command_line(tmp_path: Path) -> None:
    read = "for word in sys.argv:\n if word.startswith('--env-file='): sys.stdout.write(open(word[11:]).read())\n"
    fake, docker = fake_docker(tmp_path, read)
    env = {"TOKEN": "s3cret $x 'y' =", "DOCKER_HOST": "tcp://evil:1", "LINES": "a\nb"}
    result = await Inside(docker).exec(
        CUID,
        ["run", "--me"],
        user="1000",
        workdir="/app",
        env=env,
        stdin=b"in",
        timeout=10,
        merge_stderr=False,
        limit=99,
    )
    [(argv, environment, folder, stdin)] = fake.entries
    assert result.stdout.decode() == "TOKEN=s3cret $x 'y' =\nDOCKER_HOST=tcp://evil:1\n"
    assert argv[0] == "exec"
    assert argv[1].startswith(f"--env={SESSION_VARIABLE}=")
    assert argv[2:5] == ["--interactive", "--user=1000", "--workdir=/app"]
    assert argv[-3:] == [CUID, "run", "--me"]
    assert "s3cret" not in str(argv)
    assert "DOCKER_HOST" not in environment, "what a client sends must not reach the docker command itself"
    assert (folder, stdin) == ("/", "in")


async def test_the_engine_s_refusal_of_an_exec_is_told_from_the_command_s_failure(tmp_path: Path) -> None:
    _, docker = fake_docker(
        tmp_path, "sys.stderr.write('Error response from daemon: No such container: x')\nsys.exit(1)"
    )
    options = {"user": None, "workdir": None, "env": None, "stdin": b"", "timeout": 10, "limit": 99}
    with pytest.raises(NotRunning):
        await Inside(docker).exec(CUID, ["x"], merge_stderr=False, **options)  # type: ignore[arg-type]
    _, docker = fake_docker(tmp_path, "sys.stderr.write('No such container: x')\nsys.exit(1)")
    result = await Inside(docker).exec(CUID, ["x"], merge_stderr=False, **options)  # type: ignore[arg-type]
    assert (result.exit_code, result.stderr) == (1, b"No such container: x")


async def test_a_command_out_of_time_is_ended_in_the_container_too(tmp_path: Path) -> None:
    fake, docker = fake_docker(tmp_path, "import time\n'sh' in sys.argv or time.sleep(60)")
    with pytest.raises(EngineTimeout, match="command took longer"):
        await Inside(docker).exec(
            CUID, ["x"], user="5", workdir=None, env=None, stdin=b"", timeout=0.5, merge_stderr=False, limit=99
        )
    started, ended = fake.calls
    mark = started[1].removeprefix(f"--env={SESSION_VARIABLE}=")
    assert ended[:4] == ["exec", "--user=5", CUID, "sh"]
    assert ended[-1] == mark


@pytest.mark.parametrize("mark", ["", "*", "a" * 100, "$(id)" * 5])
async def test_a_mark_is_never_a_pattern(tmp_path: Path, mark: str) -> None:
    fake, docker = fake_docker(tmp_path)
    with pytest.raises(ValueError, match="mark"):
        await Inside(docker).kill_marked(CUID, mark, user=None)
    assert not fake.calls


async def test_nothing_is_left_in_a_container_that_is_gone(tmp_path: Path) -> None:
    _, docker = fake_docker(
        tmp_path, "sys.stderr.write('Error response from daemon: No such container: x')\nsys.exit(1)"
    )
    await Inside(docker).kill_marked(CUID, new_mark(), user=None)


async def test_an_image_without_a_shell_is_told(tmp_path: Path) -> None:
    _, docker = fake_docker(tmp_path, "sys.exit(127)")
    with pytest.raises(ComposeError, match="no shell"):
        await Inside(docker).kill_marked(CUID, new_mark(), user=None)


async def test_who_looks_for_marks_of_other_users(tmp_path: Path) -> None:
    fake, docker = fake_docker(tmp_path, "'--user=70' in sys.argv or print('70\\nx; rm')")
    await Inside(docker).kill_marked(CUID, new_mark(), user="0")
    assert [call[1] for call in fake.calls] == ["--user=0", "--user=70"]


async def test_the_network_is_made_once_per_connection(tmp_path: Path) -> None:
    fake, docker = fake_docker(tmp_path, "sys.exit('inspect' in sys.argv)")
    network = SharedNetwork(docker, "isolated")
    for connection in (1, 1, 2):
        assert await network.ensure(connection, "docker") == "container-manager-isolated"
    create = ["network", "create", "--driver", "bridge", "--opt", "com.docker.network.bridge.enable_icc=false"]
    assert [call for call in fake.calls if call[1] == "create"] == [[*create, "container-manager-isolated"]] * 2
    assert len(fake.calls) == 4
    await network.ensure(2, "docker")
    network.forget()
    await network.ensure(2, "docker")
    assert len(fake.calls) == 6


async def test_a_network_made_by_somebody_else_meanwhile_is_fine(tmp_path: Path) -> None:
    body = "sys.stderr.write('Error response from daemon: network with name x already exists')\nsys.exit(1)"
    _, docker = fake_docker(tmp_path, body)
    assert await SharedNetwork(docker, "bridge").ensure(1, "docker") == "container-manager-bridge"
    _, docker = fake_docker(tmp_path, body.replace("already exists", "cannot be"))
    with pytest.raises(ComposeError):
        await SharedNetwork(docker, "bridge").ensure(1, "docker")


async def test_a_network_that_isolates_nothing_is_refused(tmp_path: Path) -> None:
    _, docker = fake_docker(tmp_path, "print('{}')")
    with pytest.raises(ComposeError, match="reach each other"):
        await SharedNetwork(docker, "isolated").ensure(1, "docker")
    assert await SharedNetwork(docker, "isolated").ensure(1, "podman")
    assert await SharedNetwork(docker, "none").ensure(1, "docker") is None


PULL = """
for entry in [
    {"id": "Image x", "status": "Working", "text": "Pulling"},
    {"id": "a", "parent_id": "Image x", "status": "Working", "text": "Pulling fs layer"},
    {"id": "b", "parent_id": "Image x", "status": "Working", "text": "Already exists"},
    {"id": "a", "parent_id": "Image x", "text": "Downloading", "current": 10, "total": 100, "percent": 10},
    {"id": "a", "parent_id": "Image x", "text": "Extracting", "current": 20, "total": 100, "percent": 20},
    {"id": "a", "parent_id": "Image x", "text": "Pull complete", "percent": 100},
    {"id": "Image x", "status": "Done", "text": "Pulled"},
]:
    sys.stderr.write(json.dumps(entry) + "\\n")
"""


async def test_pull_tells_how_far_it_is(tmp_path: Path) -> None:
    fake, told = Fake(tmp_path, "docker-compose", PULL), []
    await pull(Compose(str(fake.path), "5"), {}, "x:${y}", told.append, 10)
    [(argv, _, _, stdin)] = fake.entries
    assert argv[-3:] == ["--file", "-", "pull"]
    assert json.loads(stdin) == {"services": {"image": {"image": "x:$${y}"}}}
    assert [(one["current"], one["total"], one["layers_done"]) for one in told] == [
        *((0, 0, 0), (0, 0, 1), (10, 100, 1), (10, 100, 1), (100, 100, 2))
    ]


async def test_an_image_that_no_registry_gives(tmp_path: Path) -> None:
    said = {"error": True, "message": "Error response from daemon: Get https://r/v2/: dial tcp: lookup r: no such host"}
    fake = Fake(tmp_path, "docker-compose", f"sys.stderr.write({json.dumps(said)!r})\nsys.exit(1)")
    with pytest.raises(ImageNotFound, match="no image x here, and it cannot be pulled: Get https"):
        await pull(Compose(str(fake.path), "5"), {}, "x", None, 10)
    fake = Fake(tmp_path, "docker-compose", "sys.stderr.write('Cannot connect to the Docker daemon')\nsys.exit(1)")
    with pytest.raises(EngineUnavailable):
        await pull(Compose(str(fake.path), "5"), {}, "x", None, 10)


STUCK_ON_ONE = """
import time
ids = sys.argv[3:]
if "stuck" in ids:
    time.sleep(60)
state = {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "", "ExitCode": 0}
labels = {"Labels": {"container-manager.cuid": "CUID"}}
rest = {"State": state, "Config": labels, "HostConfig": {}, "NetworkSettings": {}}
print(json.dumps([{"Id": one, **rest} for one in ids]))
"""


async def test_one_container_that_the_engine_is_stuck_on_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_manager.engine.docker.BATCH_TIMEOUT", 1.0)
    monkeypatch.setattr("container_manager.engine.docker.ALONE_TIMEOUT", 1.5)
    _, docker = fake_docker(tmp_path, STUCK_ON_ONE.replace("CUID", CUID))
    found, stuck = await docker.inspect(["first", "stuck", "last"])
    assert [one.state.container_id for one in found] == ["first", "last"]
    assert stuck == {"stuck"}


DESCRIBED = {
    "Id": "one",
    "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
    "Config": {"Labels": {LABEL: CUID}},
    "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},
}


async def test_one_container_is_asked_for_without_a_process_where_the_engine_has_a_socket(tmp_path: Path) -> None:
    answers = [(200, DESCRIBED), (404, {"message": "No such container: one"}), (200, {"Id": "no container of ours"})]
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().partition(" HTTP")[0])
        status, told = answers[len(asked) - 1]
        writer.write(f"HTTP/1.0 {status} X\r\n\r\n{json.dumps(told)}".encode())
        writer.close()

    fake, docker = fake_docker(tmp_path, f"print({json.dumps([DESCRIBED])!r})")
    path = tmp_path / "docker.sock"
    async with await asyncio.start_unix_server(answer, path):
        docker.socket = EngineSocket(str(path))
        found, _ = await docker.inspect(["one"])
        assert [port.host for port in found[0].state.ports] == [8080]
        assert fake.calls == []
        # What the socket does not tell, the command line does.
        assert (await docker.inspect(["one"]))[0] == found
        assert len(fake.calls) == 1
        assert (await docker.inspect(["one"])) == ([], set())
    assert (await docker.inspect(["one"]))[0] == found
    assert asked == ["GET /containers/one/json"] * 3
