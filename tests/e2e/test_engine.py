"""The engine's facade on a real engine: states shown, errors told, nothing left running."""

import asyncio
import contextlib
import hashlib
import http.server
import io
import json
import os
import socket
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from container_manager.engine.engine import Engine
from container_manager.engine.exec import new_mark
from container_manager.engine.process import run
from container_manager.errors import (
    ComposeError,
    ComposeFileBroken,
    EngineTimeout,
    EngineUnavailable,
    ImageNotFound,
    NotRunning,
    PortInUse,
    StartRefused,
)
from container_manager.models import LABEL, SESSION_VARIABLE, Cuid, new_cuid
from harness import BUSYBOX, PYTHON_IMAGE, docker, eventually, make_settings, remove_containers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("busybox", "python_image")]


class House:
    """An engine of the tests' own, and the Compose files of its containers."""

    def __init__(self, facade: Engine) -> None:
        self.engine = facade
        self.folder = facade.settings.data_dir / "compose"
        self.folder.mkdir(exist_ok=True)

    def file(self, cuid: Cuid) -> Path:
        return self.folder / f"{cuid}.yml"

    async def write(self, *command: str, cuid: Cuid | None = None, image: str = BUSYBOX, **service: object) -> Cuid:
        """Write the file of a container that runs `command`."""
        cuid = cuid or new_cuid()
        network = await self.engine.ensure_network()
        service = {
            "image": image,
            "container_name": cuid,
            "init": True,
            "command": list(command),
            "labels": {LABEL: cuid},
            "networks": ["shared"],
            "pids_limit": 100,
            "stop_grace_period": "1s",
            **service,
        }
        project = {"services": {cuid: service}, "networks": {"shared": {"external": True, "name": network}}}
        await asyncio.to_thread(self.file(cuid).write_text, json.dumps(project))
        return cuid

    async def use_shell(self, cuid: Cuid, shell: str) -> None:
        """Make `shell` the container's sh."""
        await self.engine.exec(cuid, ["ln", "-sf", shell, "/bin/sh"], user="0", timeout=30)

    async def up(self, *command: str, **service: object) -> Cuid:
        """A container that was started."""
        cuid = await self.write(*command, **service)  # type: ignore[arg-type]
        await self.engine.up(cuid, self.file(cuid))
        return cuid


@contextlib.asynccontextmanager
async def house_of(folder: Path, **settings: object) -> AsyncIterator[House]:
    facade = Engine(make_settings(folder, **{"stop_timeout": 1.0, **settings}))
    house = await asyncio.to_thread(House, facade)
    await facade.start()
    try:
        yield house
    finally:
        await facade.close()
        await asyncio.to_thread(remove_containers, make_settings(folder))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, busybox: str) -> AsyncIterator[House]:
    async with house_of(tmp_path_factory.mktemp("engine")) as opened:
        yield opened


@pytest.fixture
def facade(house: House) -> Engine:
    return house.engine


async def ask(*arguments: str) -> str:
    return await asyncio.to_thread(docker, *arguments)


async def is_docker(facade: Engine) -> bool:
    """Not Podman, which differs in a few things that are its own."""
    return (await facade.info()).name == "docker"


async def processes(cuid: Cuid) -> list[str]:
    """The command lines that run in a container."""
    script = "for file in /proc/[0-9]*/cmdline; do cat $file && echo; done 2>/dev/null; true"
    told = await ask("exec", "--user=0", cuid, "sh", "-c", script)
    return [line.replace("\0", " ").strip() for line in told.splitlines()]


async def runs(cuid: Cuid, *commands: str) -> None:
    """Return once every one of `commands` runs in the container."""

    async def probe() -> bool:
        return set(commands) <= set(await processes(cuid))

    await eventually(probe, what=str(commands))


async def ended(cuid: Cuid, command: str) -> None:
    """Return once `command` runs no more."""

    async def probe() -> bool:
        return command not in await processes(cuid)

    await eventually(probe, what=command)


# --- lifecycle ------------------------------------------------------------------------------------


