"""What a server leaves when it is killed, and how it ends when it is asked to."""

import asyncio
import contextlib
import dataclasses
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from processes import ServerProcess, processes_with
from ruamel.yaml import YAML

from container_manager.engine.orphans import mark
from harness import BUSYBOX, PATIENCE, docker, eventually, make_settings, remove_containers, zipped

KILLS = 52
LINES = 2
"""Servers that are killed side by side, each on its own data."""
SEED = 20240229
FOREVER = ["sleep", "1000000"]
GONE = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)

QUICK = {"NETWORK": "none", "STOP_TIMEOUT": "0"}


@dataclasses.dataclass
class Known:
    """What may be true of one container: one value where the server has answered, more where it was cut off."""

    exists: set[bool] = dataclasses.field(default_factory=lambda: {True})
    value: set[str] = dataclasses.field(default_factory=lambda: {"0"})
    files: set[str | None] = dataclasses.field(default_factory=lambda: {None})
    runs: set[bool] = dataclasses.field(default_factory=lambda: {False})


class Line:
    """One data directory, its present server, and what its clients know of it."""

    def __init__(self, data_dir: Path, seed: int) -> None:
        self.data_dir = data_dir
        self.random = random.Random(seed)
        self.known: dict[str, Known] = {}
        self.answered = 0
        self.cut_off = 0

    # --- what clients do ------------------------------------------------------------------

    async def create(self, http: aiohttp.ClientSession) -> None:
        self.known[await created(http)] = Known()

    async def patch(self, http: aiohttp.ClientSession, cuid: str) -> None:
        value = str(self.random.randrange(10**9))
        await self._change(
            http.patch(f"/containers/{cuid}", json={"env": {"VALUE": value}}), self.known[cuid].value, value
        )

    async def start(self, http: aiohttp.ClientSession, cuid: str) -> None:
        await self._change(http.post(f"/containers/{cuid}/start"), self.known[cuid].runs, True)

    async def stop(self, http: aiohttp.ClientSession, cuid: str) -> None:
        await self._change(http.post(f"/containers/{cuid}/stop"), self.known[cuid].runs, False)

    async def upload(self, http: aiohttp.ClientSession, cuid: str) -> None:
        version = str(self.random.randrange(10**9))
        body = zipped({f"{folder}/{name}.txt": version for folder in ("a", "b") for name in range(20)})
        request = http.post(f"/containers/{cuid}/upload-zip", data=body, headers={"Content-Type": "application/zip"})
        await self._change(request, self.known[cuid].files, version)

    async def delete(self, http: aiohttp.ClientSession, cuid: str) -> None:
        await self._change(http.delete(f"/containers/{cuid}?force=true"), self.known[cuid].exists, False)

    async def _change[T](self, request: Any, possible: set[T], to: T) -> None:
        """Both the old and the new are possible while the request is under way; the new alone once it is answered."""
        possible.add(to)
        async with request as response:
            assert response.status == 200, await response.text()
            possible.intersection_update({to})

    # --- one life of a server -------------------------------------------------------------

    async def live_and_die(self) -> None:
        server = await ServerProcess.serving(self.data_dir, **QUICK)
        try:
            async with server.client() as http:
                await self.check(http)
                steps = [self._guarded(step) for step in self._steps(http)]
                under_way = asyncio.gather(*steps)
                await asyncio.sleep(self.random.uniform(0, 0.35))
                await server.kill()
                await under_way
        finally:
            await server.kill()

    def _steps(self, http: aiohttp.ClientSession) -> list[Callable[[], Awaitable[None]]]:
        """What is asked for at once: containers to come, and a few steps in a row at some of those there are."""
        rows: list[Callable[[], Awaitable[None]]] = []
        if len(self.known) < 6:
            rows += [lambda: self.create(http)] * 2
        verbs = [self.patch, self.start, self.upload, self.delete, self.stop]
        for cuid in self.random.sample(sorted(self.known), min(4, len(self.known))):
            chosen = self.random.choices(verbs, weights=[4, 4, 4, 2, 1], k=3)

            async def row(cuid: str = cuid, chosen: list[Any] = chosen) -> None:
                for verb in chosen:
                    await verb(http, cuid)
                    self.answered += 1
                    if verb == self.delete:
                        break

            rows.append(row)
        self.random.shuffle(rows)
        return rows

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except GONE:
            self.cut_off += 1

    # --- what must be true after each start -----------------------------------------------

    async def check(self, http: aiohttp.ClientSession) -> None:
        listed = await self._settled(http)
        for cuid, known in list(self.known.items()):
            assert (cuid in listed) in known.exists, f"{cuid} is {'there' if cuid in listed else 'lost'}: {known}"
            if cuid not in listed:
                del self.known[cuid]
        for cuid, row in listed.items():
            # One that was not answered any more is whole or not at all.
            known = self.known.setdefault(cuid, Known())
            assert row["problem"] is None
            assert row["env"]["VALUE"] in known.value, (row, known)
            known.exists, known.value, known.runs = {True}, {row["env"]["VALUE"]}, {row["status"] == "running"}
            known.files = {self._files(cuid, known)}
        assert not list((self.data_dir / "staging" / "work").iterdir())
        assert not list((self.data_dir / "staging" / "uploads").iterdir())
        assert {path.name for path in (self.data_dir / "compose").iterdir()} == {f"{cuid}.yml" for cuid in listed}
        assert {path.name for path in (self.data_dir / "mounts").iterdir()} == set(listed)
        for path in (self.data_dir / "compose").iterdir():
            assert path.stem in YAML(typ="safe").load(path)["services"]
        actions = (self.data_dir / "logs" / "actions.jsonl").read_bytes()
        assert actions == b"" or actions.endswith(b"\n")
        assert all(json.loads(line)["action"] for line in actions.splitlines())

    async def _settled(self, http: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
        """The list, once it and the engine agree and what was condemned is gone."""
        listed: dict[str, dict[str, Any]] = {}
        seen: dict[str, Any] = {}

        async def agreed() -> bool:
            if seen:
                # To ask the engine costs more than to wait a little.
                await asyncio.sleep(0.2)
            async with http.get("/containers?limit=200") as response:
                assert response.status == 200
                rows = (await response.json())["containers"]
            listed.clear()
            listed.update({row["cuid"]: row for row in rows})
            seen["engine"] = await asyncio.to_thread(at_engine, self.data_dir)
            seen["compose"] = {path.name for path in (self.data_dir / "compose").iterdir()}
            # One that was created but never started has none at the engine, unless its first start was cut off.
            told = {cuid: row["status"] for cuid, row in listed.items()}
            expected = {cuid: status for cuid, status in told.items() if status != "created" or cuid in seen["engine"]}
            return (
                seen["engine"] == expected
                and seen["compose"] == {f"{cuid}.yml" for cuid in listed}
                # What ran, and was being made anew, runs again.
                and all((told[cuid] == "running") in known.runs for cuid, known in self.known.items() if cuid in told)
                and not await asyncio.to_thread(made_anew, expected)
            )

        try:
            await eventually(agreed, what="list and engine agree")
        except AssertionError as error:
            raise AssertionError(f"{error}: {listed} {seen} {self.known}") from None
        return listed

    def _files(self, cuid: str, known: Known) -> str | None:
        versions = {path.read_text() for path in (self.data_dir / "mounts" / cuid).rglob("*.txt")}
        assert len(versions) <= 1, f"{cuid} has files of {versions}"
        version = versions.pop() if versions else None
        assert version in known.files, (cuid, version, known)
        return version


def at_engine(data_dir: Path) -> dict[str, str]:
    """Name and status of every container that was made from a file of this data directory."""
    rows = docker(
        *("ps", "--all", "--format", '{{.Names}}\t{{.State}}\t{{.Label "com.docker.compose.project.config_files"}}')
    )
    cells = [row.split("\t") for row in rows.splitlines()]
    return {name: status for name, status, file in cells if file.startswith(f"{data_dir}/")}


def compose(*arguments: str) -> None:
    """What a person does with the Compose binary."""
    subprocess.run([Path(sys.executable).with_name("docker-compose"), *arguments], check=True, capture_output=True)


def made_anew(cuids: Collection[str]) -> set[str]:
    """Those of `cuids` whose container replaces another and has not been started yet: the server is about to."""
    form = ("--filter", "label=com.docker.compose.replace", "--filter", "status=created", "--format", "{{.Names}}")
    return set(docker("ps", "--all", *form).split()) & set(cuids)


@pytest.mark.timeout(300)
async def test_killed_at_random_moments_nothing_is_lost_and_nothing_is_left(tmp_path: Path, busybox: str) -> None:
    async def one(number: int) -> Line:
        line = Line(tmp_path / f"data{number}", SEED + number)
        try:
            for _ in range(KILLS // LINES):
                await line.live_and_die()
            server = await ServerProcess.serving(line.data_dir, **QUICK)
            try:
                async with server.client() as http:
                    await line.check(http)
                    for cuid in list(line.known):
                        await line.delete(http, cuid)
                    await line.check(http)
                assert await server.end() == 0, server.said
            finally:
                await server.kill()
        finally:
            await asyncio.to_thread(remove_containers, make_settings(line.data_dir))
        return line

    lines = await asyncio.gather(*(one(number) for number in range(LINES)))
    # The kills came while there was something to kill.
    assert sum(line.cut_off for line in lines) > KILLS / 2
    assert sum(line.answered for line in lines) > KILLS / 2


async def test_programs_of_a_killed_server_end_with_the_next_start(tmp_path: Path, busybox: str) -> None:
    data_dir = tmp_path / "data"
    first = await ServerProcess.serving(data_dir, **QUICK)
    marked = mark(data_dir)
    await eventually(lambda: len(processes_with(marked)) == 1, what="the program that follows the engine")
    await first.kill()
    second = await ServerProcess.serving(data_dir, **QUICK)
    try:
        await eventually(lambda: len(processes_with(marked)) == 1, what="the end of the killed server's programs")
    finally:
        assert await second.end() == 0, second.said
    assert processes_with(marked) == []


async def test_deletions_that_a_kill_cuts_off_are_finished(tmp_path: Path, busybox: str) -> None:
    data_dir = tmp_path / "data"
    folder, settings = data_dir / "compose", {**QUICK, "STOP_TIMEOUT": "3"}
    server = await ServerProcess.serving(data_dir, **settings)
    cuids: list[str] = []
    try:
        async with server.client() as http:
            stubborn = ["sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"]
            for _ in range(2):
                cuids.append(await created(http, start=True, command=stubborn))
                await uploaded(http, cuids[-1], {"a.txt": "a"})
            gone, kept = cuids
            deleting = [
                asyncio.ensure_future(http.delete(f"/containers/{gone}?force=true")),
                asyncio.ensure_future(http.delete(f"/containers/{kept}?force=true&keep_files=true")),
            ]
            await eventually(lambda: len(list(folder.iterdir())) == 4, what="the marks of their deletion")
            await server.kill()
            assert all(isinstance(one, GONE) for one in await asyncio.gather(*deleting, return_exceptions=True))
        server = await ServerProcess.serving(data_dir, **settings)
        async with server.client() as http:
            async with http.get("/containers") as response:
                assert (await response.json())["containers"] == []
            await eventually(lambda: not list(folder.iterdir()), what="the end of the deletions")
        assert at_engine(data_dir) == {}
        assert not (data_dir / "mounts" / gone).exists()
        assert (data_dir / "mounts" / kept / "a.txt").read_text() == "a"
        assert await server.end() == 0
    finally:
        await server.kill()
        await asyncio.to_thread(remove_containers, make_settings(data_dir), cuids)


async def test_files_that_are_to_be_kept_outlive_a_kill(tmp_path: Path, busybox: str) -> None:
    """A mount without a Compose file is kept unless it is empty."""
    data_dir = tmp_path / "data"
    server = await ServerProcess.serving(data_dir, **QUICK)
    try:
        async with server.client() as http:
            cuids = [await created(http) for _ in range(2)]
            await uploaded(http, cuids[0], {"kept.txt": "kept"})
            for cuid in cuids:
                async with http.delete(f"/containers/{cuid}?keep_files=true") as response:
                    assert response.status == 200
        await server.kill()
        server = await ServerProcess.serving(data_dir, **QUICK)
        assert (data_dir / "mounts" / cuids[0] / "kept.txt").read_text() == "kept"
        assert not (data_dir / "mounts" / cuids[1]).exists()
    finally:
        await server.end()


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_recreation_that_was_cut_off_is_finished_unless_it_is_stopped(
    tmp_path: Path, busybox: str, stopped: bool
) -> None:
    data_dir = tmp_path / "data"
    server = await ServerProcess.serving(data_dir, **QUICK)
    try:
        async with server.client() as http:
            cuid = await created(http, start=True)
        await server.kill()
        # As Compose leaves it that is killed between making the new container and starting it.
        file = data_dir / "compose" / f"{cuid}.yml"
        file.write_text(file.read_text().replace('VALUE: "0"', 'VALUE: "1"'))
        await asyncio.to_thread(compose, "--project-name", cuid, "--file", str(file), "up", "--no-start", "--timeout=0")
        assert made_anew([cuid]) == {cuid}

        server = await ServerProcess.serving(data_dir, **QUICK)
        async with server.client() as http:
            if stopped:
                async with http.post(f"/containers/{cuid}/stop") as response:
                    assert response.status == 200
                async with http.patch(f"/containers/{cuid}", json={"env": {"VALUE": "2"}}) as response:
                    assert (await response.json())["status"] != "running"
            else:
                await eventually(lambda: at_engine(data_dir) == {cuid: "running"}, what="the start")
        assert await server.end() == 0, server.said
        assert (at_engine(data_dir)[cuid] == "running") is not stopped
    finally:
        await server.kill()
        await asyncio.to_thread(remove_containers, make_settings(data_dir))


async def test_a_data_directory_has_one_server(tmp_path: Path, engine: str) -> None:
    data_dir = tmp_path / "data"
    first = await ServerProcess.serving(data_dir)
    try:
        second = await ServerProcess.spawn(data_dir, log="second.out")
        async with asyncio.timeout(PATIENCE):
            assert await second.process.wait() != 0
        said = second.said.strip().splitlines()
        assert len(said) == 1
        assert f"DATA_DIR is in use: another server (process {first.process.pid})" in said[0]
        async with first.client() as http, http.get("/healthz") as response:
            assert response.status == 200
        assert len(processes_with(mark(data_dir))) == 1
    finally:
        assert await first.end() == 0, first.said


async def test_sigterm_ends_terminals_streams_and_uploads(tmp_path: Path, busybox: str) -> None:
    data_dir, settings = tmp_path / "data", {**QUICK, "STOP_TIMEOUT": "5"}
    server = await ServerProcess.serving(data_dir, **settings)
    try:
        async with server.client() as http, contextlib.AsyncExitStack() as stack:
            cuid = await created(http, start=True)
            terminal = await stack.enter_async_context(http.ws_connect(f"/ws/{cuid}?mode=shell"))
            watcher = await stack.enter_async_context(http.ws_connect(f"/ws/{cuid}"))
            await terminal.send_json({"type": "stdin", "data": "sleep 1000\n", "encoding": "utf8"})
            logs = await stack.enter_async_context(http.get(f"/containers/{cuid}/logs?follow=true"))
            events = await stack.enter_async_context(http.get("/events"))
            upload = asyncio.create_task(trickled(http, cuid))
            codes = [asyncio.create_task(close_code(websocket)) for websocket in (terminal, watcher)]
            inside = "ps | grep -c '[s]leep 1000$'"
            await eventually(lambda: exec_in(cuid, inside) == "1", what="the terminal's command")
            await eventually(lambda: any((data_dir / "staging" / "work").iterdir()), what="the upload")

            code = await server.end(5 + PATIENCE / 4)

            assert code == 0, server.said
            assert "Traceback" not in server.said
            assert await asyncio.gather(*codes) == [aiohttp.WSCloseCode.GOING_AWAY] * 2
            for stream in (logs, events):
                with contextlib.suppress(*GONE):
                    await stream.read()
            await upload
        # Containers go on; what the terminal had started does not.
        assert at_engine(data_dir) == {cuid: "running"}
        assert exec_in(cuid, inside) == "0"
        assert processes_with(mark(data_dir)) == []
        assert not list((data_dir / "staging" / "work").iterdir())
        assert not list((data_dir / "mounts" / cuid).iterdir())
        actions = [json.loads(line) for line in (data_dir / "logs" / "actions.jsonl").read_text().splitlines()]
        assert [entry["action"] for entry in actions].count("session.closed") == 2
        assert [entry["action"] for entry in actions].count("file.upload") == 1
    finally:
        await server.kill()
        await asyncio.to_thread(remove_containers, make_settings(data_dir))


async def created(http: aiohttp.ClientSession, **fields: Any) -> str:
    body = {"image": BUSYBOX, "command": FOREVER, "env": {"VALUE": "0"}, "resources": {"pids": 200}, **fields}
    async with http.post("/containers", json=body) as response:
        answer = await response.json()
        assert response.status == 201, answer
        return str(answer["cuid"])


async def uploaded(http: aiohttp.ClientSession, cuid: str, files: dict[str, str]) -> None:
    headers = {"Content-Type": "application/zip"}
    async with http.post(f"/containers/{cuid}/upload-zip", data=zipped(files), headers=headers) as response:
        assert response.status == 200, await response.text()


async def trickled(http: aiohttp.ClientSession, cuid: str) -> None:
    """An upload that would take for ever. It is cut off, or refused."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 70_000
            await asyncio.sleep(0.02)

    with contextlib.suppress(*GONE):
        headers = {"Content-Type": "application/zip"}
        async with http.post(f"/containers/{cuid}/upload-zip", data=body(), headers=headers) as response:
            assert response.status >= 400


async def close_code(websocket: aiohttp.ClientWebSocketResponse) -> int | None:
    async for _ in websocket:
        pass
    return websocket.close_code


def exec_in(cuid: str, script: str) -> str:
    return docker("exec", cuid, "sh", "-c", f"{script} || true").strip()
