"""Programs that take the whole screen, page through text or read keys one by one, each in a terminal of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from images import make_image
from terminal_client import Screen, connected, nothing_left

from harness import PYTHON_IMAGE, Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

ESCAPE = "\x1b"
UP = "\x1b[A"
ALTERNATE, NORMAL = "\x1b[?1049h", "\x1b[?1049l"
PROGRAMS = ["/usr/bin/bash", "/usr/bin/less", "/usr/bin/top", "/usr/bin/vim.tiny"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def programs(server: Client) -> str:
    """A container with the programs."""
    image = make_image("tests-programs:latest", "cat env id ls mkdir seq sh sleep stty true wc", programs=PROGRAMS)
    return await server.run(image=image)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def python(server: Client) -> str:
    return await server.run(image=PYTHON_IMAGE, command=["sleep", "1000000"])


@asynccontextmanager
async def shell(client: Client, cuid: str) -> AsyncIterator[Screen]:
    """A shell of 80 by 24 characters at its prompt; nothing may be left of it afterwards."""
    async with connected(client, cuid, mode="shell", cols=80, rows=24) as screen:
        await screen.prompt()
        yield screen
        await screen.type("exit\n")
        assert (await screen.exit())["code"] == 0
    await nothing_left(client, cuid)


async def test_vim_edits_a_file_and_follows_the_size(client: Client, programs: str) -> None:
    async with shell(client, programs) as screen:
        await screen.type("vim.tiny -u NONE -c 'set nocp' /tmp/notes\n")
        await screen.shows(ALTERNATE)
        await screen.type(f"ihello from v\u00efm{ESCAPE}")
        await screen.shows("hello from v\u00efm")
        await screen.send(type="resize", cols=101, rows=33)
        await screen.type(":set lines? columns?\r")
        await screen.until(lambda seen: "lines=33" in seen.text and "columns=101" in seen.text)
        await screen.type("\r:wq\r")
        await screen.shows(NORMAL)
        await screen.prompt()
        await screen.type("cat /tmp/notes; stty size\n")
        await screen.shows("\rhello from v\u00efm\r\n33 101\r\n")


async def test_less_pages_searches_and_gives_the_screen_back(client: Client, programs: str) -> None:
    async with shell(client, programs) as screen:
        await screen.type("seq 1000 3000 | less\n")
        await screen.until(lambda seen: "1022\r\n" in seen.text)
        assert "1023" not in screen.text, "a page has 23 lines"
        await screen.type(" ")
        await screen.until(lambda seen: "1045\r\n" in seen.text)
        await screen.type("/2777\r")
        await screen.shows("2777")
        await screen.type("G")
        await screen.shows("3000")
        await screen.type("q")
        await screen.shows(NORMAL)
        await screen.prompt()


async def test_top_refreshes_and_can_be_stopped_and_gone_on_with(client: Client, programs: str) -> None:
    async with shell(client, programs) as screen:
        await screen.type("top -d 0.3\n")
        await screen.until(lambda seen: seen.text.count("load average") > 2)
        await screen.send(type="signal", name="TSTP")
        await screen.shows("Stopped")
        await screen.type("fg\n")
        await screen.until(lambda seen: "load average" in seen.text.rpartition("Stopped")[2])
        await screen.type("q")
        await screen.prompt()


async def test_a_python_repl_reads_lines_keys_and_interrupts(client: Client, python: str) -> None:
    async def asks(screen: Screen, prompt: str = ">>> ") -> None:
        await screen.until(lambda seen: seen.text.endswith(prompt))

    async with shell(client, python) as screen:
        await screen.type("python3 -q\n")
        await asks(screen)
        await screen.type("6 * 111\n")
        await screen.shows("666\r\n>>> ")
        await screen.type(UP + "0\n")
        await screen.shows("6660\r\n>>> ")
        await screen.type("import time; print('go' 'ing'); time.sleep(1000)\n")
        await screen.shows("going")
        await screen.send(type="signal", name="INT")
        await screen.shows("KeyboardInterrupt")
        await asks(screen)
        await screen.type("input('wh' 'o? ')\n")
        await asks(screen, "who? ")
        await screen.type("m\u00e9\n")
        await screen.shows("'m\u00e9'\r\n")
        await asks(screen)
        await screen.send(type="stdin", eof=True)
        await screen.prompt()