async def test_the_life_of_a_container(house: House, facade: Engine) -> None:
    cuid = await house.write("sleep", "1000", ports=["127.0.0.1:0:80"])
    first = await facade.up(cuid, house.file(cuid), publishes=True)
    assert first.status == "running"
    assert [(port.container, port.host_ip) for port in first.ports] == [(80, "127.0.0.1")]
    assert first.ports[0].host > 0
    assert facade.states.get(cuid) == first

    second = await facade.up(cuid, house.file(cuid), publishes=True)
    if await is_docker(facade):
        assert second == first, "up of what runs as its file says changes nothing"
    else:  # At Podman, Compose makes the container anew each time.
        first = second
    assert (await facade.pause(cuid)).status == "paused"
    assert (await facade.unpause(cuid)).status == "running"

    again = await facade.restart(cuid, 1)
    assert again.status == "running"
    assert again.container_id == first.container_id
    assert again.started_at is not None
    assert first.started_at is not None
    assert again.started_at > first.started_at
    assert len(again.ports) == 1

    stopped = await facade.stop(cuid, 1)
    assert (stopped.status, stopped.exit_code, stopped.ports) == ("exited", 143, ())
    assert stopped.finished_at is not None
    assert (await facade.start_existing(cuid)).status == "running"

    await house.write("sleep", "999", cuid=cuid)
    anew = await facade.up(cuid, house.file(cuid))
    assert anew.status == "running"
    assert anew.container_id != first.container_id

    await facade.remove(cuid, house.file(cuid))
    assert facade.states.get(cuid) is None
    await facade.remove(cuid, house.file(cuid))


async def test_the_table_says_what_the_engine_says(house: House, facade: Engine) -> None:
    cuid = await house.up("sleep", "1000", ports=["127.0.0.1:0:80/udp"])
    await eventually(lambda: facade.states.all[cuid].ports)
    [told] = json.loads(await ask("container", "inspect", cuid))
    state = facade.states.all[cuid]
    assert state.container_id == told["Id"]
    assert str(state.ports[0].host) == told["NetworkSettings"]["Ports"]["80/udp"][0]["HostPort"]
    assert state.ports[0].protocol == "udp"


async def test_what_exits_at_once_has_started(house: House, facade: Engine) -> None:
    cuid = await house.write("sh", "-c", "exit 3")
    await facade.up(cuid, house.file(cuid))
    state = await facade.states.wait(cuid, lambda state: state is not None and state.status == "exited", 30)
    assert state is not None
    assert state.exit_code == 3
    assert (await facade.start_existing(cuid)).started_at is not None


async def test_a_paused_container_stops_restarts_and_goes(house: House, facade: Engine) -> None:
    cuid = await house.up("sleep", "1000")
    await facade.pause(cuid)
    assert (await facade.stop(cuid, 1)).status == "exited"
    await facade.start_existing(cuid)
    await facade.pause(cuid)
    assert (await facade.restart(cuid, 1)).status == "running"
    await facade.pause(cuid)
    await facade.remove(cuid, house.file(cuid))


async def test_what_ignores_its_end_is_killed(house: House, facade: Engine) -> None:
    cuid = await house.up("sh", "-c", "trap '' TERM; while true; do sleep 1; done")
    assert (await facade.stop(cuid, 1)).exit_code == 137


async def test_a_restart_policy_shows(house: House, facade: Engine) -> None:
    cuid = await house.write("sh", "-c", "exit 4", restart="always")
    await facade.up(cuid, house.file(cuid))
    # Podman shows no such status between the end and the next start.
    status = "restarting" if await is_docker(facade) else "exited"
    state = await facade.states.wait(cuid, lambda state: state is not None and state.status == status, 30)
    assert state is not None
    assert state.exit_code == 4
    assert (await facade.stop(cuid, 1)).status == "exited"


async def test_what_others_do_is_seen(house: House, facade: Engine) -> None:
    cuid = await house.up("sleep", "1000")

    async def shows(status: str | None) -> None:
        await facade.states.wait(cuid, lambda state: (state and state.status) == status, 30)

    for words, status in (("pause", "paused"), ("unpause", "running"), ("kill", "exited"), ("rm", None)):
        await ask(words, cuid)
        await shows(status)


async def test_many_at_once(tmp_path: Path) -> None:
    async with house_of(tmp_path, max_workers=2) as house:
        cuids = [await house.write("sleep", "1000") for _ in range(6)]
        most = 0

        async def up(cuid: Cuid) -> None:
            nonlocal most
            await house.engine.up(cuid, house.file(cuid))
            most = max(most, house.engine.turns.running)

        async with asyncio.TaskGroup() as tasks:
            for cuid in cuids:
                tasks.create_task(up(cuid))
        assert {house.engine.states.all[cuid].status for cuid in cuids} == {"running"}
        assert most <= 2


