"""The table of states: reads, waits, subscriptions."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_manager.engine.states import Change, StateTable, Subscription
from container_manager.errors import EngineTimeout
from container_manager.models import Cuid, EngineState, Status, new_cuid

A, B = new_cuid(), new_cuid()


def state(cuid: Cuid, status: Status = "running", container_id: str = "1") -> EngineState:
    return EngineState(cuid, container_id, status)


async def test_a_reader_sees_the_last_state() -> None:
    table = StateTable()
    assert table.get(A) is None
    table.put(A, state(A))
    table.put(B, state(B, "paused"))
    assert table.get(A) == state(A)
    assert dict(table.all) == {A: state(A), B: state(B, "paused")}
    table.put(A, None)
    assert table.get(A) is None
    assert list(table.all) == [B]


async def test_wait_returns_at_once_when_the_state_is_there() -> None:
    table = StateTable()
    assert await table.wait(A, lambda found: found is None, 0) is None


async def test_wait_returns_the_first_state_that_fits_though_it_is_gone_already() -> None:
    table = StateTable()
    waiting = asyncio.create_task(table.wait(A, lambda found: found is not None and found.status == "running", 5))
    await asyncio.sleep(0)
    for status in ("created", "running", "exited"):
        table.put(A, state(A, status))  # type: ignore[arg-type]
    assert await waiting == state(A, "running")


async def test_wait_is_woken_by_a_state_that_is_told_again() -> None:
    table, ready = StateTable(), False
    table.put(A, state(A))
    waiting = asyncio.create_task(table.wait(A, lambda _: ready, 5))
    await asyncio.sleep(0)
    ready = True
    table.put(A, state(A))
    assert await waiting == state(A)


async def test_wait_ends_with_a_timeout_and_leaves_nothing_behind() -> None:
    table = StateTable()
    with pytest.raises(EngineTimeout) as caught:
        await table.wait(A, lambda _: False, 0.01)
    assert caught.value.details == {"seconds": 0.01}
    waiting = asyncio.create_task(table.wait(A, lambda _: False, 5))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert table._waiting == {}


async def test_a_subscriber_hears_of_each_change_once() -> None:
    table = StateTable()
    table.put(A, state(A, "created"))
    with table.subscribe() as changes:
        table.put(A, state(A))
        table.put(A, state(A))
        table.put(A, None)
        table.put(A, None)
        assert [await changes.get(), await changes.get()] == [Change(A, state(A)), Change(A, None)]
    table.put(A, state(A))
    assert not changes._changes, "nothing is held for a subscriber that left"


async def test_a_slow_subscriber_loses_the_oldest_and_is_told() -> None:
    changes = Subscription(limit=3)
    for number in range(5):
        changes.push(Change(A, state(A, container_id=str(number))))
    assert changes.missed == 2
    assert [(await changes.get()).state.container_id for _ in range(3)] == ["2", "3", "4"]  # type: ignore[union-attr]


async def test_a_subscriber_is_an_iterator() -> None:
    table = StateTable()
    with table.subscribe() as changes:
        table.put(A, state(A))
        async for change in changes:
            assert change.cuid == A
            break


async def test_age_grows_only_while_the_engine_is_out_of_sight() -> None:
    table = StateTable()
    table.live()
    assert table.age == 0
    table.stale()
    first = table.age
    table.stale()
    assert table.age >= first > 0
    table.live()
    assert table.age == 0


@given(st.lists(st.tuples(st.sampled_from((A, B)), st.sampled_from(("created", "running", "exited", None)))))
def test_changes_replayed_give_the_table(puts: list[tuple[Cuid, Status | None]]) -> None:
    async def follow() -> None:
        table, copy = StateTable(), {}
        with table.subscribe() as changes:
            for cuid, status in puts:
                table.put(cuid, state(cuid, status) if status else None)
            while changes._changes:
                change = await changes.get()
                copy[change.cuid] = change.state
        assert {cuid: found for cuid, found in copy.items() if found} == dict(table.all)

    asyncio.run(follow())
