"""What `/ws/{cuid}` talks to: the four ways in which clients use it, and the modes they can ask for."""

import asyncio
import re

import aiohttp
import pytest
import pytest_asyncio
from terminal_client import connected, nothing_left, processes

from container_manager.api.context import SERVICES
from harness import PYTHON_IMAGE, Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOOT = """
import sys, time
print("Hello from the app", flush=True)
print("an error", file=sys.stderr, flush=True)
n = 0
while True:
    time.sleep(0.2)
    n += 1
    print("tick", n, flush=True)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(server: Client) -> str:
    return await server.run(BOOT)


async def test_without_a_size_it_shows_the_apps_output(client: Client, app: str) -> None:
    async with connected(client, app) as screen:
        await screen.shows("tick")
        assert b"Hello from the app" in screen.bytes("stdout")
        assert b"an error" in screen.bytes("stderr")
        assert all(frame["encoding"] in ("utf8", "base64") for frame in screen.frames)


async def test_an_executor_gets_its_commands_output_and_exit_code(client: Client, app: str) -> None:
    async with connected(client, app) as screen:
        await screen.type("echo $((6 * 7)); ls -la /app; (exit 5)\n")
        # As the guide's executor does, whether or not the shell has started.
        await asyncio.sleep(0.1)
        await screen.type("exit\n")
        assert (await screen.exit())["code"] == 5
        assert "\r42\r\n" in screen.text
        assert "boot.py" in screen.text
        assert "tick" not in screen.text.split("echo $((", 1)[1], "the app's output does not go on"
        assert screen.closed == (1000, "ended")
    await nothing_left(client, app)


async def test_a_terminal_with_its_size(client: Client, app: str) -> None:
    async with connected(client, app, cols=101, rows=33) as screen:
        await screen.prompt()
        assert "Hello from the app" not in screen.text
        await screen.type("stty size; pwd; id -u; echo $TERM; test -t 0 && test -t 2 && echo it' is a 'terminal\n")
        await screen.shows("it is a terminal")
        for expected in ("33 101", "\r\n/app\r\n", "\r\n1000\r\n", "xterm-256color"):
            assert expected in screen.text
        await screen.send(type="resize", cols=77, rows=22)
        await screen.has_size(77, 22)
        await screen.send(type="close")
        assert await screen.end() == (1000, "closed")
        assert not [frame for frame in screen.frames if frame["type"] == "exit"]
    await nothing_left(client, app)


async def test_a_user_without_a_name_has_one_in_a_terminal(client: Client, app: str) -> None:
    # Podman makes such a user an entry in /etc/passwd, called by its number.
    entries = (await client.exec(app, "cat", "/etc/passwd"))["stdout"]
    name = "1000" if "\n1000:" in entries else "app"
    async with connected(client, app, mode="shell") as screen:
        await screen.prompt()
        assert re.search(rf"{name}@\w+:~\$ ", screen.text), screen.text
        await screen.type("python3 -c 'import getpass; print(\"I am\", getpass.getuser())'\n")
        await screen.shows(f"I am {name}\r\n")
        await screen.type("bash\n")
        await screen.until(lambda seen: seen.text.count(f"{name}@") == 3)
        assert "no name" not in screen.text


async def test_a_reader_of_tail_gets_lines_as_they_come(client: Client, app: str) -> None:
    async with connected(client, app) as screen:
        await screen.type("touch /app/app.log; tail -f /app/app.log\n")
        await screen.shows("tail -f")
        await client.exec(app, "sh", "-c", "echo a line >> /app/app.log")
        await screen.shows("a line\r\n")
    await nothing_left(client, app)


UNTIL_TOLD = """
import os, time
print("run", len(open("/app/runs").read()), flush=True)
while not os.path.exists("/app/stop"):
    time.sleep(0.02)