async def test_a_second_engine_finds_what_runs(house: House, tmp_path: Path) -> None:
    running, stopped = await house.up("sleep", "1000", ports=["127.0.0.1:0:1"]), await house.up("true")
    await eventually(lambda: house.engine.states.all[running].ports)
    async with house_of(tmp_path) as second:
        assert second.engine.available
        assert second.engine.states.age == 0
        assert second.engine.states.all[running].ports == house.engine.states.all[running].ports
        assert second.engine.states.all[stopped].exit_code == 0


# --- errors ---------------------------------------------------------------------------------------


async def test_a_missing_image(house: House, facade: Engine) -> None:
    assert await facade.image("nosuch/image:1") is None
    assert await facade.image("Not A Reference") is None
    cuid = await house.write("true", image="nosuch/image:1")
    with pytest.raises(ImageNotFound):
        await facade.up(cuid, house.file(cuid))
    assert facade.states.get(cuid) is None


async def test_an_image_that_is_here(facade: Engine) -> None:
    facts = await facade.image(PYTHON_IMAGE)
    assert facts is not None
    assert facts.image_id.startswith("sha256:")
    assert facts.command == ("python3",)


async def test_a_port_in_use_names_its_owner(house: House, facade: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cuid = await house.write("sleep", "1000", ports=[f"127.0.0.1:{port}:80"])
        with pytest.raises(PortInUse, match="by another program") as caught:
            await facade.up(cuid, house.file(cuid), publishes=True)
        assert (caught.value.details["port"], caught.value.details["owner"]) == (port, None)
    await facade.up(cuid, house.file(cuid), publishes=True)
    second = await house.write("sleep", "1000", ports=[f"127.0.0.1:{port}:80"])
    with pytest.raises(PortInUse, match=cuid) as caught:
        await facade.up(second, house.file(second), publishes=True)
    assert caught.value.details["owner"] == cuid


@pytest.mark.parametrize(
    ("command", "service"),
    [
        ("nosuchprogram", {"init": False}),
        ("/etc/passwd", {"init": False}),
        ("true", {"user": "nosuchuser"}),
        ("true", {"mem_limit": "100k", "memswap_limit": "50k"}),
        ("true", {"ports": ["192.0.2.1:0:80"]}),
    ],
)
async def test_what_cannot_run_is_refused(house: House, command: str, service: dict[str, object]) -> None:
    cuid = await house.write(command, **service)  # type: ignore[arg-type]
    with pytest.raises(StartRefused):
        await house.engine.up(cuid, house.file(cuid))


async def test_a_broken_file(house: House, facade: Engine) -> None:
    cuid = await house.write("true")
    await asyncio.to_thread(house.file(cuid).write_text, "services:\n  a:\n    image: [x\n")
    with pytest.raises(ComposeFileBroken) as caught:
        await facade.up(cuid, house.file(cuid), secrets=["hunter2"])
    assert caught.value.details["line"]


async def test_what_does_not_exist_cannot_be_started(facade: Engine) -> None:
    cuid = new_cuid()
    with pytest.raises(NotRunning):
        await facade.start_existing(cuid)
    with pytest.raises(NotRunning):
        await facade.exec(cuid, ["true"], timeout=30)
    await facade.kill_marked(cuid, new_mark(), user=None)


async def test_who_the_engine_is(facade: Engine) -> None:
    info = await facade.info()
    assert info.name in ("docker", "podman")
    assert (await ask("version", "--format", "{{.Server.Version}}")).strip() == info.version
    assert info.compose_version.split(".")[0].isdigit()


# --- commands inside ------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(house: House) -> Cuid:
    """A BusyBox container that runs."""
    return await house.up("sleep", "1000")


async def test_exec(facade: Engine, box: Cuid) -> None:
    result = await facade.exec(box, ["sh", "-c", "cat; echo err >&2; exit 7"], stdin=b"\x00\xff in", timeout=30)
    assert (result.exit_code, result.stdout, result.stderr) == (7, b"\x00\xff in", b"err\n")
    result = await facade.exec(box, ["sh", "-c", "echo a; echo b >&2"], merge_stderr=True, timeout=30)
    assert sorted(result.stdout.splitlines()) == [b"a", b"b"]
    result = await facade.exec(box, ["pwd"], workdir="/tmp", timeout=30)
    assert result.stdout == b"/tmp\n"
    result = await facade.exec(box, ["id", "-u"], user="1234", timeout=30)
    assert result.stdout == b"1234\n"
    result = await facade.exec(box, ["head", "-c", "1000000", "/dev/zero"], limit=10, timeout=30)
    assert (result.exit_code, result.stdout, result.cut) == (0, bytes(10), True)
    assert (await facade.exec(box, ["sh", "-c", "kill -9 $$"], timeout=30)).exit_code == 137


@pytest.mark.parametrize("value", ["", "plain", "$HOME `id` \"q\" 'q' \\", "a\nb\r\nc", "=x", " spaces ", "#", "ü✓"])
async def test_a_variable_arrives_as_it_was_sent(facade: Engine, box: Cuid, value: str) -> None:
    env = {"VALUE": value, "DOCKER_HOST": "tcp://192.0.2.1:1", "PATH": "/bin"}
    result = await facade.exec(box, ["sh", "-c", 'printf %s "$VALUE"'], env=env, timeout=30)
    assert result.stdout.decode() == value


async def test_a_command_out_of_time_leaves_nothing(facade: Engine, box: Cuid) -> None:
    with pytest.raises(EngineTimeout):
        await facade.exec(box, ["sh", "-c", "sleep 4001 & sleep 4002"], timeout=1)
    assert not {"sleep 4001", "sleep 4002"} & set(await processes(box))


async def test_a_command_that_is_given_up_leaves_nothing(facade: Engine, box: Cuid) -> None:
    task = asyncio.create_task(facade.exec(box, ["sleep", "4003"], timeout=60))
    await runs(box, "sleep 4003")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ended(box, "sleep 4003")


async def test_the_log_tells_the_streams_apart(house: House, facade: Engine) -> None:
    cuid = await house.up("sh", "-c", "echo out; echo err >&2; echo last")
    await facade.states.wait(cuid, lambda state: state is not None and state.status == "exited", 30)
    finished = await run(facade.logs_argv(cuid, follow=True), facade.environment, timeout=30)
    assert (finished.stdout, finished.stderr) == (b"out\nlast\n", b"err\n")
    finished = await run(facade.logs_argv(cuid, tail=1), facade.environment, timeout=30)
    assert len((finished.stdout + finished.stderr).splitlines()) == 1


SHELLS = [(BUSYBOX, "/bin/busybox"), (PYTHON_IMAGE, "/bin/dash"), (PYTHON_IMAGE, "/bin/bash")]
TREE = (
    "trap '' HUP TERM; sleep 5001 & (trap '' HUP TERM; exec sleep 5002) & (unset VARIABLE; exec sleep 5003) & "
    "setsid sleep 5004 & (setsid sh -c 'sleep 5005 & exec sleep 5006' &) ; exec sleep 5007"
).replace("VARIABLE", SESSION_VARIABLE)


@pytest.mark.parametrize(("image", "shell"), SHELLS)
@pytest.mark.parametrize("user", [None, "1000:1000"])
async def test_everything_of_a_mark_ends(house: House, image: str, shell: str, user: str | None) -> None:
    limits = {"cap_drop": ["ALL"], "user": user} if user else {}
    cuid = await house.up("sleep", "1000", image=image, **limits)
    await house.use_shell(cuid, shell)
    mine, other = new_mark(), new_mark()
    setsid = "" if "busybox" not in shell else 'setsid() { busybox setsid "$@"; }; '
    for mark, script in ((mine, setsid + TREE), (other, "exec sleep 6001")):
        argv = ["exec", "--detach", "--env", f"{SESSION_VARIABLE}={mark}", cuid, "sh", "-c", script]
        await ask(*argv)
    await runs(cuid, *(f"sleep {number}" for number in (*range(5001, 5008), 6001)))
    await house.engine.kill_marked(cuid, mine, user=user)
    left = await processes(cuid)
    sleeping = {line for line in left if line.startswith("sleep")}
    assert sleeping == {"sleep 1000", "sleep 6001"}, "the container's own and another's go on"


async def test_a_process_of_another_user_ends_with_its_session(house: House) -> None:
    cuid = await house.up("sleep", "1000", image=PYTHON_IMAGE)
    mark = new_mark()
    script = "su -s /bin/sh nobody -c 'setsid sleep 5101 & setsid sleep 5102 & exit'"
    await ask("exec", "--env", f"{SESSION_VARIABLE}={mark}", "--detach", cuid, "sh", "-c", script)
    await runs(cuid, "sleep 5101", "sleep 5102")
    await house.engine.kill_marked(cuid, mark, user=None)
    assert [line for line in await processes(cuid) if line.startswith("sleep")] == ["sleep 1000"]


async def test_what_forks_on_and_on_ends(house: House) -> None:
    cuid = await house.up("sleep", "1000", pids_limit=40)
    mark = new_mark()
    script = "trap '' HUP TERM; while true; do (sleep 0.2; exec sleep 0.2) & sleep 0.02; done"
    await ask("exec", "--env", f"{SESSION_VARIABLE}={mark}", "--detach", cuid, "sh", "-c", script)
    await runs(cuid, "sleep 0.2")
    await house.engine.kill_marked(cuid, mark, user=None)
    assert [line for line in await processes(cuid) if line.startswith("sleep")] == ["sleep 1000"]


async def test_an_image_without_a_shell_says_so(house: House) -> None:
    cuid = await house.up("sleep", "1000", entrypoint=["/bin/busybox"])
    await house.engine.exec(cuid, ["busybox", "rm", "/bin/sh"], timeout=30)
    with pytest.raises(ComposeError, match="no shell"):
        await house.engine.kill_marked(cuid, new_mark(), user=None)


@pytest.mark.parametrize(("image", "shell"), SHELLS)
async def test_a_signal_reaches_the_foreground_of_a_terminal(
    house: House, facade: Engine, image: str, shell: str
) -> None:
    box, mark = await house.up("sleep", "1000", image=image), new_mark()
    await house.use_shell(box, shell)
    script = "trap : INT; sleep 5201; sleep 5202"
    argv = facade.exec_argv(box, ["sh", "-c", script], env={SESSION_VARIABLE: mark}, tty=True)
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(facade.environment), cwd="/", start_new_session=True
    )
    os.close(theirs)
    try:
        await runs(box, "sleep 5201")
        await facade.signal_foreground(box, mark, "INT", user=None)
        await runs(box, "sleep 5202")
        await facade.kill_marked(box, mark, user=None)
        async with asyncio.timeout(30):
            await process.wait()
    finally:
        os.close(ours)
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def test_a_signal_reaches_a_command_without_a_terminal(facade: Engine, box: Cuid) -> None:
    mark = new_mark()
    await ask("exec", "--env", f"{SESSION_VARIABLE}={mark}", "--detach", box, "sleep", "5301")
    await runs(box, "sleep 5301")
    await facade.signal_foreground(box, mark, "USR1", user=None)
    await ended(box, "sleep 5301")


