"""requirements.txt before boot.py: installed once, never in the way, and from a cache that nobody can poison."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from packages import Index, image_without_pip, index, pip_image

from container_manager.api.context import SERVICES
from harness import Client, docker, eventually, make_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOOT = """
import importlib.util, time
print("has", importlib.util.find_spec("goods") and __import__("goods").WHAT, flush=True)
while True: time.sleep(60)
"""


@pytest.fixture(scope="module")
def image(python_image: str) -> str:
    return pip_image()


@pytest_asyncio.fixture(loop_scope="module")
async def offered(client: Client) -> AsyncIterator[Index]:
    with await indexed(client) as started:
        started.offer("goods", "1.0", "WHAT = 'good one'")
        yield started


async def indexed(client: Client) -> contextlib.AbstractContextManager[Index]:
    await client.app[SERVICES].engine.ensure_network()
    return index()


def variables(offered: Index) -> dict[str, str]:
    return {"PIP_INDEX_URL": offered.url, "PIP_TRUSTED_HOST": offered.host}


def uncached(offered: Index) -> dict[str, str]:
    """With a setting of pip that the cache does not know: no second container fetches wheels for it meanwhile."""
    return variables(offered) | {"PIP_EXISTS_ACTION": "i"}


async def app(client: Client, image: str, requirements: str, env: dict[str, str], **fields: object) -> str:
    cuid = await client.create(image, env=env, **fields)
    await client.upload(cuid, {"boot.py": BOOT, "requirements.txt": requirements})
    await client.act(cuid, "start")
    return cuid


async def says(client: Client, cuid: str, text: str, times: int = 1) -> str:
    """Its logs as soon as they hold `text` so often."""

    async def said() -> str | None:
        logs = await client.logs(cuid)
        return logs if logs.count(text) >= times else None

    return str(await eventually(said, what=f"{text!r} in the logs"))


def lists(client: Client) -> list[Path]:
    return list((client.settings.data_dir / "wheels").glob("c*/*.txt"))


@pytest.fixture
def listed(client: Client) -> Callable[[], Awaitable[object]]:
    """Waits until one more requirements.txt is in the cache than when the test began."""
    before = len(lists(client))
    return lambda: eventually(lambda: len(lists(client)) > before, what="the wheels in the cache")


async def test_it_is_installed_once_and_again_when_it_changes(
    client: Client, image: str, offered: Index, listed: Callable[[], Awaitable[object]]
) -> None:
    cuid = await app(client, image, "goods==1.0  # the first\n", variables(offered))
    logs = await says(client, cuid, "has good one")
    assert "container-manager: installing requirements.txt" in logs
    await listed()
    asked = len(offered.asked)
    await client.act(cuid, "restart")
    assert (await says(client, cuid, "has good one", 2)).count("installing") == 1
    assert len(offered.asked) == asked
    offered.offer("goods", "2.0", "WHAT = 'newer one'")
    await client.upload(cuid, {"requirements.txt": "goods==2.0\n"})
    await client.act(cuid, "restart")
    await says(client, cuid, "has newer one")
    text = (client.settings.data_dir / "compose" / f"{cuid}.yml").read_text()
    assert '    entrypoint: ["sh", "/opt/container-manager/start.sh", "300"]\n' in text


async def test_a_second_container_asks_no_index_and_can_write_to_nothing_that_is_shared(
    client: Client, image: str, offered: Index, listed: Callable[[], Awaitable[object]]
) -> None:
    await says(client, await app(client, image, "goods\n", variables(offered)), "has good one")
    await listed()
    asked = len(offered.asked)
    cuid = await app(client, image, "goods\n", variables(offered))
    await says(client, cuid, "has good one")
    assert len(offered.asked) == asked
    for user in ("1000", "root"):
        for place in ("wheels/x.whl", "install.py", "x"):
            tried = await client.exec(cuid, "sh", "-c", f"echo x >> /opt/container-manager/{place}", user=user)
            assert tried["exit_code"] != 0, (user, place)
            assert "Read-only file system" in tried["stderr"] or user != "root"


async def test_what_cannot_be_installed_is_told_and_boot_starts(client: Client, image: str, offered: Index) -> None:
    cuid = await app(client, image, "no-such-thing==1\n", uncached(offered))
    logs = await says(client, cuid, "has None")
    assert "No matching distribution found for no-such-thing==1" in logs
    assert "requirements.txt is not installed: pip ended with code 1. boot.py starts all the same" in logs
    assert (await client.status(cuid))["status"] == "running"


async def test_an_image_without_pip_is_told(client: Client, python_image: str, offered: Index) -> None:
    cuid = await app(client, image_without_pip(), "goods\n", uncached(offered))
    assert "is not installed: this image has no pip." in await says(client, cuid, "has None")


async def test_it_takes_no_longer_than_it_may(image: str, busybox: str, offered: Index, tmp_path: Path) -> None:
    async with serve(make_settings(tmp_path, requirements_timeout=1.0)) as client:
        offered.hold.clear()
        cuid = await app(client, image, "goods\n", uncached(offered))
        logs = await says(client, cuid, "has None")
        assert "is not installed: it took longer than 1 seconds." in logs


async def test_a_stop_ends_an_installation_and_the_next_start_repeats_it(
    client: Client, image: str, offered: Index
) -> None:
    offered.hold.clear()
    cuid = await app(client, image, "goods>=1,<2\n", uncached(offered))
    await eventually(lambda: offered.asked, what="pip at the index")
    stopped = await client.act(cuid, "stop")
    # 143: ended by SIGTERM, not by the SIGKILL (137) that follows STOP_TIMEOUT.
    assert stopped["exit_code"] == 143
    offered.hold.set()
    await client.act(cuid, "start")
    await says(client, cuid, "has good one")


async def test_an_evil_index_serves_those_alone_who_name_it(
    client: Client, image: str, offered: Index, listed: Callable[[], Awaitable[object]]
) -> None:
    with await indexed(client) as evil:
        evil.offer("goods", "1.0", "WHAT = 'evil one'")
        wanted = "goods<=1.0\n"
        # By its file: then nothing of it is for the cache. By its variables: a part of the cache of its own.
        options = f"--index-url {evil.url}\n--trusted-host {evil.host}\n{wanted}"
        by_file = app(client, image, options, variables(offered))
        by_variable = app(client, image, wanted, variables(evil))
        for cuid in await asyncio.gather(by_file, by_variable):
            await says(client, cuid, "has evil one")
        await listed()
        asked = len(evil.asked)
        first = await app(client, image, wanted, variables(offered))
        await says(client, first, "has good one")
        await eventually(lambda: len({path.parent for path in lists(client) if "goods" in path.read_text()}) > 1)
        await says(client, await app(client, image, wanted, variables(offered)), "has good one")
        assert len(evil.asked) == asked


async def test_by_hand_it_starts_too(client: Client, image: str, offered: Index) -> None:
    cuid = await app(client, image, "goods\n", variables(offered))
    await says(client, cuid, "has good one")
    file = client.settings.data_dir / "compose" / f"{cuid}.yml"
    docker("rm", "--force", cuid)
    binary = Path(sys.executable).parent / "docker-compose"
    argv = [binary, "--file", file, "up", "--detach"]
    await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, timeout=60)
    await says(client, cuid, "has good one")