os._exit(7)
"""


async def test_logs_end_with_the_apps_code_and_begin_with_its_last_start(client: Client) -> None:
    cuid = await client.create(PYTHON_IMAGE)
    await client.upload(cuid, {"boot.py": UNTIL_TOLD, "runs": "1"})
    await client.act(cuid, "start")
    async with connected(client, cuid, mode="logs") as screen:
        await screen.shows("run 1")
        await client.upload(cuid, {"stop": ""})
        assert await screen.exit() == {"type": "exit", "code": 7, "reason": "the container stopped"}
    await client.wait(cuid, "exited")
    await client.upload(cuid, {"boot.py": UNTIL_TOLD, "runs": "12"}, mode="replace")
    await client.act(cuid, "start")
    async with connected(client, cuid, mode="logs") as screen:
        await screen.shows("run 2")
        assert "run 1" not in screen.text
        await screen.type("echo x\n")
        await screen.until(lambda seen: seen.errors)
        assert screen.errors[0]["code"] == "READ_ONLY"


async def test_a_command_without_a_terminal(client: Client, app: str) -> None:
    async with connected(client, app, cmd="echo out; echo err >&2; read line; echo got $line; exit 9", tty=0) as screen:
        await screen.shows("err")
        await screen.type("some input\n")
        assert (await screen.exit())["code"] == 9
        assert screen.bytes("stdout") == b"out\ngot some input\n"
        assert screen.bytes("stderr") == b"err\n"


async def test_a_command_reads_to_the_end_of_its_input(client: Client, app: str) -> None:
    async with connected(client, app, cmd="wc -c", tty=0) as screen:
        await screen.send(type="stdin", data="x" * 100_000)
        await screen.send(type="stdin", eof=True)
        assert (await screen.exit())["code"] == 0
        assert screen.bytes("stdout").strip() == b"100000"


async def test_a_command_on_a_terminal(client: Client, app: str) -> None:
    async with connected(client, app, cmd="stty size; test -t 1 && echo terminal", cols=50, rows=10) as screen:
        assert (await screen.exit())["code"] == 0
        assert "10 50" in screen.text
        assert "terminal" in screen.text


async def test_without_the_engines_socket_its_client_does_the_same(
    client: Client, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.app[SERVICES].engine, "_socket", None)
    async with connected(client, app, cols=90, rows=25) as screen:
        await screen.prompt()
        await screen.type("stty size\n")
        await screen.shows("25 90")
        await screen.send(type="resize", cols=66, rows=11)
        await screen.has_size(66, 11)
        await screen.type("sh -c \"echo run''ning; exec sleep 1000\"\n")
        await screen.shows("running")
        await screen.send(type="signal", name="INT")
        await screen.shows("^C")
        await screen.type("exit 4\n")
        assert (await screen.exit())["code"] == 4
    async with connected(client, app, cmd="cat; echo err >&2; exit 3", tty=0) as screen:
        await screen.send(type="stdin", data="typed", eof=True)
        assert (await screen.exit())["code"] == 3
        assert (screen.bytes("stdout"), screen.bytes("stderr")) == (b"typed", b"err\n")
    await nothing_left(client, app)


async def test_a_stopped_container_ends_its_sessions_and_says_why(client: Client) -> None:
    cuid = await client.run()
    async with connected(client, cuid, mode="shell") as shell, connected(client, cuid) as log:
        await shell.prompt()
        await client.act(cuid, "stop")
        for screen in (shell, log):
            assert (await screen.exit())["reason"] == "the container stopped"
    await client.refused("GET", f"/ws/{cuid}", status=422, code="NOT_RUNNING")
    await client.act(cuid, "start")
    async with connected(client, cuid, mode="shell") as shell:
        await shell.prompt()
        await client.delete(cuid)
        assert (await shell.exit())["reason"] in ("the container was removed", "the container stopped")


async def test_what_is_refused_before_the_upgrade(client: Client, app: str) -> None:
    unknown = "c00000000-0000-4000-8000-000000000000"
    await client.refused("GET", f"/ws/{unknown}", status=404, code="CONTAINER_NOT_FOUND")
    await client.refused("GET", "/ws/nothing", status=404, code="CONTAINER_NOT_FOUND")
    created = await client.create()
    await client.refused("GET", f"/ws/{created}", status=422, code="NOT_RUNNING")
    await client.refused("GET", f"/ws/{app}", status=400, code="UPGRADE_REQUIRED")
    await client.refused("GET", f"/ws/{app}?cols=0", status=400, code="INVALID_VALUE")
    await client.refused("GET", f"/ws/{app}?mode=nonsense", status=400, code="INVALID_VALUE")
    await client.refused("GET", f"/ws/{app}?session={'0' * 32}", status=404, code="SESSION_NOT_FOUND")
    await client.refused("GET", f"/ws/{app}?role=observer", status=400, code="INVALID_VALUE")
    own = aiohttp.encode_basic_auth(client.settings.app_user, client.settings.app_pass)
    wrong = aiohttp.encode_basic_auth("admin", "wrong")
    for headers, status in (
        ({}, 401),
        ({"Authorization": wrong}, 401),
        ({"Authorization": own, "Origin": "https://evil.example"}, 403),
        ({"Authorization": own, "Origin": "null"}, 403),
    ):
        async with aiohttp.ClientSession(client.url) as other:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await other.ws_connect(f"/ws/{app}", headers=headers)
            assert caught.value.status == status
    assert await processes(client, app) == []
