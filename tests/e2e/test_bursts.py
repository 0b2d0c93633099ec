"""Many starts at once: all of them succeed, in the order in which they came."""

import asyncio

import pytest

from container_manager.api.context import SERVICES
from container_manager.settings import Settings
from harness import Client, eventually, make_settings

COUNT = 8


@pytest.fixture(scope="module")
def server_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_settings(tmp_path_factory.mktemp("data"), max_workers=1)


async def test_a_burst_is_worked_off_in_its_order(client: Client, busybox: str) -> None:
    services = client.app[SERVICES]
    # Started once before, so that the network that containers share is there.
    await client.run()
    answered: list[int] = []

    async def start(number: int) -> None:
        cuid = await client.create(command=["sleep", "1000"], start=True)
        answered.append(number)
        assert (await client.status(cuid))["status"] == "running"

    # Nobody's turn comes before all of them have asked.
    async with asyncio.TaskGroup() as clients, services.engine.turns.take():
        for number in range(COUNT):
            clients.create_task(start(number))
            await eventually(lambda expected=number + 1: services.mutations.count == expected)
        await eventually(lambda: services.engine.turns.waiting == COUNT)
    assert answered == list(range(COUNT))