# --- networks and pulls ---------------------------------------------------------------------------


async def test_containers_of_the_shared_network_cannot_reach_each_other(house: House) -> None:
    server = await house.up("sh", "-c", "while true; do echo hello | nc -l -p 7; done")
    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    ip = (await ask("container", "inspect", "--format", address, server)).strip()
    own = await house.engine.exec(server, ["nc", "-w", "2", ip, "7"], timeout=30)
    assert own.stdout == b"hello\n"
    client = await house.up("sleep", "1000")
    other = await house.engine.exec(client, ["nc", "-w", "2", ip, "7"], timeout=30)
    # Podman's bridges have no such choice.
    assert other.stdout == (b"" if await is_docker(house.engine) else b"hello\n")


async def test_no_network_is_a_choice(tmp_path: Path) -> None:
    async with house_of(tmp_path, network="none") as house:
        assert await house.engine.ensure_network() is None


class Registry:
    """A registry that has one image, of one layer."""

    def __init__(self, layer: bytes) -> None:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as archive:
            member = tarfile.TarInfo("content")
            member.size = len(layer)
            archive.addfile(member, io.BytesIO(layer))
        blob = raw.getvalue()
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["/content"], "User": "7"},
                "rootfs": {"type": "layers", "diff_ids": [_digest(blob)]},
            }
        ).encode()
        kind = "application/vnd.docker."
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind + "distribution.manifest.v2+json",
                "config": _part(kind + "container.image.v1+json", config),
                "layers": [_part(kind + "image.rootfs.diff.tar", blob)],
            }
        ).encode()
        answers = {
            "/v2/": b"{}",
            **{f"/v2/test/manifests/{name}": manifest for name in ("1", _digest(manifest))},
            **{f"/v2/test/blobs/{_digest(data)}": data for data in (blob, config)},
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = answers.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                if "manifests" in self.path:
                    self.send_header("Content-Type", kind + "distribution.manifest.v2+json")
                    self.send_header("Docker-Content-Digest", _digest(manifest))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body or b"")

            do_HEAD = do_GET  # noqa: N815 - the name that the class asks for

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.server.server_port}/test"


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _part(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(data), "digest": _digest(data)}


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry(os.urandom(3 << 20))
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


