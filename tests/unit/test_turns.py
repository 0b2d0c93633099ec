"""Turns at the engine: first come, first served, and none is lost."""

import asyncio
import contextlib

import pytest

from container_manager.engine.turns import Turns, arrive
from container_manager.errors import EngineUnavailable


async def never() -> None:
    await asyncio.Event().wait()


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Guests:
    """Takers of turns, in the order of their numbers."""

    def __init__(self, turns: Turns, count: int) -> None:
        self.began: list[int] = []
        self.done = [asyncio.Event() for _ in range(count)]
        self._turns = turns
        self.tasks = [asyncio.create_task(self._guest(number)) for number in range(count)]

    async def _guest(self, number: int) -> None:
        async with self._turns.take():
            self.began.append(number)
            await self.done[number].wait()

    async def end(self) -> None:
        for event in self.done:
            event.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_first_come_first_served() -> None:
    turns = Turns(3, never)
    guests = Guests(turns, 100)
    await settle()
    assert guests.began == [0, 1, 2]
    assert (turns.running, turns.waiting) == (3, 97)
    for number in range(100):
        # Whoever ends, the next in the queue follows.
        guests.done[guests.began[number]].set()
        await settle()
        assert guests.began == list(range(min(number + 4, 100)))
    await guests.end()
    assert (turns.running, turns.waiting) == (0, 0)


async def test_who_comes_while_a_turn_is_handed_on_does_not_overtake() -> None:
    turns = Turns(1, never)
    guests = Guests(turns, 3)
    await settle()
    guests.done[0].set()
    # At this moment the turn is free, or about to be.
    late = Guests(turns, 1)
    await settle()
    assert guests.began == [0, 1]
    assert late.began == []
    await guests.end()
    await late.end()


async def test_the_place_is_that_of_the_arrival() -> None:
    turns, served, written = Turns(1, never), [], [asyncio.Event() for _ in range(4)]

    async def request(number: int) -> None:
        arrive()
        # As files that are written first: some are quick, some are slow.
        await written[number].wait()
        async with turns.take():
            served.append(number)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as requests, turns.take():
        for number in range(4):
            requests.create_task(request(number))
        await settle()
        for number in (3, 1, 2, 0):
            written[number].set()
            await settle()
        assert turns.waiting == 4
    assert served == [0, 1, 2, 3]


async def test_who_leaves_the_queue_takes_no_turn_along() -> None:
    turns = Turns(2, never)
    guests = Guests(turns, 8)
    await settle()
    for number in (2, 4, 5):
        guests.tasks[number].cancel()
    # One of them has its turn handed over at the very moment in which it leaves.
    guests.done[0].set()
    guests.tasks[3].cancel()
    await settle()
    guests.done[1].set()
    await settle()
    assert [number for number in guests.began if number in (6, 7)] == [6, 7]
    await guests.end()
    assert (turns.running, turns.waiting) == (0, 0)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(turns.take())
        assert turns.running == 2


async def test_the_queue_is_told_when_the_engine_is_lost() -> None:
    lost = asyncio.Event()
    turns = Turns(1, lost.wait)
    guests = Guests(turns, 3)
    await settle()
    lost.set()
    await settle()
    for task in guests.tasks[1:]:
        with pytest.raises(EngineUnavailable):
            await task
    assert (turns.running, turns.waiting) == (1, 0)
    await guests.end()
