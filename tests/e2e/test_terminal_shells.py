"""Shells of three kinds on the real engine: bytes, signals, floods, and nothing left however a session ends."""

import asyncio
import base64
import os
from pathlib import Path

import pytest
import pytest_asyncio
from images import make_image
from terminal_client import Screen, connected, nothing_left

from harness import PYTHON_IMAGE, Client, docker, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEP = ["sleep", "1000000"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def debian(server: Client) -> str:
    return await server.run(image=PYTHON_IMAGE, command=SLEEP)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busybox_app(server: Client) -> str:
    return await server.run()


@pytest.fixture(params=["bash", "dash", "busybox"])
def shell(request: pytest.FixtureRequest, debian: str, busybox_app: str) -> tuple[str, dict[str, str]]:
    """A container, and the query that opens this shell in it."""
    return {
        "bash": (debian, {"mode": "shell"}),
        "dash": (debian, {"cmd": "exec dash -i", "cols": "80"}),
        "busybox": (busybox_app, {"mode": "shell"}),
    }[request.param]


async def test_a_shell_from_prompt_to_exit(client: Client, shell: tuple[str, dict[str, str]]) -> None:
    cuid, query = shell
    async with connected(client, cuid, **query) as screen:
        await screen.prompt()
        await screen.type("echo $((20 + 3))nd; pwd\n")
        await screen.shows("23nd")
        await screen.shows("/app\r\n")
        await screen.type("printf '\\303'; sleep 0.1; printf '\\251'; printf '\\360\\237\\230\\200\\n'\n")
        await screen.shows("é😀")
        await screen.type("printf '\\377\\376\\n'\n")
        await screen.until(lambda seen: b"\xff\xfe" in seen.bytes("stdout"))
        assert {"utf8", "base64"} == {frame["encoding"] for frame in screen.frames}
        await screen.type("exit 42\n")
        assert await screen.exit() == {"type": "exit", "code": 42}
    await nothing_left(client, cuid)


async def test_interrupt_ends_the_command_and_not_the_shell(client: Client, shell: tuple[str, dict[str, str]]) -> None:
    cuid, query = shell
    async with connected(client, cuid, **query) as screen:
        await screen.prompt()
        await screen.type("sh -c \"echo run''ning; exec sleep 1000\"\n")
        await screen.shows("running")
        await screen.send(type="signal", name="INT")
        await screen.shows("^C")
        await screen.prompt()
        await screen.type("echo still' 'here\n")
        await screen.shows("still here")
    await nothing_left(client, cuid)


async def test_an_image_with_nothing_but_a_shell(client: Client) -> None:
    image = await asyncio.to_thread(make_image, "tests-only-sh:latest", "sh sleep", accounts=False)
    cuid = await client.run(image=image)
    async with connected(client, cuid, mode="shell", cols=90, rows=20) as screen:
        await screen.prompt()
        await screen.type("echo $((20 + 3))nd\n")
        await screen.shows("23nd")
        await screen.type("sh -c \"echo run''ning; exec sleep 1000\"\n")
        await screen.shows("running")
        await screen.send(type="signal", name="TERM")
        await screen.shows("Terminated")
        await screen.type("(trap '' HUP TERM; sleep 982) & exit 4\n")
        assert (await screen.exit())["code"] == 4

    async def only_the_app() -> bool:
        # A heading, the init process and the app.
        return len((await asyncio.to_thread(docker, "top", cuid)).splitlines()) == 3

    await eventually(only_the_app)


async def test_other_signals_reach_the_foreground(client: Client, shell: tuple[str, dict[str, str]]) -> None:
    cuid, query = shell
    async with connected(client, cuid, **query) as screen:
        await screen.prompt()
        await screen.type("sh -c \"trap 'echo got-USR1' USR1; echo wai''ting; while :; do sleep 0.05; done\"\n")
        await screen.shows("waiting")
        await screen.send(type="signal", name="USR1")
        await screen.shows("got-USR1")
        await screen.send(type="signal", name="KILL")
        await screen.prompt()
        await screen.send(type="signal", name="NONSENSE")
        await screen.until(lambda seen: seen.errors)
        assert screen.errors[0]["code"] == "UNKNOWN_SIGNAL"
        await screen.type("echo still' 'here\n")
        await screen.shows("still here")
    await nothing_left(client, cuid)


async def test_killing_the_shell_itself_ends_the_session(client: Client, debian: str) -> None:
    async with connected(client, debian, mode="shell") as screen:
        await screen.prompt()
        await screen.send(type="signal", name="KILL")
        assert await screen.exit() == {"type": "exit", "code": 137}


async def test_bad_frames_are_answered_and_the_session_lives(client: Client, debian: str) -> None:
    async with connected(client, debian, mode="shell") as screen:
        await screen.prompt()
        bad = [
            "",
            "{",
            "[1]",
            '{"type":"x"}',
            "[" * 100_000,
            '{"type":"stdin","data":1}',
            '{"type":"resize","cols":-1}',
        ]
        for frame in bad:
            await screen.socket.send_str(frame)
        await screen.socket.send_bytes(b"\xff")
        await screen.until(lambda seen: len(seen.errors) == len(bad) + 1)
        for error in screen.errors:
            assert (error["error"], error["code"], error["status"]) == ("validation_error", "BAD_FRAME", 400)
            assert set(error) == {"error", "code", "message", "status", "request_id", "timestamp", "details"}
        await screen.send(type="ping")
        await screen.until(lambda seen: {"type": "pong"} in seen.frames)
        await screen.type("echo al''ive\n")
        await screen.shows("alive")


async def test_a_frame_that_is_too_large_closes_the_connection(client: Client, debian: str) -> None:
    async with connected(client, debian, mode="shell") as screen:
        await screen.prompt()
        await screen.type("x" * 2_000_000)
        assert (await screen.end())[0] == 1009
        # Its session could be come back to.
        await client.call("DELETE", f"/containers/{debian}/sessions/{screen.sid}")


async def test_a_flood_is_interrupted_at_once(client: Client, debian: str) -> None:
    async with connected(client, debian, mode="shell") as screen:
        await screen.prompt()
        await screen.type("yes 'a line of a flood'\n")
        await screen.until(lambda seen: len(seen.frames) > 50)
        await screen.send(type="signal", name="INT")
        await screen.prompt()
        await screen.type("echo af''ter\n")
        await screen.shows("after")


async def test_a_paste_arrives_whole(client: Client, debian: str) -> None:
    async with connected(client, debian, mode="shell") as screen:
        await screen.prompt()
        text = "".join(f"line {number:04} of what is pasted\n" for number in range(1000))
        await screen.type("stty -echo; cat > pasted; echo do''ne\n")
        await screen.shows("done" if "done" in screen.text else "cat")
        await screen.type(text)
        await screen.type("\x04")
        await screen.shows("done")
    answer = await client.exec(debian, "cat", "/app/pasted")
    assert answer["stdout"] == text


async def test_many_resizes_do_no_harm(client: Client, debian: str) -> None:
    async with connected(client, debian, mode="shell") as screen:
        await screen.prompt()
        for number in range(10_000):
            await screen.send(type="resize", cols=40 + number % 100, rows=10 + number % 30)
        await screen.send(type="resize", cols=123, rows=45)
        await screen.send(type="ping")
        await screen.until(lambda seen: {"type": "pong"} in seen.frames)

        await screen.has_size(123, 45)


async def test_base64_input(client: Client, debian: str) -> None:
    async with connected(client, debian, cmd="stty raw -echo; echo ready; head -c 4 | od -An -tx1", cols=80) as screen:
        await screen.shows("ready")
        data = base64.b64encode(b"\x00\xff\x80\x03").decode()
        await screen.send(type="stdin", data=data, encoding="base64")
        await screen.shows("00 ff 80 03")
        assert (await screen.exit())["code"] == 0


HARD_TO_KILL = (
    "trap '' HUP TERM INT; (sleep 987 & sleep 986 &) ; nohup sleep 985 >/dev/null 2>&1 & "
    "setsid sleep 984 & sh -c 'sleep 983 & wait' & echo rea''dy; sleep 982\n"
)


@pytest.mark.parametrize("end", ["close", "leave", "lose", "exit", "delete"])
async def test_however_it_ends_nothing_is_left(
    client: Client, shell: tuple[str, dict[str, str]], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuid, query = shell
    async with connected(client, cuid, **query) as screen:
        await screen.prompt()
        await screen.type(HARD_TO_KILL)
        await screen.shows("ready")
        match end:
            case "close":
                await screen.send(type="close")
                await screen.end()
            case "leave":
                await screen.socket.close()
            case "lose":
                screen.socket._response.connection.transport.abort()
                await eventually(lambda: lost(client, cuid, screen))
                await client.call("DELETE", f"/containers/{cuid}/sessions/{screen.sid}")
            case "exit":
                await screen.send(type="signal", name="KILL")
                await screen.type("exit\n")
                await screen.exit()
            case "delete":
                await client.call("DELETE", f"/containers/{cuid}/sessions/{screen.sid}")
                assert (await screen.exit())["reason"] == "it was ended by request"
    await nothing_left(client, cuid)


async def lost(client: Client, cuid: str, screen: Screen) -> bool:
    """The server has noticed that the connection is gone, and keeps the session."""
    session = await client.call("GET", f"/containers/{cuid}/sessions/{screen.sid}")
    return not session["viewers"]


async def torn(client: Client, cuid: str, number: int) -> None:
    """Open a session and tear it, each number in another way."""
    way = number % 8
    query = {"cmd": "exec sleep 981", "tty": "0"} if way == 6 else {"mode": "logs" if way == 7 else "shell"}
    async with connected(client, cuid, **query) as screen:
        match way:
            case 0:
                await screen.prompt()
                await screen.type("sleep 981 & exit\n")
                await screen.exit()
            case 1:
                await screen.prompt()
                await screen.type("yes\n")
                await screen.until(lambda seen: len(seen.frames) > 5)
            case 2:
                await screen.type("setsid sleep 981 &\n")
                await screen.send(type="close")
                await screen.end()
            case 3:
                await client.call("DELETE", f"/containers/{cuid}/sessions/{screen.sid}")
                await screen.exit()
            case 4:
                async with connected(client, cuid, session=screen.sid, role="helper") as helper:
                    await helper.type("kill -KILL $$\n")
                    await screen.exit()
            case 5:
                await screen.socket.send_bytes(b"x" * 2_000_000)
            case 6:
                await screen.type("x" * 500_000)
        if screen.socket._response.connection is not None:
            # Without a word, or in the middle of its good-bye.
            screen.socket._response.connection.transport.abort()
        if way == 1:
            # Nobody looks: the flood would go on at full speed until SESSION_GRACE is over.
            await client.call("DELETE", f"/containers/{cuid}/sessions/{screen.sid}")


async def test_sessions_torn_in_every_way_leave_no_descriptor_and_no_process(client: Client, busybox_app: str) -> None:
    async def some(first: int, count: int) -> None:
        for number in range(first, first + count):
            await torn(client, busybox_app, number)

    async def none() -> bool:
        for session in (await client.call("GET", f"/containers/{busybox_app}/sessions"))["sessions"]:
            await client.call("DELETE", f"/containers/{busybox_app}/sessions/{session['sid']}")
        return not client_tasks()

    await some(0, 8)
    await eventually(none)
    await nothing_left(client, busybox_app)
    descriptors, children = len(os.listdir("/proc/self/fd")), own_children()
    await asyncio.gather(*(some(first, 8) for first in range(0, 32, 8)))
    await eventually(none)
    await nothing_left(client, busybox_app)
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors + 2)
    await eventually(lambda: own_children() <= children)


def own_children() -> int:
    """Processes that this one has started and not seen the end of."""
    return sum(len((task / "children").read_text().split()) for task in Path("/proc/self/task").iterdir())


def client_tasks() -> list[str]:
    """Sessions that are being closed."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("closing session")]
