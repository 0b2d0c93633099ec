"""A server that is killed ends no session: the next one does."""

import asyncio
import json
from pathlib import Path

from processes import ServerProcess

from harness import docker, eventually, make_settings, remove_containers

LOOK = 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done'


async def running(cuid: str) -> str:
    return await asyncio.to_thread(docker, "exec", cuid, "sh", "-c", LOOK)


async def test_what_a_killed_server_left_is_ended_by_the_next(busybox: str, tmp_path: Path) -> None:
    try:
        first = await ServerProcess.serving(tmp_path)
        async with first.client() as http:
            body = {"image": busybox, "command": ["sleep", "1000000"], "start": True}
            async with http.post("/containers", json=body) as answer:
                cuid = (await answer.json())["cuid"]
            async with http.ws_connect(f"/ws/{cuid}", params={"mode": "shell", "record": "true"}) as socket:
                await socket.send_json({"type": "stdin", "data": "(trap '' HUP TERM; sleep 979) & sleep 978\n"})

                async def started() -> bool:
                    text = await running(cuid)
                    return "sleep 979" in text and "sleep 978" in text

                await eventually(started)
                await first.kill()
        assert "sleep 979" in await running(cuid)
        second = await ServerProcess.serving(tmp_path)
        async with second.client() as http:
            async with http.get(f"/containers/{cuid}/recordings") as answer:
                (recorded,) = (await answer.json())["recordings"]
            assert not recorded["live"]
            async with http.get(f"/containers/{cuid}/recordings/{recorded['name']}") as answer:
                header, *events = map(json.loads, (await answer.text()).splitlines())
        assert header["version"] == 2
        assert "sleep 978" in "".join(text for _, kind, text in events if kind == "o"), "it plays up to the kill"

        async def ended() -> bool:
            text = await running(cuid)
            return "sleep 979" not in text and "sleep 978" not in text

        await eventually(ended)
        assert "sleep 1000000" in await running(cuid), "the app itself goes on"
        assert await second.end() == 0
    finally:
        await asyncio.to_thread(remove_containers, make_settings(tmp_path))