async def test_pull_tells_its_progress(facade: Engine, registry: Registry) -> None:
    if not await is_docker(facade):
        pytest.skip("Podman takes no registry without TLS, unless the machine is set up so")
    told: list[dict[str, object]] = []
    reference = f"{registry.name}:1"
    await facade.pull(reference, told.append)
    try:
        facts = await facade.image(reference)
        assert facts is not None
        assert (facts.command, facts.user) == (("/content",), "7")
        assert told[-1]["layers"] == told[-1]["layers_done"] == 1
        assert told[-1]["current"] == told[-1]["total"]
    finally:
        await ask("image", "rm", reference)


async def test_what_no_registry_has(facade: Engine, registry: Registry) -> None:
    with pytest.raises(ImageNotFound, match="cannot be pulled"):
        await facade.pull(f"{registry.name}:nosuch")


# --- a sick engine --------------------------------------------------------------------------------


class Proxy:
    """Stands between our commands and the engine, and can be cut or frozen as an engine can."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def cut(self) -> None:
        """As if the engine had stopped."""
        assert self._server is not None
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        await asyncio.to_thread(self.path.unlink, missing_ok=True)

    def freeze(self) -> None:
        """As if the engine hung."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        engine_writer = None
        try:
            await self._flowing.wait()
            engine_reader, engine_writer = await asyncio.open_unix_connection(self._engine)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pipe(reader, engine_writer))
                both.create_task(self._pipe(engine_reader, writer))
        except* OSError:
            pass
        finally:
            self._pipes.discard(task)
            for end in (writer, engine_writer):
                if end is not None:
                    end.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@pytest_asyncio.fixture(loop_scope="module")
