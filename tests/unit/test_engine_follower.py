"""How events and answers become the table: what overtakes what, and which of two containers is shown."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from container_manager.engine.docker import Inspected, Listed, bound_ports, inspected, moment, ours
from container_manager.engine.follower import Follower
from container_manager.engine.states import StateTable
from container_manager.models import LABEL, EngineState, PortMapping, Status, new_cuid

CUID = new_cuid()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answers:
    """Stands for the docker command: what it would answer, and a hook that runs while it is asked."""

    timeout = 30.0

    def __init__(self) -> None:
        self.containers: dict[str, Inspected] = {}
        self.asked: list[list[str]] = []
        self.meanwhile: list[dict[str, Any]] = []
        self.follower: Follower | None = None
        self.stuck: set[str] = set()

    def has(self, key: str, status: Status, *, publishes: bool = False, restarts: bool = False, **state: Any) -> None:
        self.containers[key] = Inspected(EngineState(CUID, key, status, **state), publishes, restarts)

    async def inspect(self, ids: Iterable[str]) -> tuple[list[Inspected], set[str]]:
        self.asked.append(list(ids))
        answers = [self.containers[key] for key in self.asked[-1] if key in self.containers.keys() - self.stuck]
        while self.meanwhile:
            assert self.follower is not None
            self.follower._apply(self.meanwhile.pop(0))
        return answers, self.stuck & set(self.asked[-1])

    async def listed(self, timeout: float | None = None) -> list[Listed]:
        return [Listed(key, CUID, answer.state.status, "") for key, answer in self.containers.items()]


def following() -> tuple[Follower, StateTable, Answers]:
    answers, table = Answers(), StateTable()
    follower = answers.follower = Follower(answers, table)  # type: ignore[arg-type]
    return follower, table, answers


def event(action: str, key: str = "one", seconds: float = 0, **attributes: str) -> dict[str, Any]:
    at = int((NOW.timestamp() + seconds) * 1e9)
    return {"Action": action, "Actor": {"ID": key, "Attributes": {LABEL: CUID, **attributes}}, "timeNano": at}


def shown(table: StateTable) -> tuple[str, str] | None:
    state = table.get(CUID)
    return state and (state.container_id, state.status)


async def look(follower: Follower) -> None:
    while follower._dirty:
        await follower._look(follower._dirty)


async def test_a_life() -> None:
    follower, table, _ = following()
    seen = []
    for step in (
        event("create"),
        event("start", seconds=1),
        event("pause"),
        event("unpause"),
        event("exec_create: sh"),
        event("oom"),
        event("die", seconds=2, exitCode="137"),
        event("destroy"),
    ):
        follower._apply(step)
        state = table.get(CUID)
        seen.append(state and (state.status, state.exit_code))
    assert seen == [
        *(("created", None), ("running", None), ("paused", None), ("running", None), ("running", None)),
        *(("running", None), ("exited", 137), None),
    ]


async def test_times_and_out_of_memory_are_kept() -> None:
    follower, table, _ = following()
    for step in (event("start"), event("oom"), event("die", seconds=2, exitCode="137")):
        follower._apply(step)
    state = table.get(CUID)
    assert state is not None
    assert (state.started_at, state.finished_at, state.oom_killed) == (NOW, NOW + timedelta(seconds=2), True)
    follower._apply(event("start", seconds=3))
    assert table.get(CUID) == EngineState(CUID, "one", "running", started_at=NOW + timedelta(seconds=3))


async def test_containers_of_others_are_not_seen() -> None:
    follower, table, _ = following()
    stranger = event("start")
    stranger["Actor"]["Attributes"] = {LABEL: "not-a-cuid"}
    follower._apply(stranger)
    follower._apply(event("start", **{"com.docker.compose.oneoff": "True"}))
    assert not table.all


async def test_ports_come_from_a_look_after_the_start() -> None:
    follower, table, answers = following()
    ports = (PortMapping(32768, 80),)
    answers.has("one", "running", publishes=True, started_at=NOW - timedelta(milliseconds=2), ports=ports)
    follower._apply(event("start"))
    assert not follower.settled(CUID)
    await look(follower)
    assert follower.settled(CUID)
    assert follower.publishes(CUID)
    state = table.get(CUID)
    assert state is not None
    assert (state.ports, state.started_at) == (ports, NOW), "one start has one time"


async def test_without_ports_and_restarts_nothing_is_asked_twice() -> None:
    follower, _, answers = following()
    answers.has("one", "running", started_at=NOW)
    follower._apply(event("start"))
    await look(follower)
    for step in (event("die", exitCode="0"), event("start"), event("die", exitCode="0")):
        follower._apply(step)
    assert not follower._dirty
    assert answers.asked == [["one"]]


async def test_an_answer_that_an_event_has_overtaken_is_asked_for_again() -> None:
    follower, table, answers = following()
    answers.has("one", "running", started_at=NOW)
    follower._apply(event("start"))
    answers.meanwhile = [event("die", exitCode="4", seconds=1)]
    await follower._look(follower._dirty)
    assert shown(table) == ("one", "exited"), "the older answer says running"
    answers.has("one", "restarting", restarts=True, exit_code=4, started_at=NOW)
    await look(follower)
    assert shown(table) == ("one", "restarting")


async def test_an_answer_does_not_bring_back_what_is_gone() -> None:
    follower, table, answers = following()
    answers.has("one", "running")
    await follower._reconcile(everything=True)
    answers.meanwhile = [event("destroy")]
    await follower._look(["one"])
    assert table.get(CUID) is None
    assert not follower._seen.ids(CUID)


async def test_made_anew_the_old_one_is_shown_until_it_is_gone() -> None:
    follower, table, _ = following()
    seen = []
    for step in (
        event("start", "old"),
        event("create", "new"),
        event("die", "old", exitCode="143"),
        event("destroy", "old"),
        event("start", "new"),
    ):
        follower._apply(step)
        seen.append(shown(table))
    assert seen == [
        *(("old", "running"), ("old", "running"), ("old", "exited"), ("new", "created"), ("new", "running"))
    ]


async def test_reconciling_finds_what_events_did_not_tell() -> None:
    follower, table, answers = following()
    for key, status in (("one", "running"), ("two", "exited")):
        answers.has(key, status)  # type: ignore[arg-type]
    await follower._reconcile(everything=True)
    assert shown(table) == ("one", "running")
    answers.asked.clear()
    await follower._reconcile(everything=False)
    assert answers.asked == [], "nothing differs"
    del answers.containers["one"]
    answers.has("two", "paused")
    await follower._reconcile(everything=False)
    assert answers.asked == [["two"]]
    assert shown(table) == ("two", "paused")


async def test_a_container_made_while_the_list_was_asked_for_stays() -> None:
    follower, table, answers = following()
    follower._apply(event("create"))
    listed = answers.listed

    async def slow(timeout: float | None = None) -> list[Listed]:
        before = await listed()
        follower._apply(event("start"))
        return before

    answers.listed = slow  # type: ignore[method-assign]
    await follower._reconcile(everything=False)
    assert shown(table) == ("one", "running")


async def test_an_update_is_looked_at() -> None:
    follower, _, answers = following()
    answers.has("one", "running", restarts=True)
    follower._apply(event("start"))
    await look(follower)
    answers.asked.clear()
    follower._apply(event("update"))
    await look(follower)
    assert answers.asked == [["one"]]


def test_an_inspected_container() -> None:
    data = {
        "Id": "abc",
        "Config": {"Labels": {LABEL: CUID}},
        "State": {
            "Status": "running",
            "ExitCode": 0,
            "StartedAt": "2026-11-26T09:07:17.877280609Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "OOMKilled": False,
        },
        "HostConfig": {"PortBindings": {"80/tcp": [{}]}, "RestartPolicy": {"Name": "always"}},
        "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "81"}], "9/udp": None}},
    }
    found = inspected(data)
    assert found == Inspected(
        EngineState(
            *(CUID, "abc", "running"),
            started_at=datetime(2026, 11, 26, 9, 7, 17, 877280, UTC),
            ports=(PortMapping(81, 80, "tcp", "0.0.0.0"),),
        ),
        publishes=True,
        restarts=True,
    )
    assert inspected({**data, "Config": {"Labels": None}}) is None
    stopped = inspected({**data, "State": {"Status": "stopped", "ExitCode": 3}, "HostConfig": None})
    assert stopped is not None
    assert replace(stopped.state, ports=()) == EngineState(CUID, "abc", "exited", exit_code=3)
    assert (stopped.publishes, stopped.restarts) == (False, False)


def test_bound_ports() -> None:
    both = [{"HostIp": "0.0.0.0", "HostPort": "81"}, {"HostIp": "::", "HostPort": "81"}]
    assert bound_ports({"80/tcp": both}) == (PortMapping(81, 80, "tcp", "0.0.0.0"),)
    assert bound_ports({"80/udp": [{"HostIp": "::", "HostPort": "5"}]}) == (PortMapping(5, 80, "udp", "::"),)
    assert bound_ports({"80/tcp": [{"HostIp": "", "HostPort": "5"}]}) == (PortMapping(5, 80, "tcp", "0.0.0.0"),)
    assert bound_ports(None) == ()


def test_moments_and_labels() -> None:
    assert moment("0001-01-01T00:00:00Z") is None
    assert moment("") is moment(None) is moment("yesterday") is None
    assert ours({LABEL: CUID}) == CUID
    assert ours({LABEL: CUID.upper()}) is None


async def test_a_stream_that_ends_makes_the_table_stale_and_is_tried_again() -> None:
    follower, table, _ = following()
    third, tries = asyncio.Event(), 0

    async def connection() -> None:
        nonlocal tries
        tries += 1
        follower._connected.set()
        table.live()
        if tries == 3:
            third.set()

    follower._connection = connection  # type: ignore[method-assign]
    follower.start()
    async with asyncio.timeout(5):
        await follower.first_try()
        await third.wait()
    await follower.close()
    assert not follower.available
    assert table.age > 0


async def test_what_the_engine_is_stuck_on_has_the_state_of_the_list() -> None:
    follower, table, answers = following()
    answers.has("one", "paused")
    answers.stuck = {"one"}
    await follower._reconcile(everything=True)
    state = table.get(CUID)
    assert state is not None
    assert (state.container_id, state.status) == ("one", "paused")
