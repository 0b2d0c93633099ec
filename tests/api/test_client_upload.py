"""The client's large uploads, over connections that break."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from container_manager.client import Address, Refused, Unreachable, resuming
from container_manager.client import Client as ApiClient
from container_manager.client.files import LARGE
from harness import Client, zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTENT = os.urandom(LARGE + 1000)
BODY = zipped({"big": CONTENT, "boot.py": "print(1)"})


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "_PAUSE_SECONDS", 0.01)


@asynccontextmanager
async def breaking(client: Client, *after: int) -> AsyncIterator[tuple[ApiClient, list[int]]]:
    """A client whose connections break after so many bytes, one after the other; then no more of them does."""
    left, passed = list(after), list[int]()
    host, port = client.url.removeprefix("http://").rstrip("/").split(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = await asyncio.open_connection(host, int(port))
        back = asyncio.create_task(copy(up, writer, None))
        await copy(reader, down, left)
        back.cancel()
        for one in (writer, down):
            one.transport.abort()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, breaks: list[int] | None) -> None:
        try:
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
                if breaks is not None:
                    passed.append(len(data))
                    # Requests without much of a body are none of those that break.
                    if breaks and len(data) > 4000:
                        breaks[0] -= len(data)
                        if breaks[0] <= 0:
                            breaks.pop(0)
                            return
        except OSError:
            pass

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    address = Address(
        f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", client.settings.app_user, client.settings.app_pass
    )
    async with server, ApiClient(address) as api:
        yield api, passed
        server.close()


@pytest.fixture
async def cuid(client: Client) -> str:
    return await client.create("example/none:1")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "large.zip"
    path.write_bytes(BODY)
    return path


async def test_it_goes_on_where_it_broke(client: Client, cuid: str, archive: Path) -> None:
    seen: list[int] = []
    async with breaking(client, 6 << 20, 3 << 20) as (api, passed):
        answer = await api.files.upload(cuid, archive, "x", progress=lambda done, _: seen.append(done))
    assert (answer["files"], answer["path"], answer["mode"]) == (2, "x", "merge")
    assert (client.settings.data_dir / "mounts" / cuid / "x/big").read_bytes() == CONTENT
    assert seen[-1] == len(BODY)
    # What had arrived was not sent again: all of it would have been 9 MiB more.
    assert sum(passed) < len(BODY) + (5 << 20)


async def test_what_is_refused_is_not_tried_again(client: Client, cuid: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(BODY[:-30] + bytes(30))
    async with breaking(client) as (api, passed):
        with pytest.raises(Refused) as caught:
            await api.files.upload(cuid, wrong)
    assert caught.value.code == "BAD_ZIP"
    assert sum(passed) < len(BODY) * 1.5
    assert (await client.call("GET", f"/containers/{cuid}/uploads"))["uploads"] == []


async def test_without_progress_it_is_given_up(client: Client, cuid: str, archive: Path) -> None:
    async with breaking(client, *[1] * 50) as (api, _):
        with pytest.raises(Unreachable):
            await api.files.upload(cuid, archive)


async def test_one_that_is_cancelled_leaves_nothing(client: Client, cuid: str, archive: Path) -> None:
    async with breaking(client) as (api, _):
        begun = asyncio.Event()
        work = asyncio.create_task(api.files.upload(cuid, archive, progress=lambda *_: begun.set()))
        await begun.wait()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert (await client.call("GET", f"/containers/{cuid}/uploads"))["uploads"] == []