async def sick(tmp_path: Path) -> AsyncIterator[tuple[House, Proxy]]:
    proxy = Proxy(tmp_path / "engine.sock")
    await proxy.open()
    async with house_of(tmp_path, docker_host=f"unix://{proxy.path}", request_timeout=5.0) as house:
        yield house, proxy
        proxy.thaw()
    await proxy.cut()


async def following(facade: Engine, expected: bool) -> None:
    await eventually(lambda: facade.available is expected)


async def test_an_engine_that_goes_and_comes_back(sick: tuple[House, Proxy]) -> None:
    house, proxy = sick
    stays, goes = await house.up("sleep", "1000"), await house.up("sleep", "1000")
    await proxy.cut()
    await following(house.engine, False)
    assert house.engine.states.age > 0
    assert house.engine.states.all[goes].status == "running", "reads answer from the table"
    for attempt in _operations(house, stays):
        with pytest.raises(EngineUnavailable):
            await attempt()
    await ask("rm", "--force", goes)
    await ask("pause", stays)
    await proxy.open()
    await following(house.engine, True)
    assert house.engine.states.age == 0
    assert house.engine.states.get(goes) is None, "what was missed is found"
    assert house.engine.states.all[stays].status == "paused"
    assert (await house.engine.unpause(stays)).status == "running"


async def test_an_engine_that_hangs(sick: tuple[House, Proxy]) -> None:
    house, proxy = sick
    cuid = await house.up("sleep", "1000")
    proxy.freeze()
    with pytest.raises(EngineTimeout):
        await house.engine.pause(cuid)
    await following(house.engine, False)
    for attempt in _operations(house, cuid)[:3]:
        with pytest.raises(EngineUnavailable):
            await attempt()
    proxy.thaw()
    await following(house.engine, True)
    assert (await house.engine.stop(cuid, 1)).status == "exited"


def _operations(house: House, cuid: Cuid) -> list[Callable[[], object]]:
    facade = house.engine
    return [
        lambda: facade.pause(cuid),
        lambda: facade.up(cuid, house.file(cuid)),
        lambda: facade.start_existing(cuid),
        lambda: facade.exec(cuid, ["true"], timeout=5),
        lambda: facade.pull("nosuch"),
        lambda: facade.image("nosuch"),
        facade.info,
        facade.ensure_network,
    ]


async def test_a_server_starts_without_an_engine(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path / "engine.sock")
    async with house_of(tmp_path, docker_host=f"unix://{proxy.path}") as house:
        assert not house.engine.available
        await proxy.open()
        await following(house.engine, True)
        assert (await house.engine.info()).version
    await proxy.cut()
