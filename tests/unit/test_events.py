"""The stream of events: order, resuming, what is told to one who missed some."""

import asyncio
from contextlib import aclosing

import pytest

from container_manager.engine.states import StateTable
from container_manager.models import EngineState, new_cuid
from container_manager.services.events import Events

CUID = new_cuid()


@pytest.fixture
def states() -> StateTable:
    return StateTable()


async def take(events: Events, count: int, after: str | None = None) -> list:
    async with aclosing(events.follow(after)) as following, asyncio.timeout(10):
        return [await anext(following) for _ in range(count)]


async def test_a_reader_gets_what_comes_in_order(states):
    events = Events(states)
    after = events.last_id
    for number in range(3):
        events.publish("updated", CUID, number=number)
    assert [event.data["number"] for event in await take(events, 3, after)] == [0, 1, 2]


async def test_a_reader_goes_on_where_it_left(states):
    events = Events(states)
    after = events.last_id
    for number in range(4):
        events.publish("updated", CUID, number=number)
    seen = await take(events, 2, after)
    assert [event.data["number"] for event in await take(events, 2, seen[-1].id)] == [2, 3]


async def test_everybody_is_woken(states):
    events = Events(states)
    readers = [asyncio.create_task(take(events, 1, events.last_id)) for _ in range(5)]
    await asyncio.sleep(0)
    events.publish("deleted", CUID)
    assert [event[0].kind for event in await asyncio.gather(*readers)] == ["deleted"] * 5


async def test_one_who_missed_some_is_told_to_read_anew(states):
    events = Events(states, kept=4)
    after = events.last_id
    for _ in range(6):
        events.publish("updated", CUID)
    (event,) = await take(events, 1, after)
    assert event.kind == "reset"
    events.publish("deleted", CUID)
    assert [event.kind for event in await take(events, 1, event.id)] == ["deleted"]


@pytest.mark.parametrize(
    "after", ["", "x", "other-3", "-", "{epoch}-999", "{epoch}-x", "{epoch}-٣", "{epoch}-" + "9" * 5000]
)
async def test_an_id_that_is_not_known_is_answered_with_a_reset(states, after):
    events = Events(states)
    epoch = events.last_id.rpartition("-")[0]
    assert [event.kind for event in await take(events, 1, after.format(epoch=epoch))] == ["reset"]


async def test_the_engine_s_states_are_told(states):
    events = Events(states)
    await events.start()
    try:
        after = events.last_id
        states.put(CUID, EngineState(CUID, "1", "running"))
        states.put(CUID, None)
        told = await take(events, 2, after)
        assert [(event.kind, event.data["status"]) for event in told] == [("state", "running"), ("state", "created")]
    finally:
        await events.close()


async def test_steps_of_a_pull_are_thinned_but_its_end_is_not(states):
    events = Events(states)
    after = events.last_id
    for current in range(100):
        events.pulling("image", {"current": current})
    events.pulling("image", {"done": True})
    told = await take(events, 2, after)
    assert [event.data for event in told] == [{"current": 0, "image": "image"}, {"done": True, "image": "image"}]


async def test_the_end_ends_every_reader(states):
    events = Events(states)

    async def read() -> list:
        return [event async for event in events.follow()]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    await events.close()
    assert await asyncio.wait_for(reader, 10) == []


async def test_an_engine_that_goes_and_comes_back_is_told_once(states):
    events = Events(states)
    states.live()
    after = events.last_id
    for change in (states.stale, states.stale, states.live, states.live):
        change()
    gone, back = await take(events, 2, after)
    assert (gone.kind, gone.data["available"]) == ("engine", False)
    assert gone.data["states_age_seconds"] >= 0
    assert (back.kind, back.data) == ("engine", {"available": True, "states_age_seconds": 0.0})
    assert events.last_id == back.id
